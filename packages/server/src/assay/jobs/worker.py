"""Runs tasks: takes them from the queue, keeps their row true, takes up those of workers that died."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import procrastinate
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition
from procrastinate.psycopg_connector import PsycopgConnector

from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import OUTAGES, Database, WriteSession, connection_arguments, libpq_url
from assay.jobs import repository
from assay.jobs.lifecycle import TaskState
from assay.shared.errors import AssayError

log = structlog.get_logger()

RESTART_SECONDS = 1.0
RECONNECT_SECONDS = 4.0
UNREGISTER_SECONDS = 2.0
# The net below the notifications: a connection cut without a word is noticed only after half a minute.
POLL_SECONDS = 1.0
# What reaches the queue as a failure is one of the database; a task's own ends in its row.
RETRY = procrastinate.RetryStrategy(max_attempts=60, wait=2)


@dataclass(frozen=True, slots=True)
class Task:
    """A run in the hands of its handler."""

    id: uuid.UUID
    arguments: Mapping[str, Any]
    attempt: int
    _database: Database

    async def report(self, progress: float, note: str) -> None:
        """Says how far the work is: the share done, 0 to 1, and what comes now."""
        values = {"progress": progress, "note": note, "heartbeat_at": utc_now()}

        async def work(tx: WriteSession) -> None:
            await repository.change(tx, self.id, attempt=self.attempt, values=values)

        await self._database.write(work)


Handler = Callable[[Task], Awaitable[dict[str, Any]]]


@asynccontextmanager
async def running_worker(
    settings: Settings, database: Database, url: str, handlers: Mapping[str, Handler]
) -> AsyncGenerator[asyncio.Task[None]]:
    """A worker at work until the block ends; running tasks get the grace period to finish."""
    queue = _queue(settings, url)

    @queue.task(name=repository.TASK_NAME, queue=repository.QUEUE, retry=RETRY)
    async def run_task(task_run_id: str) -> None:  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        await perform(database, uuid.UUID(task_run_id), handlers)

    async with queue.open_async():
        worker = asyncio.create_task(_work_forever(queue, settings), name="worker")
        rescuer = asyncio.create_task(_rescue_forever(queue, settings), name="rescuer")
        try:
            yield worker
        finally:
            await _stop(rescuer, within_seconds=UNREGISTER_SECONDS)
            await _stop(worker, within_seconds=settings.shutdown_grace_seconds + UNREGISTER_SECONDS)


async def perform(database: Database, identifier: uuid.UUID, handlers: Mapping[str, Handler]) -> None:
    """Runs one task to its end and writes how it ended."""

    async def take(tx: WriteSession) -> tuple[Task, str] | None:
        run = await repository.take(tx, identifier, now=utc_now())
        return None if run is None else (Task(run.id, run.arguments, run.attempts, database), run.kind)

    taken = await database.write(take)
    if taken is None:
        return
    task, kind = taken
    values = await _outcome(task, kind, handlers)

    async def finish(tx: WriteSession) -> bool:
        return await repository.change(
            tx, task.id, attempt=task.attempt, values={**values, "finished_at": utc_now()}
        )

    in_charge = await database.write(finish)
    log.info(
        "task", kind=kind, task=str(task.id), attempt=task.attempt, state=values["state"], kept=in_charge
    )


async def _outcome(task: Task, kind: str, handlers: Mapping[str, Handler]) -> dict[str, Any]:
    try:
        result = await handlers[kind](task)
    except OUTAGES:
        # Nobody's fault and soon over: the queue tries again.
        raise
    except AssayError as error:
        return {"state": TaskState.FAILED, "error": error.message, "error_code": error.code}
    except Exception:
        # The edge of the worker: whatever went wrong must end in the row, or the task would look alive.
        log.exception("task_failed", kind=kind, task=str(task.id))
        return {
            "state": TaskState.FAILED,
            "error": f"an error inside Assay; the server's log has the details under task {task.id}",
            "error_code": "internal_error",
        }
    return {"state": TaskState.COMPLETED, "progress": 1.0, "note": "done", "result": result}


def _queue(settings: Settings, url: str) -> procrastinate.App:
    connector = PsycopgConnector(
        conninfo=libpq_url(url),
        kwargs=connection_arguments(settings.database_schema),
        min_size=1,
        max_size=settings.worker_concurrency + 2,
        timeout=settings.database_pool_timeout_seconds,
        # The pause between attempts doubles until this gives up; the next request begins with a short one.
        reconnect_timeout=RECONNECT_SECONDS,
    )
    return procrastinate.App(connector=connector)


async def _work_forever(queue: procrastinate.App, settings: Settings) -> None:
    while True:
        try:
            await _work(queue, settings)
            log.warning("worker_ended")
        except Exception as error:  # noqa: BLE001 — whatever it was, a server without its worker is worse
            log.warning("worker_failed", error=str(error).strip(), cause=str(error.__cause__).strip())
        if (own := asyncio.current_task()) is not None and own.cancelling():
            # It failed while it stopped.
            return
        # Lost its connection, or was silent for so long that another worker took it for dead.
        await asyncio.sleep(RESTART_SECONDS)


async def _work(queue: procrastinate.App, settings: Settings) -> None:
    await queue.run_worker_async(
        queues=[repository.QUEUE],
        concurrency=settings.worker_concurrency,
        install_signal_handlers=False,
        update_heartbeat_interval=settings.worker_heartbeat_seconds,
        stalled_worker_timeout=settings.worker_stalled_seconds,
        shutdown_graceful_timeout=settings.shutdown_grace_seconds,
        fetch_job_polling_interval=POLL_SECONDS,
        delete_jobs=DeleteJobCondition.SUCCESSFUL,
    )


async def _rescue_forever(queue: procrastinate.App, settings: Settings) -> None:
    while True:
        try:
            await _rescue(queue, settings.worker_stalled_seconds)
        except ConnectorException as error:
            # The database may be restarting; the next round tries again.
            log.warning("rescue_failed", error=str(error))
        await asyncio.sleep(settings.worker_stalled_seconds / 2)


async def _rescue(queue: procrastinate.App, silence_seconds: float) -> None:
    stalled = await queue.job_manager.get_stalled_jobs(
        queue=repository.QUEUE, seconds_since_heartbeat=silence_seconds
    )
    for job in stalled:
        log.warning("task_taken_up_again", job=job.id)
        await queue.job_manager.retry_job(job)


async def _stop(task: asyncio.Task[None], *, within_seconds: float) -> None:
    # Asked twice: a worker that waits for a database that is away would wait longer than anybody does for us.
    for seconds in (within_seconds, UNREGISTER_SECONDS):
        task.cancel()
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return
    log.warning("worker_left_behind")
