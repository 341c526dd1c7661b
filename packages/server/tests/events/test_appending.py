"""Adding events to the buffer: each once, whoever else adds the same at the same moment."""

import asyncio
import random

import pytest
from sqlalchemy import text

from assay.core.database import open_database
from assay.events import ingest, service
from assay.events.ingest import Arrival
from lake_support import DAY, NOON, Lake, events

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("lake_url", [None])]
NOW = NOON + 300 * DAY


async def test_events_known_in_either_slot_are_told_from_new_ones(lake: Lake) -> None:
    await lake.send(events(10))
    async with lake.database.writing() as tx:
        await tx.execute(text("UPDATE event_buffer SET slot = 1 - slot"))
    await lake.send(events(10, start=10))

    known = await store(lake, 0, 30)

    assert known == {f"{number:06}" for number in range(20)}
    assert await lake.one("SELECT count(*) FROM event") == 30


async def test_one_repeat_among_many_loses_none_of_the_others(lake: Lake) -> None:
    await lake.send(events(1, start=999))

    assert await store(lake, 0, 1_000) == {"000999"}
    assert await lake.one("SELECT count(*) FROM event") == 1_000


async def test_writers_of_the_same_events_agree_who_was_first(lake: Lake) -> None:
    rng = random.Random(7)
    spans = [(rng.randrange(300), rng.randrange(1, 200)) for _ in range(40)]

    answers = await asyncio.gather(*(keep_storing(lake, spans[number::4]) for number in range(4)))

    new = [name for stored in answers for name in stored]
    covered = {f"{number:06}" for start, count in spans for number in range(start, start + count)}
    assert sorted(new) == sorted(covered)
    assert await lake.one("SELECT count(*) FROM event") == len(covered)
    assert await lake.one("SELECT accepted FROM event_tally") == len(covered)


async def keep_storing(lake: Lake, spans: list[tuple[int, int]]) -> list[str]:
    """A process of its own: what it was told is new, over all its batches."""
    database = open_database(lake.settings, lake.url)
    own = Lake(lake.settings, database, lake.url, lake.environment_id)
    new: list[str] = []
    for start, count in spans:
        known = await store(own, start, count)
        new += [str(event.id) for event in events(count, start=start) if str(event.id) not in known]
    await database.close()
    return new


async def store(lake: Lake, start: int, count: int) -> set[str]:
    """Stores events with these numbers; returns those that were known."""
    batch = ingest.sort(events(count, start=start), now=NOW, max_ahead=DAY)
    arrival = Arrival(lake.environment_id, batch)
    (known,) = await lake.database.write(lambda tx: service.store_together(tx, [arrival], now=NOW))
    return known
