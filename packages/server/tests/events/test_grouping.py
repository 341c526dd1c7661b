"""Group commit: batches share transactions, fail alone, and wait within bounds."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from assay.core.database import Database, WriteSession
from assay.events.errors import TooMuchWaiting
from assay.events.grouping import Committer, committing
from assay.events.ingest import Row, Sorted
from assay.projects import service as projects
from assay.projects.schemas import EnvironmentCreate

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Watched(Database):
    """A database that counts its transactions, and holds them back while it is told to."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.transactions = 0
        self.is_away = False
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, work: Any, **options: Any) -> Any:
        await self.open.wait()
        self.transactions += 1
        if self.is_away:
            raise OperationalError("COPY", None, Exception("the server closed the connection"))
        return await self._inner.write(work, **options)


def a_row(identifier: str, *, properties: str | None = None) -> Row:
    return Row(identifier, "event", "order", "u", None, NOW, None, 1.0, properties)


def a_batch(*identifiers: str) -> Sorted:
    return Sorted([a_row(each) for each in identifiers])


@asynccontextmanager
async def watched(
    database: Database, *, max_events: int = 1_000
) -> AsyncGenerator[tuple[Watched, Committer, uuid.UUID]]:
    async with database.reading() as tx:
        place = (await projects.get_environment(tx, "default", "production")).id
    inner = Watched(database)
    async with committing(inner, max_events=max_events, max_bytes=1_000) as committer:
        yield inner, committer, place


async def test_what_arrives_meanwhile_shares_one_transaction(database: Database) -> None:
    async with watched(database) as (inner, committer, place):
        inner.open.clear()
        stores = [asyncio.create_task(committer.store(place, a_batch(str(n), "shared"))) for n in range(20)]
        await asyncio.sleep(0)
        inner.open.set()
        known = await asyncio.gather(*stores)

    assert inner.transactions <= 2
    assert known == [set()] + [{"shared"}] * 19


async def test_a_batch_that_cannot_be_stored_fails_alone(database: Database) -> None:
    poison = Sorted([a_row("bad", properties="\x00")])
    async with watched(database) as (inner, committer, place):
        inner.open.clear()
        stores = [committer.store(place, each) for each in (a_batch("1"), poison, a_batch("2"))]
        waiting = asyncio.gather(*stores, return_exceptions=True)
        await asyncio.sleep(0)
        inner.open.set()
        first, bad, second = await waiting

    assert first == second == set()
    assert isinstance(bad, DBAPIError)


async def test_while_the_database_is_away_nobody_is_told_that_events_are_stored(database: Database) -> None:
    async with watched(database) as (inner, committer, place):
        inner.is_away = True
        with pytest.raises(OperationalError):
            await committer.store(place, a_batch("1"))
        inner.is_away = False

        assert await committer.store(place, a_batch("1")) == set()


async def test_beyond_a_bound_nothing_more_is_taken_on(database: Database) -> None:
    async with watched(database, max_events=3) as (inner, committer, place):
        inner.open.clear()
        stores = [asyncio.create_task(committer.store(place, a_batch(str(n)))) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TooMuchWaiting, match="3 events wait"), committer.room(1):
            pass
        inner.open.set()
        await asyncio.gather(*stores)

        with committer.room(1):
            assert committer.waiting_events == 0


async def test_requests_that_are_being_read_are_bounded_by_their_bytes(database: Database) -> None:
    async with watched(database) as (_, committer, _place):
        full = pytest.raises(TooMuchWaiting, match="requests of 600 bytes are being taken in already")
        with committer.room(600), full, committer.room(401):
            pass
        with committer.room(5_000):
            assert committer.open_bytes == 5_000


async def test_what_waits_at_the_end_is_stored(database: Database) -> None:
    async with watched(database) as (inner, committer, place):
        inner.open.clear()
        stores = [asyncio.create_task(committer.store(place, a_batch(str(n)))) for n in range(3)]
        await asyncio.sleep(0)
        inner.open.set()

    assert await asyncio.gather(*stores) == [set[str]()] * 3


async def test_who_has_gone_disturbs_nobody(database: Database) -> None:
    async with watched(database) as (inner, committer, place):
        inner.open.clear()
        gone, stays = (asyncio.create_task(committer.store(place, a_batch(name))) for name in ("1", "2"))
        await asyncio.sleep(0)
        gone.cancel()
        inner.open.set()

        assert await stays == set()


async def test_events_of_several_environments_share_a_transaction(database: Database) -> None:
    async def other(tx: WriteSession) -> uuid.UUID:
        made = await projects.create_environment(tx, "default", EnvironmentCreate(key="staging", name="S"))
        return made.id

    async with watched(database) as (inner, committer, place):
        staging = await database.write(other)
        inner.open.clear()
        stores = [
            asyncio.create_task(committer.store(each, a_batch("1"))) for each in (place, staging, place)
        ]
        await asyncio.sleep(0)
        inner.open.set()

        assert await asyncio.gather(*stores) == [set(), set(), {"1"}]

    async with database.reading() as tx:
        tallies = await tx.execute(text("SELECT accepted, repeated FROM event_tally ORDER BY repeated"))
        assert [tuple(row) for row in tallies] == [(1, 0), (1, 1)]
