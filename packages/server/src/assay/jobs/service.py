"""Begin, poll, result."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from assay.core.database import ReadSession, WriteSession
from assay.jobs import repository
from assay.jobs.errors import NotFinished, TaskFailed, TaskNotFound
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.shared import pagination


async def begin(
    tx: WriteSession, *, kind: str, key: str, subject: str, arguments: Mapping[str, Any], now: datetime
) -> TaskOut:
    """Asks for work in the caller's transaction; the same key again is the same run."""
    run = await repository.insert_run(tx, kind=kind, key=key, subject=subject, arguments=arguments, now=now)
    if run is None:
        return TaskOut.model_validate(await repository.by_key(tx, key))
    await repository.enqueue(tx, run.id)
    return TaskOut.model_validate(run)


async def begin_next(
    tx: WriteSession, *, kind: str, subject: str, arguments: Mapping[str, Any], now: datetime, part: str = ""
) -> TaskOut:
    """Asks for the subject's next run; while one is waiting or at work, that is the one.

    Args:
        part: What of the subject the run is about, when runs of several parts may wait beside each other.
    """
    prefix = f"{kind}:{subject}:{part}after:"
    last = await repository.latest_finished(tx, kind=kind, subject=subject, prefix=prefix)
    key = f"{prefix}{last.id if last else 'nothing'}"
    return await begin(tx, kind=kind, key=key, subject=subject, arguments=arguments, now=now)


async def poll(tx: ReadSession, identifier: uuid.UUID, *, subject: str | None = None) -> TaskOut:
    """Where the run stands.

    Raises:
        TaskNotFound: There is no such run, or not of this subject.
    """
    run = await repository.by_id(tx, identifier)
    if run is None or (subject is not None and run.subject != subject):
        raise TaskNotFound(f"no task {identifier}", value=str(identifier))
    return TaskOut.model_validate(run)


async def result(tx: ReadSession, identifier: uuid.UUID, *, subject: str | None = None) -> dict[str, Any]:
    """What the run produced.

    Raises:
        TaskNotFound: There is no such run, or not of this subject.
        NotFinished: It is still waiting or at work.
        TaskFailed: It ended without a result; the message says why.
    """
    task = await poll(tx, identifier, subject=subject)
    run = await repository.by_id(tx, identifier)
    if task.state is TaskState.FAILED:
        raise TaskFailed(task.error or "the task failed")
    if run is None or run.result is None:
        raise NotFinished(f"task {identifier} is {task.state}; ask again when it is COMPLETED")
    return run.result


async def listing(
    tx: ReadSession, *, kind: str, subject: str, cursor: str | None, limit: int
) -> tuple[list[TaskOut], str | None]:
    """A page of a subject's runs, oldest first, and the cursor of the next."""
    rows = await repository.page(tx, kind=kind, subject=subject, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [TaskOut.model_validate(row) for row in rows], following


async def recent(tx: ReadSession, *, kind: str, subject: str, limit: int) -> list[TaskOut]:
    """A subject's newest runs, newest first."""
    rows = await repository.recent(tx, kind=kind, subject=subject, limit=limit)
    return [TaskOut.model_validate(row) for row in rows]


async def latest_result(tx: ReadSession, *, kind: str, subject: str) -> tuple[TaskOut, dict[str, Any]] | None:
    """The subject's newest finished run with its result, if there is one."""
    run = await repository.latest_completed(tx, kind=kind, subject=subject)
    if run is None or run.result is None:
        return None
    return TaskOut.model_validate(run), run.result


async def begun_since(tx: ReadSession, *, kind: str, subjects: Collection[str], since: datetime) -> set[str]:
    """Those of the subjects of which a run was asked for after a moment, or is still waiting or at work."""
    return set(await repository.begun_since(tx, kind=kind, subjects=subjects, since=since))


async def newest(tx: ReadSession, *, kind: str, subject: str) -> TaskOut | None:
    """The subject's newest run, wherever it stands, if there is one."""
    run = await repository.newest(tx, kind=kind, subject=subject)
    return None if run is None else TaskOut.model_validate(run)
