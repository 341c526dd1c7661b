"""Begin, poll, result; and workers that die."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import Database, WriteSession
from assay.jobs import repository, service
from assay.jobs.errors import NotFinished, TaskFailed, TaskNotFound
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.jobs.worker import POLL_SECONDS, RESTART_SECONDS, Handler, Task, perform, running_worker
from assay.shared.errors import Invalid

pytestmark = pytest.mark.anyio


async def begin(database: Database, *, kind: str = "test", key: str | None = None) -> TaskOut:
    async def work(tx: WriteSession) -> TaskOut:
        chosen = key or str(uuid.uuid4())
        return await service.begin(tx, kind=kind, key=chosen, subject="s", arguments={"n": 1}, now=utc_now())

    return await database.write(work)


async def poll(database: Database, task: TaskOut) -> TaskOut:
    async with database.reading() as tx:
        return await service.poll(tx, task.id)


async def finished(database: Database, task: TaskOut, within_seconds: float = 20.0) -> TaskOut:
    deadline = time.monotonic() + within_seconds
    while (found := await poll(database, task)).state not in {TaskState.COMPLETED, TaskState.FAILED}:
        assert time.monotonic() < deadline, f"still {found.state}: {found.note}"
        await asyncio.sleep(0.05)
    return found


async def double(task: Task) -> dict[str, Any]:
    await task.report(0.5, "half way")
    return {"twice": task.arguments["n"] * 2}


HANDLERS: dict[str, Handler] = {"test": double}


async def test_the_same_key_is_the_same_run(database: Database) -> None:
    first = await begin(database, key="once")
    second = await begin(database, key="once")

    assert first.id == second.id
    async with database.reading() as tx:
        queued = await tx.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE args->>'task_run_id' = :id"),
            {"id": str(first.id)},
        )
    assert queued == 1


async def _begin_and_fail(database: Database) -> None:
    async with database.writing() as tx:
        await service.begin(tx, kind="test", key="never", subject="s", arguments={}, now=utc_now())
        raise ZeroDivisionError


async def _queued(database: Database) -> int | None:
    async with database.reading() as tx:
        return await tx.scalar(text("SELECT count(*) FROM procrastinate_jobs"))


async def test_a_request_that_is_rolled_back_leaves_neither_run_nor_queue_entry(
    committing_database: Database,
) -> None:
    before = await _queued(committing_database)

    with pytest.raises(ZeroDivisionError):
        await _begin_and_fail(committing_database)

    assert await _queued(committing_database) == before
    async with committing_database.reading() as tx:
        assert await repository.by_key(tx, "never") is None


async def test_a_task_goes_from_pending_to_its_result(database: Database) -> None:
    task = await begin(database)
    assert task.state is TaskState.PENDING

    await perform(database, task.id, HANDLERS)

    async with database.reading() as tx:
        assert await service.result(tx, task.id) == {"twice": 2}
    done = await poll(database, task)
    assert (done.state, done.progress, done.attempts) == (TaskState.COMPLETED, 1.0, 1)


async def test_there_is_no_result_before_the_end(database: Database) -> None:
    task = await begin(database)

    async with database.reading() as tx:
        with pytest.raises(NotFinished, match="is PENDING"):
            await service.result(tx, task.id)


async def test_a_refusal_of_the_domain_is_the_tasks_error(database: Database) -> None:
    async def refuses(_task: Task) -> dict[str, Any]:
        raise Invalid("the table has no column 'x'")

    task = await begin(database)
    await perform(database, task.id, {"test": refuses})

    async with database.reading() as tx:
        with pytest.raises(TaskFailed, match="no column 'x'"):
            await service.result(tx, task.id)


async def test_an_unexpected_error_ends_the_task_without_its_details(database: Database) -> None:
    async def breaks(_task: Task) -> dict[str, Any]:
        raise RuntimeError("password=hunter2")

    task = await begin(database)
    await perform(database, task.id, {"test": breaks})

    failed = await poll(database, task)
    assert failed.state is TaskState.FAILED
    assert failed.error is not None
    assert "hunter2" not in failed.error
    assert str(task.id) in failed.error


async def test_a_finished_task_is_not_run_again(database: Database) -> None:
    runs = 0

    async def counts(_task: Task) -> dict[str, Any]:
        nonlocal runs
        runs += 1
        return {}

    task = await begin(database)
    for _ in range(2):
        await perform(database, task.id, {"test": counts})

    assert runs == 1


async def test_a_worker_taken_for_dead_cannot_overwrite_its_successor(database: Database) -> None:
    task = await begin(database)

    async def sleeps_while_another_takes_over(mine: Task) -> dict[str, Any]:
        if mine.attempt == 1:
            await perform(database, mine.id, {"test": sleeps_while_another_takes_over})
        return {"by": mine.attempt}

    await perform(database, task.id, {"test": sleeps_while_another_takes_over})

    async with database.reading() as tx:
        assert await service.result(tx, task.id) == {"by": 2}


async def test_an_unknown_task_is_not_found(database: Database) -> None:
    async with database.reading() as tx:
        with pytest.raises(TaskNotFound):
            await service.poll(tx, uuid.uuid4())


async def test_a_worker_takes_tasks_from_the_queue(
    settings: Settings, committing_database: Database, database_url: str
) -> None:
    async with running_worker(settings, committing_database, database_url, HANDLERS):
        task = await begin(committing_database)
        done = await finished(committing_database, task)

    assert done.state is TaskState.COMPLETED


VICTIM = """
import asyncio, sys
from pathlib import Path
from assay.core.config import Settings
from assay.core.database import open_database
from assay.jobs.worker import running_worker

