"""Events in the buffer, in the lake, and in both: each is read once."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from assay.events import buffer, sealing, service
from assay.events.lake import table
from assay.events.lake.place import place_of
from lake_support import DAY, NOON, Lake, an_event, an_exposure, events

pytestmark = pytest.mark.anyio


async def test_sealing_changes_no_row(lake: Lake) -> None:
    sent = [
        an_event("1", value=1.5, properties={"plan": "pro", "n": 3}),
        an_event("2", NOON - 3 * DAY),
        an_exposure("3", variant="b"),
        an_event("4", name="other"),
        an_exposure("5", experiment="another"),
    ]
    await lake.send(sent)
    before = await lake.rows()

    sealed = await lake.seal()

    assert sealed == 5
    assert await lake.one("SELECT count(*) FROM event") == 0
    assert [row["event_id"] for row in before] == ["1", "2", "3"]
    assert await lake.rows() == before
    assert before[0]["at"] == NOON
    assert before[0]["properties"] == '{"plan":"pro","n":3}'


async def test_what_comes_after_sealing_is_read_beside_it(lake: Lake) -> None:
    await lake.send(events(3))
    await lake.seal()

    await lake.send(events(2, start=3))

    assert len(await lake.ids()) == 5
    await lake.seal()
    assert len(set(await lake.ids())) == len(await lake.ids()) == 5


async def test_a_repeat_of_a_sealed_event_counts_once_before_and_after_it_is_sealed(lake: Lake) -> None:
    await lake.send(events(3))
    await lake.seal()

    accepted = await lake.send([*events(3, value=99.0), an_event("new")])
    between = await lake.rows()
    await lake.seal()

    assert accepted == 4
    assert await lake.rows() == between
    assert [row["value"] for row in between] == [None] * 4
    assert await lake.one("SELECT sealed FROM event_tally") == 4
    assert await lake.one("SELECT sealed_repeated FROM event_tally") == 3


@pytest.mark.parametrize(("days", "read"), [(1, 1), (-1, 1), (2, 2)])
async def test_an_identifier_is_one_event_within_a_day(lake: Lake, days: int, read: int) -> None:
    await lake.send([an_event("1")])
    await lake.seal()

    await lake.send([an_event("1", NOON + days * DAY)])
    unsealed = await lake.ids()
    await lake.seal()

    assert unsealed == await lake.ids() == ["1"] * read


async def test_a_repeat_across_slots_is_seen_when_it_is_sent(lake: Lake) -> None:
    await lake.send(events(3))
    async with lake.database.writing() as tx:
        await buffer.close_slot(tx, now=NOON)

    accepted = await lake.send(events(4))

    assert accepted == 1
    assert len(await lake.ids()) == 4


async def test_only_the_days_asked_for_are_read(lake: Lake) -> None:
    for day in range(4):
        await lake.send([an_event(str(day), NOON + day * DAY)])
    await lake.seal()
    await lake.send([an_event("fresh", NOON + 9 * DAY)])

    rows = await lake.rows(since=NOON + DAY, until=NOON + 3 * DAY)

    assert [row["event_id"] for row in rows] == ["1", "2"]


async def test_environments_are_sealed_apart(lake: Lake) -> None:
    await lake.send(events(3))
    await lake.seal()

    other = place_of(lake.settings, lake.environment_id)
    sealed = table.find(other)

    assert sealed is not None
    assert table.size(sealed).rows == await lake.one("SELECT rows FROM lake_table") == 3


@pytest.mark.parametrize("lake_url", [None])
@pytest.mark.parametrize(("rows", "age_seconds", "due"), [(3, 0, False), (4, 0, True), (1, 301, True)])
async def test_a_slot_is_due_when_it_is_full_or_old(
    lake: Lake, rows: int, age_seconds: int, due: bool
) -> None:
    sealer = sealing.Sealer(lake.settings.model_copy(update={"event_seal_rows": 4}), lake.database, lake.url)
    await lake.send(events(rows), now=NOON + DAY)

    sealed = await sealing.seal_if_due(sealer, now=NOON + DAY + timedelta(seconds=age_seconds))

    assert sealed == (rows if due else 0)


@pytest.mark.parametrize("lake_url", [None])
async def test_one_process_leads(lake: Lake) -> None:
    async with buffer.leading(lake.database) as first, buffer.leading(lake.database) as second:
        assert first is not None
        assert second is None
    async with buffer.leading(lake.database) as again:
        assert again


async def test_units_of_recent_exposures_are_known_after_sealing(lake: Lake) -> None:
    await lake.send([an_exposure("1", unit="a", properties={"n": 1})], now=NOON + DAY)
    await lake.seal()
    await lake.send([an_exposure("2", unit="b"), an_exposure("3", unit="a", properties={"n": 2})])
    await lake.seal()

    async with lake.database.reading() as tx:
        recent = await service.recent_units(tx, lake.environment_id, limit=10)

    assert list(recent) == [("a", {"n": 2}), ("b", {})]


def test_the_steps_are_told_in_their_order() -> None:
    told: Sequence[str] = list(sealing.Step)

    assert told[0] == "closed"
    assert told[-1] == "recorded"
