"""Asking for results, and the newest ones there are."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from assay.analysis.document import Document
from assay.analysis.errors import NoRecord, NoResults
from assay.analysis.requesting import require_possible
from assay.analysis.schemas import PLAIN, RecordOut, ResultOut, ResultRequest
from assay.core.database import ReadSession, WriteSession
from assay.experiments import holding
from assay.experiments import service as experiments
from assay.jobs import service as jobs
from assay.jobs.lifecycle import FINISHED
from assay.jobs.schemas import TaskOut
from assay.sources import catalog

KIND = "results"
EXPLORATION = "exploration"
"""Results of another reading than the planned one, which nobody takes for the newest."""


async def begin(
    tx: WriteSession, project: str, experiment: str, *, now: datetime, asked: ResultRequest = PLAIN
) -> TaskOut:
    """Asks for an analysis of what is known now; while one of the same is under way, that is the one.

    Raises:
        UnknownOption: What is asked does not fit the experiment.
        HoldoutIdle: It is a holdout, which keeps nobody out.
    """
    await holding.follow(tx, project, experiment, now=now)
    identifier = await experiments.identify(tx, project, experiment)
    arguments = {"project": project, "experiment": experiment}
    if asked.is_plain:
        return await jobs.begin_next(tx, kind=KIND, subject=str(identifier), arguments=arguments, now=now)
    require_possible(asked, await experiments.get(tx, project, experiment), now=now)
    options = asked.model_dump(mode="json", exclude_defaults=True)
    return await jobs.begin_next(
        tx,
        kind=EXPLORATION,
        subject=str(identifier),
        arguments={**arguments, "options": options},
        now=now,
        part=f"{_digest(options)}:",
    )


async def cancel(tx: WriteSession, project: str, experiment: str, task: uuid.UUID) -> TaskOut:
    """Asks for an analysis to be stopped; it ends as FAILED, `analysis_cancelled`. A finished one stays."""
    found = await poll(tx, project, experiment, task)
    if found.state not in FINISHED:
        await catalog.ask_to_stop(tx, task)
    return found


async def poll(tx: ReadSession, project: str, experiment: str, task: uuid.UUID) -> TaskOut:
    """Where an analysis stands."""
    return await jobs.poll(tx, task, subject=str(await experiments.identify(tx, project, experiment)))


async def result(tx: ReadSession, project: str, experiment: str, task: uuid.UUID) -> ResultOut:
    """A finished analysis.

    Raises:
        NotFinished, TaskFailed: There is no document.
    """
    subject = str(await experiments.identify(tx, project, experiment))
    found = await jobs.result(tx, task, subject=subject)
    return ResultOut(task=await jobs.poll(tx, task, subject=subject), document=_document(found))


async def record(tx: ReadSession, project: str, experiment: str, task: uuid.UUID) -> RecordOut:
    """What the document of a finished analysis was concluded from.

    Raises:
        NotFinished, TaskFailed: There is no document.
        NoRecord: It was computed by a version that kept none.
    """
    found = await jobs.result(tx, task, subject=str(await experiments.identify(tx, project, experiment)))
    if "record" not in found:
        raise NoRecord(f"analysis {task} kept no record; begin a new one", value=str(task))
    return RecordOut.model_validate(found["record"])


async def listing(
    tx: ReadSession,
    project: str,
    experiment: str,
    *,
    exploratory: bool = False,
    cursor: str | None,
    limit: int,
) -> tuple[list[TaskOut], str | None]:
    """A page of an experiment's analyses, oldest first, and the cursor of the next.

    Args:
        exploratory: Those that were asked for with options, instead of the planned reading.
    """
    identifier = await experiments.identify(tx, project, experiment)
    kind = EXPLORATION if exploratory else KIND
    return await jobs.listing(tx, kind=kind, subject=str(identifier), cursor=cursor, limit=limit)


async def explorations(tx: ReadSession, project: str, experiment: str, *, limit: int) -> list[TaskOut]:
    """The newest analyses that were asked for with options, newest first."""
    identifier = await experiments.identify(tx, project, experiment)
    return await jobs.recent(tx, kind=EXPLORATION, subject=str(identifier), limit=limit)


async def latest(tx: ReadSession, project: str, experiment: str) -> ResultOut:
    """The newest finished analysis.

    Raises:
        NoResults: There is none yet.
    """
    found = await latest_if_any(tx, project, experiment)
    if found is None:
        raise NoResults(
            f"experiment {experiment!r} has no results yet; begin an analysis first", value=experiment
        )
    return found


async def latest_if_any(tx: ReadSession, project: str, experiment: str) -> ResultOut | None:
    """The newest finished analysis, if there is one."""
    identifier = await experiments.identify(tx, project, experiment)
    found = await jobs.latest_result(tx, kind=KIND, subject=str(identifier))
    if found is None:
        return None
    task, document = found
    return ResultOut(task=task, document=_document(document))


async def newest(tx: ReadSession, project: str, experiment: str) -> TaskOut | None:
    """The newest analysis, finished or not, if there is one."""
    identifier = await experiments.identify(tx, project, experiment)
    return await jobs.newest(tx, kind=KIND, subject=str(identifier))


def _digest(options: Mapping[str, Any]) -> str:
    text = json.dumps(options, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _document(found: dict[str, Any]) -> Document:
    # Before there were records the document was all that was kept.
    return Document.model_validate(found.get("document", found))
