"""The evaluation log: counts and exposures reach the database, once, whatever happens meanwhile."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from assay.core.config import Settings
from assay.core.database import Database
from assay.evaluation.journal import exposure_of
from assay.evaluation.snapshots import Snapshot, build
from assay_engine import Context, loads
from delivery_support import EVALUATE, Place, Served, a_flag, a_split, datafile, started

pytestmark = pytest.mark.anyio
AT = datetime(2026, 11, 1, 23, 59, tzinfo=UTC)


async def counts(place: Place) -> dict[tuple[str, str], int]:
    query = "SELECT flag, variant, sum(count) FROM flag_evaluations WHERE environment_id = :id GROUP BY 1, 2"
    async with place.database.reading() as tx:
        rows = await tx.execute(text(query), {"id": place.environment_id})
        return {(flag, variant): int(count) for flag, variant, count in rows}


async def exposures(place: Place) -> list[tuple[str, str, str]]:
    query = "SELECT name, variant, unit FROM event WHERE environment_id = :id AND kind = 'exposure'"
    async with place.database.reading() as tx:
        rows = await tx.execute(text(query), {"id": place.environment_id})
        return sorted((name, variant, unit) for name, variant, unit in rows)


async def ask(served: Served, place: Place, unit: str, key: str = "new_form") -> dict[str, Any]:
    body = {"context": {"targetingKey": unit}}
    return (await served.http.post(f"{EVALUATE}/{key}", params=place.query, json=body)).json()


async def test_evaluations_are_counted_by_flag_and_variant(served: Served, place: Place) -> None:
    await place.publish(a_flag(), a_flag("other", fallthrough=None))
    for _ in range(3):
        await ask(served, place, "u1")
    await served.http.post(EVALUATE, params=place.query, json={})

    await served.delivery.journal.flush()
    await served.delivery.journal.flush()

    assert await counts(place) == {("new_form", "on"): 4, ("other", ""): 1}


async def test_what_was_counted_before_a_publication_is_not_lost(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    await ask(served, place, "u1")
    await place.publish(a_flag("second"))
    await served.delivery.store.confirm()
    await ask(served, place, "u1")

    await served.delivery.journal.flush()

    assert await counts(place) == {("new_form", "on"): 2}


async def test_the_end_of_the_process_writes_the_rest(
    settings: Settings, committing_database: Database, place: Place
) -> None:
    await place.publish(a_flag())
    async with started(settings, committing_database, None) as served:
        await ask(served, place, "u1")

    assert await counts(place) == {("new_form", "on"): 1}


async def test_a_unit_of_an_experiment_is_exposed_once_by_single_evaluations_only(
    served: Served, place: Place
) -> None:
    await place.publish(
        a_flag(fallthrough=a_split(experiment="colour")), a_flag("plain", fallthrough=a_split())
    )
    answers: list[dict[str, Any]] = []
    for _ in range(2):
        answers = [await ask(served, place, unit) for unit in ("u1", "u2")]
        await ask(served, place, "u1", "plain")
        await served.delivery.journal.flush()
    body = {"context": {"targetingKey": "u3"}}
    await served.http.post(EVALUATE, params=place.query, json=body)
    await served.delivery.journal.flush()

    assert await exposures(place) == sorted(
        ("colour", answer["variant"], unit) for answer, unit in zip(answers, ("u1", "u2"), strict=True)
    )


async def test_two_processes_expose_a_unit_once(
    settings: Settings, committing_database: Database, place: Place
) -> None:
    await place.publish(a_flag(fallthrough=a_split(experiment="colour")))
    for _ in range(2):
        async with started(settings, committing_database, None) as served:
            await ask(served, place, "u1")

    assert len(await exposures(place)) == 1


async def test_what_the_database_refuses_is_kept_for_the_next_time(
    served: Served, place: Place, committing_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.publish(a_flag(fallthrough=a_split(experiment="colour")))
    await ask(served, place, "u1")

    async def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("planted")

    with monkeypatch.context() as broken:
        broken.setattr(committing_database, "write", unreachable)
        await served.delivery.journal.flush()
    await ask(served, place, "u1")
    await served.delivery.journal.flush()

    assert sum((await counts(place)).values()) == 2
    assert len(await exposures(place)) == 1


def test_an_exposure_is_named_by_who_met_what_on_which_day() -> None:
    snapshot = build_one(a_split(experiment="colour"))
    first = exposure_of(snapshot.answer("new_form", Context.of("u1"), AT), Context.of("u1"), AT)
    again = exposure_of(
        snapshot.answer("new_form", Context.of("u1"), AT), Context.of("u1"), AT - timedelta(hours=9)
    )
    tomorrow = exposure_of(
        snapshot.answer("new_form", Context.of("u1"), AT), Context.of("u1"), AT + timedelta(minutes=1)
    )
    other = exposure_of(snapshot.answer("new_form", Context.of("u2"), AT), Context.of("u2"), AT)

    assert first is not None
    assert again is not None
    assert tomorrow is not None
    assert other is not None
    assert first.id == again.id
    assert len({first.id, tomorrow.id, other.id}) == 3


def test_the_unit_of_an_exposure_is_the_split_s_own() -> None:
    split = a_split(experiment="colour")
    split["split"]["unit"] = ["company", "id"]
    context = Context.of("u1", {"company": {"id": "acme"}})

    exposure = exposure_of(build_one(split).answer("new_form", context, AT), context, AT)

    assert exposure is not None
    assert exposure.unit == "acme"


def test_a_unit_no_event_can_carry_is_no_exposure() -> None:
    context = Context.of("u" * 300)
    answer = build_one(a_split(experiment="colour")).answer("new_form", context, AT)

    assert answer.split is not None
    assert exposure_of(answer, context, AT) is None


def build_one(fallthrough: dict[str, Any]) -> Snapshot:
    return build(uuid.UUID(int=1), loads(datafile(a_flag(fallthrough=fallthrough))))
