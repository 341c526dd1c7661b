"""Merging, expiry, sweeping and forgetting: the facts that remain are the facts that were."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from assay.events import buffer, forgetting, upkeep
from assay.events.lake import table
from assay.events.lake.place import place_of
from assay.events.lake.table import DataFile
from lake_support import DAY, NOON, Lake, an_event, an_exposure, events

pytestmark = pytest.mark.anyio
TODAY = date(2026, 11, 10)
ON_DISK = pytest.mark.parametrize("lake_url", [None])


async def sealed_in_parts(lake: Lake, parts: int, *, rows: int = 5) -> None:
    for part in range(parts):
        await lake.send(events(rows, start=part * rows, value=1.0))
        await lake.seal()


async def tidied(lake: Lake, *, days: int = 0, retention_days: int = 0) -> None:
    settings = lake.settings.model_copy(update={"event_retention_days": retention_days})
    async with buffer.leading(lake.database) as leads:
        assert leads
        await upkeep.tidy(settings, lake.database, now=NOON + days * DAY)


async def forgotten(lake: Lake, unit: str) -> tuple[int, int]:
    async with buffer.leading(lake.database):
        gone = await forgetting.forget(lake.settings, lake.database, lake.environment_id, unit, now=NOON)
    return gone.buffered, gone.sealed


def known_files(lake: Lake) -> list[DataFile]:
    known = table.find(place_of(lake.settings, lake.environment_id))
    return [] if known is None else table.files(known)


def files_on_disk(lake: Lake) -> list[Path]:
    return list(Path(place_of(lake.settings, lake.environment_id).path).rglob("day=*/*.parquet"))


def stored_text(lake: Lake) -> bytes:
    folder = Path(place_of(lake.settings, lake.environment_id).path)
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_merging_changes_no_row(lake: Lake) -> None:
    await sealed_in_parts(lake, 3)
    before = await lake.rows()

    await tidied(lake, days=3)

    assert len(known_files(lake)) == 1
    assert await lake.one("SELECT files FROM lake_table") == 1
    assert await lake.rows() == before


@ON_DISK
async def test_a_repeat_is_recognised_after_merging(lake: Lake) -> None:
    await sealed_in_parts(lake, 2)
    await tidied(lake, days=3)

    await lake.send(events(12))
    await lake.seal()

    assert len(await lake.ids()) == 12


@ON_DISK
async def test_days_beyond_the_retention_are_dropped_whole(lake: Lake) -> None:
    await lake.send([an_event(str(day), NOON + day * DAY) for day in range(5)])
    await lake.seal()

    await tidied(lake, days=4, retention_days=2)

    assert await lake.ids() == ["2", "3", "4"]
    assert await lake.one("SELECT rows FROM lake_table") == 3


@ON_DISK
async def test_sweeping_leaves_what_readers_need(lake: Lake) -> None:
    await sealed_in_parts(lake, 3)
    # Files go by the machine's own clock, a day after they were replaced.
    await tidied(lake, days=(datetime.now(UTC) - NOON).days)
    before = await lake.rows()

    async with buffer.leading(lake.database):
        await upkeep.sweep(lake.settings, lake.database)

    assert await lake.rows() == before
    assert len(files_on_disk(lake)) == 4


async def test_a_forgotten_unit_is_gone_and_the_others_stay(lake: Lake) -> None:
    await lake.send([an_event("1", unit="gone"), an_event("2"), an_exposure("3", unit="gone")])
    await lake.seal()
    await lake.send([an_event("4", unit="gone"), an_event("5")])

    counted = await forgotten(lake, "gone")

    assert counted == (1, 2)
    assert await lake.ids() == ["2", "5"]
    assert await forgotten(lake, "gone") == (0, 0)
    assert await lake.one("SELECT count(*) FROM event_recent WHERE unit = 'gone'") == 0


@ON_DISK
async def test_nothing_on_disk_names_a_forgotten_unit(lake: Lake) -> None:
    await lake.send([an_event("1", unit="erika.mustermann"), an_event("2", unit="stays")])
    await lake.seal()
    assert b"erika.mustermann" in stored_text(lake)

    await forgotten(lake, "erika.mustermann")

    assert b"erika.mustermann" not in stored_text(lake)
    assert b"stays" in stored_text(lake)


@ON_DISK
async def test_a_unit_that_is_alone_in_its_file_takes_the_file_along(lake: Lake) -> None:
    await lake.send([an_event("1", unit="gone")])
    await lake.seal()

    await forgotten(lake, "gone")

    assert known_files(lake) == []
    assert await lake.ids() == []


def a_file(rows: int, *, age_days: int = 0, number: int = 0) -> DataFile:
    return DataFile(f"{age_days}-{number}.parquet", date.fromordinal(TODAY.toordinal() - age_days), rows, 1)


def test_small_files_of_settled_days_are_merged() -> None:
    files = [a_file(10, age_days=5, number=number) for number in range(2)] + [a_file(200_000, age_days=5)]

    chosen = upkeep.mergeable(files, today=TODAY)

    assert [file.rows for file in chosen] == [10, 10]


def test_a_young_day_waits_until_it_has_many_files() -> None:
    few = [a_file(10, number=number) for number in range(7)]

    assert upkeep.mergeable(few, today=TODAY) == []
    assert len(upkeep.mergeable([*few, a_file(10, number=7)], today=TODAY)) == 8


def test_large_files_are_left_alone() -> None:
    files = [a_file(1_000_000, age_days=5, number=number) for number in range(20)]

    assert upkeep.mergeable(files, today=TODAY) == []


def test_without_a_retention_nothing_expires() -> None:
    files = [a_file(1, age_days=age) for age in (0, 30, 31, 4000)]

    assert upkeep.expired(files, today=TODAY, retention_days=0) == []
    assert upkeep.expired(files, today=TODAY, retention_days=30) == files[2:]
