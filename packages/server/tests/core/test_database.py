"""Sessions, transactions and retries, on a real PostgreSQL."""

import asyncio
import socket
import struct
import threading

import psycopg
import pytest
from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from assay.core.config import Settings
from assay.core.database import (
    MAX_ATTEMPTS,
    Database,
    DatabaseUnusable,
    InvalidDatabaseUrl,
    WriteSession,
    explained,
    is_transient,
    libpq_url,
    retry_transient,
    sqlalchemy_url,
    wait_while_starting,
)
from assay.core.dependencies import RetryingRoute, Writes
from assay.main import build_app
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio


async def _make_pair(database: Database, name: str) -> None:
    async with database.writing() as tx:
        await tx.execute(text(f"CREATE TABLE {name} (id int PRIMARY KEY, value int NOT NULL)"))
        await tx.execute(text(f"INSERT INTO {name} VALUES (1, 0), (2, 0)"))  # noqa: S608 — a name of this file


async def _drop(database: Database, name: str) -> None:
    async with database.writing() as tx:
        await tx.execute(text("SET LOCAL lock_timeout = '5s'"))
        await tx.execute(text(f"DROP TABLE IF EXISTS {name}"))


async def _create_and_fail(database: Database) -> None:
    async with database.writing() as tx:
        await tx.execute(text("CREATE TABLE half (id int)"))
        raise ZeroDivisionError


async def test_a_reading_session_cannot_write(committing_database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with committing_database.reading() as tx:
            await tx.execute(text("CREATE TABLE never (id int)"))


async def test_a_block_that_fails_leaves_no_trace(committing_database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await _create_and_fail(committing_database)

    async with committing_database.reading() as tx:
        assert await tx.scalar(text("SELECT to_regclass('half')")) is None


async def test_a_serialization_failure_runs_the_whole_block_again(committing_database: Database) -> None:
    await _make_pair(committing_database, "skew")
    both_have_read = asyncio.Barrier(2)
    have_read: set[int] = set()

    async def take_the_last(mine: int) -> None:
        async def work(tx: WriteSession) -> None:
            total = await tx.scalar(text("SELECT sum(value) FROM skew"))
            if mine not in have_read:
                have_read.add(mine)
                await both_have_read.wait()
            if total == 0:
                await tx.execute(text("UPDATE skew SET value = 1 WHERE id = :id"), {"id": mine})

        await committing_database.write(work, isolation="SERIALIZABLE")

    try:
        await asyncio.gather(take_the_last(1), take_the_last(2))
        async with committing_database.reading() as tx:
            assert await tx.scalar(text("SELECT sum(value) FROM skew")) == 1
    finally:
        await _drop(committing_database, "skew")


async def test_a_deadlock_is_resolved_by_running_again(committing_database: Database) -> None:
    await _make_pair(committing_database, "dead")
    both_hold_one = asyncio.Barrier(2)
    waited: set[int] = set()

    async def lock_both(first: int, second: int) -> None:
        async def work(tx: WriteSession) -> None:
            lock = text("UPDATE dead SET value = value + 1 WHERE id = :id")
            await tx.execute(lock, {"id": first})
            if first not in waited:
                waited.add(first)
                await both_hold_one.wait()
            await tx.execute(lock, {"id": second})

        await committing_database.write(work)

    try:
        await asyncio.gather(lock_both(1, 2), lock_both(2, 1))
        async with committing_database.reading() as tx:
            assert (await tx.scalars(text("SELECT value FROM dead ORDER BY id"))).all() == [2, 2]
    finally:
        await _drop(committing_database, "dead")


async def test_retries_are_bounded() -> None:
    runs = 0

    async def always_fails() -> None:
        nonlocal runs
        runs += 1
        raise DBAPIError("UPDATE", {}, psycopg.errors.SerializationFailure())

    with pytest.raises(DBAPIError):
        await retry_transient(always_fails)

    assert runs == MAX_ATTEMPTS


async def test_other_failures_are_not_retried() -> None:
    runs = 0

    async def fails() -> None:
        nonlocal runs
        runs += 1
        raise DBAPIError("INSERT", {}, psycopg.errors.UniqueViolation())

    with pytest.raises(DBAPIError):
        await retry_transient(fails)

    assert runs == 1


async def test_a_commit_that_fails_is_not_answered_with_success(
    settings: Settings, committing_database: Database
) -> None:
    """Goes red when the session's scope is the request: the 201 would leave before the commit fails."""
    async with committing_database.writing() as tx:
        await tx.execute(text("CREATE TABLE parent (id int PRIMARY KEY)"))
        await tx.execute(text("CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"))
    router = APIRouter(route_class=RetryingRoute)

    @router.post("/orphan", status_code=201)
    async def orphan(tx: Writes) -> dict[str, bool]:
        await tx.execute(text("INSERT INTO child VALUES (404)"))
        return {"stored": True}

    app = build_app(settings, lambda: borrowed(committing_database))
    app.include_router(router)
    try:
        async with serving(app) as client:
            answer = await client.post("/orphan")
    finally:
        await _drop(committing_database, "child")
        await _drop(committing_database, "parent")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_endpoint_is_run_again_as_a_whole_with_its_body(
    settings: Settings, committing_database: Database
) -> None:
    router = APIRouter(route_class=RetryingRoute)
    bodies: list[dict[str, int]] = []

    @router.post("/fragile")
    async def fragile(body: dict[str, int], tx: Writes) -> dict[str, int]:
        bodies.append(body)
        if len(bodies) < 3:
            await tx.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))
        return body

    app = build_app(settings, lambda: borrowed(committing_database))
    app.include_router(router)
    async with serving(app) as client:
        answer = await client.post("/fragile", json={"n": 1})

    assert answer.status_code == 200
    assert bodies == [{"n": 1}] * 3


