"""An experiment's log: its moves, what was decided on which result, and what people said."""

import uuid
from collections.abc import Mapping
from typing import Any

from assay.core.database import ReadSession, WriteSession
from assay.experiments import repository, service
from assay.experiments.errors import InvalidDesign, UnknownResult
from assay.experiments.models import Experiment
from assay.experiments.schemas import CommentRequest, DecisionRequest, EntryOut
from assay.flags.rewriting import By
from assay.jobs import service as jobs
from assay.jobs.errors import NotFinished, TaskFailed, TaskNotFound
from assay.shared import pagination


async def listing(
    tx: ReadSession, project_key: str, key: str, *, kind: str | None, cursor: str | None, limit: int
) -> tuple[list[EntryOut], str | None]:
    """A page of an experiment's log, newest first, and the cursor of the next."""
    identifier = await service.identify(tx, project_key, key)
    rows = await repository.entries(tx, identifier, kind=kind, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [EntryOut.model_validate(row) for row in rows], following


async def comment(tx: WriteSession, project_key: str, key: str, said: CommentRequest, *, by: By) -> EntryOut:
    """What somebody said, in the log."""
    experiment = await service.row_of(tx, project_key, key)
    return await add(tx, experiment, "commented", {}, note=said.text, by=by)


async def decide(
    tx: WriteSession, project_key: str, key: str, decided: DecisionRequest, *, by: By
) -> EntryOut:
    """What was decided and on which result, in the log; the flag is changed by completing the experiment.

    Raises:
        UnknownResult: The experiment has no such finished result.
        InvalidDesign: The arm is none of the experiment's.
    """
    experiment = await service.row_of(tx, project_key, key)
    keys = [arm["key"] for arm in experiment.arms]
    if decided.arm is not None and decided.arm not in keys:
        raise InvalidDesign(
            f"{decided.arm!r} is not an arm; the arms are {', '.join(keys)}", value=decided.arm
        )
    if decided.result is not None:
        await _require_result(tx, experiment, decided.result)
    body = decided.model_dump(mode="json", exclude={"note"})
    await service.record(tx, experiment, "decided", before={}, after=body, by=by)
    return await add(tx, experiment, "decided", body, note=by.note, by=by)


async def add(
    tx: WriteSession, experiment: Experiment, kind: str, body: Mapping[str, Any], *, note: str, by: By
) -> EntryOut:
    """A new entry of the log."""
    entry = {
        "experiment_id": experiment.id,
        "kind": kind,
        "actor": by.actor,
        "at": by.at,
        "note": note,
        "body": dict(body),
    }
    return EntryOut.model_validate(await repository.add_entry(tx, entry))


async def _require_result(tx: ReadSession, experiment: Experiment, result: uuid.UUID) -> None:
    try:
        await jobs.result(tx, result, subject=str(experiment.id))
    except (TaskNotFound, NotFinished, TaskFailed) as error:
        raise UnknownResult(
            f"experiment {experiment.key!r} has no finished result {result}: {error.message}",
            value=str(result),
        ) from error
