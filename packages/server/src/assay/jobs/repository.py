"""Queries over task runs, and handing them to the queue in the same transaction."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.psycopg_connector import PsycopgConnector
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from assay.core.database import ReadSession, WriteSession
from assay.jobs.lifecycle import FINISHED, STARTABLE, TaskState
from assay.jobs.models import TaskRun
from assay.shared import pagination
from assay.shared.ids import new_id

TASK_NAME = "run_task"
QUEUE = "tasks"


async def insert_run(
    tx: WriteSession, *, kind: str, key: str, subject: str, arguments: Mapping[str, Any], now: datetime
) -> TaskRun | None:
    """The new run, or None when the key exists."""
    values = {
        "id": new_id(), "kind": kind, "key": key, "subject": subject, "arguments": dict(arguments),
        "state": TaskState.PENDING, "attempts": 0, "progress": 0.0, "note": "waiting", "created_at": now,
    }  # fmt: skip
    return await tx.scalar(insert(TaskRun).values(values).on_conflict_do_nothing().returning(TaskRun))


async def by_key(tx: ReadSession, key: str) -> TaskRun | None:
    """The run with this key."""
    return await tx.scalar(select(TaskRun).where(TaskRun.key == key))


async def by_id(tx: ReadSession, identifier: uuid.UUID) -> TaskRun | None:
    """The run with this identifier."""
    return await tx.scalar(
        select(TaskRun).where(TaskRun.id == identifier).execution_options(populate_existing=True)
    )


async def page(
    tx: ReadSession, *, kind: str, subject: str, cursor: str | None, limit: int
) -> Sequence[TaskRun]:
    """One row more than a page of the subject's runs."""
    statement = select(TaskRun).where(TaskRun.kind == kind, TaskRun.subject == subject)
    return (await tx.scalars(pagination.after(statement, TaskRun.id, cursor=cursor, limit=limit))).all()


async def recent(tx: ReadSession, *, kind: str, subject: str, limit: int) -> Sequence[TaskRun]:
    """The subject's newest runs, newest first."""
    statement = select(TaskRun).where(TaskRun.kind == kind, TaskRun.subject == subject)
    return (await tx.scalars(statement.order_by(TaskRun.id.desc()).limit(limit))).all()


async def latest_completed(tx: ReadSession, *, kind: str, subject: str) -> TaskRun | None:
    """The subject's newest run that has a result."""
    return await _newest(tx, kind=kind, subject=subject, states=[TaskState.COMPLETED])


async def latest_finished(tx: ReadSession, *, kind: str, subject: str, prefix: str) -> TaskRun | None:
    """The subject's newest run that has ended, well or not, of those whose key begins so."""
    return await _newest(tx, kind=kind, subject=subject, states=FINISHED, prefix=prefix)


async def newest(tx: ReadSession, *, kind: str, subject: str) -> TaskRun | None:
    """The subject's newest run, wherever it stands."""
    return await _newest(tx, kind=kind, subject=subject, states=list(TaskState))


async def _newest(
    tx: ReadSession, *, kind: str, subject: str, states: Collection[TaskState], prefix: str = ""
) -> TaskRun | None:
    return await tx.scalar(
        select(TaskRun)
        .where(TaskRun.kind == kind, TaskRun.subject == subject, TaskRun.state.in_(states))
        .where(TaskRun.key.startswith(prefix, autoescape=True))
        .order_by(TaskRun.id.desc())
        .limit(1)
    )


async def begun_since(
    tx: ReadSession, *, kind: str, subjects: Collection[str], since: datetime
) -> Sequence[str]:
    """Those of the subjects of which a run was asked for after a moment, or is still waiting or at work."""
    statement = select(TaskRun.subject).where(
        TaskRun.kind == kind,
        TaskRun.subject.in_(subjects),
        (TaskRun.created_at > since) | TaskRun.state.not_in(FINISHED),
    )
    return (await tx.scalars(statement.distinct())).all()


async def take(tx: WriteSession, identifier: uuid.UUID, *, now: datetime) -> TaskRun | None:
    """Starts an attempt and returns the run, or None when it is finished already."""
    return await tx.scalar(
        update(TaskRun)
        .where(TaskRun.id == identifier, TaskRun.state.in_(STARTABLE))
        .values(
            state=TaskState.PROCESSING, attempts=TaskRun.attempts + 1, started_at=now, heartbeat_at=now,
            progress=0.0, note="started",
        )
        .returning(TaskRun)
    )  # fmt: skip


async def change(tx: WriteSession, identifier: uuid.UUID, *, attempt: int, values: Mapping[str, Any]) -> bool:
    """Writes to a run as long as this attempt is still the one in charge."""
    # Fenced by the attempt: a worker taken for dead that wakes up again must not overwrite its successor.
    changed = await tx.scalar(
        update(TaskRun)
        .where(TaskRun.id == identifier, TaskRun.attempts == attempt, TaskRun.state == TaskState.PROCESSING)
        .values(**values)
        .returning(TaskRun.id)
    )
    return changed is not None


async def enqueue(tx: WriteSession, identifier: uuid.UUID) -> None:
    """Puts the run on the queue; it is there exactly when the transaction commits."""
    connection = await (await tx.connection()).get_raw_connection()
    job = Job(
        id=None, queue=QUEUE, lock=None, queueing_lock=None, task_name=TASK_NAME,
        task_kwargs={"task_run_id": str(identifier)},
    )  # fmt: skip
    # The connector is never opened: the manager only uses the connection of our transaction.
    await JobManager(PsycopgConnector()).defer_job_async(job, connection=connection.driver_connection)