def test_only_postgresql_urls_are_taken() -> None:
    with pytest.raises(InvalidDatabaseUrl, match="'sqlite' is not supported"):
        sqlalchemy_url("sqlite:///x.db")


def test_an_unreadable_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidDatabaseUrl) as failure:
        sqlalchemy_url("hunter2 is my password")

    assert "hunter2" not in failure.value.message


def test_the_url_keeps_its_parts_for_libpq() -> None:
    assert libpq_url("postgresql+psycopg://me:s%40crt@db:5433/x") == "postgresql://me:s%40crt@db:5433/x"


def test_only_postgresqls_own_request_counts_as_transient() -> None:
    assert is_transient(psycopg.errors.DeadlockDetected())
    assert not is_transient(ValueError("40001"))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            ProgrammingError("CREATE", {}, psycopg.errors.InsufficientPrivilege("permission denied for x")),
            r"database postgresql://me:\*\*\*@h/x cannot be used: permission denied for x; mend",
        ),
        (
            OperationalError("", {}, psycopg.OperationalError("no route\nto host")),
            "be used: no route; mend",
        ),
    ],
)
def test_what_an_administrator_can_mend_is_one_sentence_without_a_password(
    error: DBAPIError, sentence: str
) -> None:
    with pytest.raises(DatabaseUnusable, match=sentence), explained("postgresql://me:secret@h/x"):
        raise error


def test_an_error_of_our_own_is_not_explained_away() -> None:
    ours = ProgrammingError("SELEC", {}, psycopg.errors.SyntaxError("at SELEC"))

    with pytest.raises(ProgrammingError), explained("postgresql://me:secret@h/x"):
        raise ours


def test_a_database_that_is_starting_is_waited_for_until_it_no_longer_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        times = threading.Thread(target=_say_starting, args=(listener, 3))
        times.start()

        wait_while_starting(f"postgresql://me@127.0.0.1:{listener.getsockname()[1]}/x?sslmode=disable")

        times.join()


def test_a_database_that_never_finishes_starting_is_waited_for_only_so_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        times = threading.Thread(target=_say_starting, args=(listener, 1))
        times.start()

        wait_while_starting(
            f"postgresql://me@127.0.0.1:{listener.getsockname()[1]}/x?sslmode=disable", within_seconds=0
        )

        times.join()


def _say_starting(listener: socket.socket, times: int) -> None:
    """Answers as PostgreSQL does while it replays its log, so many times, and then no more."""
    fields = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
    for _ in range(times):
        with listener.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)
    listener.close()
