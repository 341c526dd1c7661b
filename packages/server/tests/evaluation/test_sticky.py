"""Sticky splits: a unit keeps what it met first, in every process and under every ruleset."""

import uuid
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from assay.assignments import service as assignments
from assay.assignments.service import Kept, Met
from assay.core.config import Settings
from assay.core.database import Database, open_database
from assay.evaluation.keeping import Keeper
from assay.evaluation.snapshots import build
from assay.events import forgetting
from assay_engine import Context, loads
from delivery_support import EVALUATE, Place, Served, a_flag, datafile, started

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def a_sticky_flag(share: int = 5_000, *, version: int = 1, key: str = "form", **rule: Any) -> dict[str, Any]:
    """`on` for a share, `off` for the others, kept."""
    ranges = [{"low": 0, "high": share, "variant": "on"}, {"low": share, "high": 10_000, "variant": "off"}]
    split = {"salt": "s", "ranges": ranges, "experiment": "e", "sticky": {"version": version}}
    return a_flag(key, rules=[{"id": "r", "serve": {"split": split}} | rule])


async def ask(served: Served, place: Place, unit: str, key: str = "form", **attributes: Any) -> str:
    body = {"context": {"targetingKey": unit} | attributes}
    answer = await served.http.post(f"{EVALUATE}/{key}", params=place.query, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["variant"]


async def ask_all(served: Served, place: Place, unit: str, etag: str = "") -> Any:
    body = {"context": {"targetingKey": unit}}
    return await served.http.post(
        EVALUATE, params=place.query, json=body, headers={"If-None-Match": etag} if etag else {}
    )


async def stored(place: Place) -> dict[tuple[str, int], str]:
    query = "SELECT unit, version, variant FROM assignment WHERE environment_id = :id"
    async with place.database.reading() as tx:
        rows = await tx.execute(text(query), {"id": place.environment_id})
        return {(unit, version): variant for unit, version, variant in rows}


async def publish(served: Served, place: Place, *flags: dict[str, Any]) -> None:
    revision = await place.publish(*flags)
    await served.delivery.store.refresh()
    snapshot = served.delivery.store.loaded(place.environment_id)
    assert snapshot is None or snapshot.revision == revision


@contextmanager
def statements() -> Generator[list[str]]:
    """What is asked of the database while the block lasts."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
async def other(
    settings: Settings, committing_database: Database, database_url: str
) -> AsyncIterator[Served]:
    """Another process over the same database."""
    async with started(settings, committing_database, database_url) as running:
        yield running


async def test_a_unit_keeps_its_variant_whatever_the_shares_become_in_every_process(
    served: Served, other: Served, place: Place
) -> None:
    units = [f"u{number}" for number in range(12)]
    await publish(served, place, a_sticky_flag())
    first = {unit: await ask(served, place, unit) for unit in units}

    await publish(served, place, a_sticky_flag(10_000))
    await other.delivery.store.refresh()
    here = {unit: await ask(served, place, unit) for unit in units}
    there = {unit: await ask(other, place, unit) for unit in units}

    assert set(first.values()) == {"on", "off"}
    assert first == here == there
    assert await ask(other, place, "newcomer") == "on"


async def test_the_first_word_counts_when_two_processes_serve_different_rulesets(
    served: Served, other: Served, place: Place
) -> None:
    await publish(served, place, a_sticky_flag(10_000))
    assert await ask(served, place, "nobody") == "on"
    met = Met("e", "u", 1, "off", NOW)
    await place.database.write(lambda tx: assignments.settle(tx, place.environment_id, met))

    assert await ask(served, place, "u") == "off"
    assert await ask(other, place, "u") == "off"
    assert (await stored(place))["u", 1] == "off"


async def test_a_unit_that_leaves_the_targeting_stays_in(served: Served, place: Place) -> None:
    condition = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    flag = a_sticky_flag(0, condition=condition)
    await publish(served, place, flag)

    assert await ask(served, place, "u", plan="pro") == "off"
    assert await ask(served, place, "u", plan="free") == "off"
    assert await ask(served, place, "other", plan="free") == "on"
    assert list(await stored(place)) == [("u", 1)]


async def test_a_new_version_assigns_anew_and_a_minimum_leaves_out(served: Served, place: Place) -> None:
    await publish(served, place, a_sticky_flag(0))
    assert await ask(served, place, "u") == "off"

    await publish(served, place, a_sticky_flag(10_000, version=2))
    assert await ask(served, place, "u") == "on"

    left_out = a_sticky_flag(10_000, version=3)
    left_out["rules"][0]["serve"]["split"]["sticky"]["minimum"] = 3
    left_out["fallthrough"] = {"variant": "off"}
    await publish(served, place, left_out)
    assert await ask(served, place, "u") == "off"
    assert await ask(served, place, "newcomer") == "on"
    assert await stored(place) == {("u", 1): "off", ("u", 2): "on", ("newcomer", 3): "on"}


async def test_a_flag_that_depends_on_a_sticky_one_is_given_the_same_assignments(
    served: Served, place: Place
) -> None:
    child = a_flag(
        "child",
        rules=[
            {
                "id": "r",
                "serve": {"variant": "off"},
                "prerequisites": [{"flag": "form", "variants": ["off"]}],
            }
        ],
    )
    await publish(served, place, a_sticky_flag(0), child)
    assert await ask(served, place, "u") == "off"
    await publish(served, place, a_sticky_flag(10_000), child)

    assert await ask(served, place, "u", "child") == "off"
    assert await ask(served, place, "other", "child") == "on"


async def test_a_bulk_answer_has_the_assignments_and_another_tag_once_there_is_one(
    served: Served, place: Place
) -> None:
    await publish(served, place, a_sticky_flag(10_000))
    before = await ask_all(served, place, "u")
    met = Met("e", "u", 1, "off", NOW)
    await place.database.write(lambda tx: assignments.settle(tx, place.environment_id, met))
    after = await ask_all(served, place, "u", before.headers["etag"])

    assert (before.json()["flags"][0]["variant"], after.status_code) == ("on", 200)
    assert after.json()["flags"][0]["variant"] == "off"
    assert (await ask_all(served, place, "u", after.headers["etag"])).status_code == 304


async def test_assignments_cannot_be_brought_along(served: Served, place: Place) -> None:
    await publish(served, place, a_sticky_flag(10_000))

    forged: dict[str, Any] = {"$assignments": {"e#1": "off"}}
    assert await ask(served, place, "u", **forged) == "on"


async def test_flags_without_sticky_splits_ask_the_database_nothing(served: Served, place: Place) -> None:
    await publish(served, place, a_sticky_flag(), a_flag("plain"))
    await ask(served, place, "u", "plain")

    with statements() as seen:
        await ask(served, place, "u", "plain")
        assert seen == []
        await ask(served, place, "new", "form")
        assert any("INSERT INTO assignment" in statement for statement in seen)
        del seen[:]
        await ask(served, place, "new", "form")
        assert seen == []


async def test_exposures_that_arrive_as_events_settle_assignments(served: Served, place: Place) -> None:
    await publish(served, place, a_sticky_flag(10_000))
    kept = Kept(place.environment_id, "e", 1, ["on", "off"], None, NOW)
    await place.database.write(lambda tx: assignments.keep(tx, kept))

    def exposure(unit: str, variant: str, at: str = "2026-11-02T00:00:00Z") -> dict[str, Any]:
        return {"kind": "exposure", "experiment": "e", "variant": variant, "unit": unit, "at": at}

    late = exposure("late", "off", "2026-10-30T00:00:00Z")
    batch = [exposure("u", "off"), exposure("u", "on", "2026-11-03T00:00:00Z"), exposure("v", "?"), late]
    answer = await served.http.post("/api/v1/events", params=place.query, json=batch)
    assert answer.status_code == 202, answer.text

    assert await stored(place) == {("u", 1): "off"}
    assert [await ask(served, place, unit) for unit in ("u", "v", "late")] == ["off", "on", "on"]


async def test_a_forgotten_unit_is_assigned_anew(settings: Settings, served: Served, place: Place) -> None:
    await publish(served, place, a_sticky_flag(0))
    assert await ask(served, place, "u") == "off"
    gone = await forgetting.forget(settings, place.database, place.environment_id, "u", now=NOW)
    await publish(served, place, a_sticky_flag(10_000))

    assert (gone.assignments, await stored(place)) == (1, {})
    async with started(settings, place.database, None) as fresh:
        assert await ask(fresh, place, "u") == "on"


async def test_without_a_database_units_are_served_but_nobody_is_exposed(settings: Settings) -> None:
    database = open_database(settings, "postgresql+psycopg://nobody@127.0.0.1:9/none")
    keeper = Keeper(database)
    snapshot = build(uuid.uuid4(), loads(datafile(a_sticky_flag(10_000))))

    given = await keeper.answer(snapshot, "form", Context.of("u"), NOW)
    again = await keeper.remembering(snapshot, Context.of("u"))
    await database.close()

    assert (given.answer.evaluation.variant, given.is_settled, keeper.unsettled) == ("on", False, 1)
    assert again.targeting_key == "u"


async def test_ended_experiments_are_cleared_in_parts_and_others_stay(place: Place) -> None:
    for name in ("ended", "running"):
        kept = Kept(place.environment_id, name, 1, ["on"], None, NOW)
        await place.database.write(lambda tx, kept=kept: assignments.keep(tx, kept))
        met = [Met(name, f"u{number}", 1, "on", NOW) for number in range(3)]
        await place.database.write(
            lambda tx, met=met: assignments.settle_all(tx, {place.environment_id: met})
        )
    await place.database.write(lambda tx: assignments.end(tx, place.environment_id, "ended", at=NOW))

    later = datetime(2026, 11, 2, tzinfo=UTC)
    while await place.database.write(lambda tx: assignments.clear_ended(tx, before=later)):
        pass

    async with place.database.reading() as tx:
        rows = await tx.execute(
            text("SELECT DISTINCT experiment FROM assignment WHERE environment_id = :id"),
            {"id": place.environment_id},
        )
        assert [name for (name,) in rows] == ["running"]