async def hangs(task):
    Path(sys.argv[2]).touch()
    await asyncio.sleep(3600)

async def main():
    settings = Settings.model_validate({"worker_heartbeat_seconds": 0.2, "worker_stalled_seconds": 1.0})
    database = open_database(settings, sys.argv[1])
    async with running_worker(settings, database, sys.argv[1], {"killed": hangs}) as worker:
        await worker

asyncio.run(main())
"""


async def test_a_task_survives_the_death_of_its_worker(
    settings: Settings, committing_database: Database, database_url: str, tmp_path: Path
) -> None:
    task = await begin(committing_database, kind="killed")
    started = tmp_path / "started"
    with subprocess.Popen([sys.executable, "-c", VICTIM, database_url, str(started)]) as victim:  # noqa: ASYNC220 — the test waits for it below
        deadline = time.monotonic() + 60
        while not started.exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        os.kill(victim.pid, signal.SIGKILL)

    impatient = settings.model_copy(update={"worker_heartbeat_seconds": 0.2, "worker_stalled_seconds": 1.0})
    async with running_worker(impatient, committing_database, database_url, {"killed": double}):
        done = await finished(committing_database, task)

    assert (done.state, done.attempts) == (TaskState.COMPLETED, 2)


async def test_a_worker_taken_for_dead_begins_anew(
    settings: Settings, committing_database: Database, database_url: str
) -> None:
    async with running_worker(settings, committing_database, database_url, HANDLERS):
        await finished(committing_database, await begin(committing_database))
        async with committing_database.writing() as tx:
            await tx.execute(text("DELETE FROM procrastinate_workers"))

        done = await finished(committing_database, await begin(committing_database))

    assert done.state is TaskState.COMPLETED


async def test_a_worker_hears_of_work_again_after_its_connections_broke(
    settings: Settings, committing_database: Database, database_url: str
) -> None:
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'assay'"
    )
    async with running_worker(settings, committing_database, database_url, HANDLERS):
        await finished(committing_database, await begin(committing_database))
        async with committing_database.writing() as tx:
            await tx.execute(others)
        await asyncio.sleep(2 * RESTART_SECONDS)

        waits = [await _seconds_to_finish(committing_database) for _ in range(3)]

    assert max(waits) < 3 * POLL_SECONDS


async def _seconds_to_finish(database: Database) -> float:
    started = time.monotonic()
    await finished(database, await begin(database))
    return time.monotonic() - started


async def test_a_task_that_meets_an_outage_is_tried_again(
    settings: Settings, committing_database: Database, database_url: str
) -> None:
    async def unlucky_once(task: Task) -> dict[str, Any]:
        if task.attempt == 1:
            raise OperationalError("SELECT 1", {}, psycopg.OperationalError("the connection is lost"))
        return await double(task)

    async with running_worker(settings, committing_database, database_url, {"test": unlucky_once}):
        done = await finished(committing_database, await begin(committing_database))

    assert (done.state, done.attempts) == (TaskState.COMPLETED, 2)
