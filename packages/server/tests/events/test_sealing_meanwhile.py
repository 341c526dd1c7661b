"""Senders, a sealer and readers at the same time: what was acknowledged is always read, and once."""

import asyncio
from collections import Counter

import pytest

from assay.core.database import open_database
from assay.events import buffer, sealing
from lake_support import DAY, NOON, Lake, events

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("lake_url", [None])]


async def test_readers_see_all_that_was_acknowledged_while_slots_are_emptied(lake: Lake) -> None:
    acknowledged: list[str] = []
    sending = asyncio.gather(keep_sending(lake, acknowledged, 0), keep_sending(lake, acknowledged, 10_000))
    sealing_ = asyncio.create_task(keep_sealing(lake))

    while not sending.done():
        before = set(acknowledged)
        read = Counter(await lake.ids())
        assert before <= set(read)
        assert max(read.values(), default=1) == 1
    await sending
    await sealing_
    await lake.seal()

    assert sorted(await lake.ids()) == sorted(acknowledged)
    assert await lake.one("SELECT sealed FROM event_tally") == len(acknowledged)


async def test_a_second_sealer_that_comes_late_changes_nothing(lake: Lake) -> None:
    await lake.send(events(5))
    other = open_database(lake.settings, lake.url)
    late = sealing.Sealer(lake.settings, other, lake.url)
    async with lake.database.reading() as tx:
        assert await buffer.closed_slot(tx) is None
    closed = await lake.database.write(lambda tx: buffer.close_slot(tx, now=NOON))

    await lake.seal()
    async with other.writing() as tx:
        with pytest.raises(buffer.SealedBySomebodyElse):
            await buffer.record(tx, closed, [], now=NOON)
    await sealing.seal_if_due(late, now=NOON)
    await other.close()

    assert len(await lake.ids()) == 5


async def keep_sending(lake: Lake, acknowledged: list[str], first: int) -> None:
    """Another replica: a pool of its own, batch after batch, each of them twice."""
    replica = Lake(lake.settings, open_database(lake.settings, lake.url), lake.url, lake.environment_id)
    for start in range(first, first + 300, 10):
        batch = events(10, start=start)
        await replica.send(batch)
        acknowledged += [str(event.id) for event in batch]
        await replica.send(batch)
    await replica.database.close()


async def keep_sealing(lake: Lake) -> None:
    async with buffer.leading(lake.database):
        for _ in range(3):
            await sealing.seal_all(lake.sealer, now=NOON + 300 * DAY)
