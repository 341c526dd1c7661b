"""Asking for results, and the newest ones there are."""

import uuid
from datetime import datetime
from typing import Any

from assay.analysis.document import Document
from assay.analysis.errors import NoRecord, NoResults
from assay.analysis.schemas import RecordOut, ResultOut
from assay.core.database import ReadSession, WriteSession
from assay.experiments import service as experiments
from assay.jobs import service as jobs
from assay.jobs.schemas import TaskOut

KIND = "results"


async def begin(tx: WriteSession, project: str, experiment: str, *, now: datetime) -> TaskOut:
    """Asks for an analysis of what is known now; while one is under way, that is the one."""
    identifier = await experiments.identify(tx, project, experiment)
    arguments = {"project": project, "experiment": experiment}
    return await jobs.begin_next(tx, kind=KIND, subject=str(identifier), arguments=arguments, now=now)


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
    tx: ReadSession, project: str, experiment: str, *, cursor: str | None, limit: int
) -> tuple[list[TaskOut], str | None]:
    """A page of an experiment's analyses, oldest first, and the cursor of the next."""
    identifier = await experiments.identify(tx, project, experiment)
    return await jobs.listing(tx, kind=KIND, subject=str(identifier), cursor=cursor, limit=limit)


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


def _document(found: dict[str, Any]) -> Document:
    # Before there were records the document was all that was kept.
    return Document.model_validate(found.get("document", found))
