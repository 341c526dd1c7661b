"""A sticky experiment from plan to end, over HTTP: every unit keeps the arm of its first exposure."""

from typing import Any

import pytest
from sqlalchemy import text

from delivery_support import EVALUATE, Place, Served, a_flag

pytestmark = pytest.mark.anyio


async def made(served: Served, place: Place, **plan: Any) -> str:
    """The path of a started sticky experiment with the arms `off` and `on`."""
    project = f"/api/v1/projects/{place.project}"
    metric = {"key": "orders", "name": "Orders", "definition": {"kind": "proportion", "event": "order"}}
    (await served.http.post(f"{project}/metrics", json=metric)).raise_for_status()
    await place.publish(a_flag("form", fallthrough={"variant": "off"}))
    new = {
        "key": "shorter",
        "name": "Shorter",
        "arms": [{"key": "off"}, {"key": "on"}],
        "control": "off",
        "plan": {"flag": "form", "goals": [{"metric": "orders"}], "duration_days": 7, "sticky": True} | plan,
    }
    answer = await served.http.post(f"{project}/experiments", json=new)
    assert answer.status_code == 201, answer.text
    path = f"{project}/experiments/shorter"
    await move(served, path, "start")
    return path


async def move(served: Served, path: str, name: str, **body: Any) -> dict[str, Any]:
    answer = await served.http.post(f"{path}/{name}", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    await served.delivery.store.refresh()
    return answer.json()


async def variants(served: Served, place: Place, units: range) -> dict[int, str]:
    found: dict[int, str] = {}
    for unit in units:
        body = {"context": {"targetingKey": f"u{unit}"}}
        answer = await served.http.post(f"{EVALUATE}/form", params=place.query, json=body)
        found[unit] = answer.json()["variant"]
    return found


async def kept(place: Place) -> dict[str, str]:
    query = "SELECT unit, variant FROM assignment WHERE environment_id = :id AND version = 1"
    async with place.database.reading() as tx:
        rows = await tx.execute(text(query), {"id": place.environment_id})
        return {row.unit: row.variant for row in rows}


async def test_coverage_may_rise_and_fall_and_a_pause_may_come_while_everybody_keeps_an_arm(
    served: Served, place: Place
) -> None:
    path = await made(served, place, coverage=0.5)
    first = await variants(served, place, range(30))
    inside = {unit for unit in first if f"u{unit}" in await kept(place)}

    await move(served, path, "coverage", coverage=1.0)
    risen = await variants(served, place, range(60))
    await move(served, path, "coverage", coverage=0.01)
    fallen = await variants(served, place, range(60))
    await move(served, path, "pause")
    paused = await variants(served, place, range(60))
    await move(served, path, "resume")

    assert 5 < len(inside) < 25
    assert all(risen[unit] == first[unit] for unit in inside)
    assert set(risen.values()) == {"on", "off"}
    assert risen == fallen == paused == await variants(served, place, range(60))
    newcomers = await variants(served, place, range(60, 90))
    assert list(newcomers.values()).count("on") <= 3


async def test_a_new_phase_may_leave_out_who_was_in_before(served: Served, place: Place) -> None:
    path = await made(served, place)
    await variants(served, place, range(20))

    phase = await move(
        served, path, "restart", reason="novelty", earlier_units="left_out", weights={"off": 0.01}
    )
    old = await variants(served, place, range(20))
    new = await variants(served, place, range(20, 40))

    assert phase["phase"]["frozen"]["sticky"] == {"version": 2, "minimum": 2}
    assert set(old.values()) == {"off"}
    assert list(new.values()).count("on") >= 17


async def test_a_new_phase_assigns_everybody_anew_unless_it_says_otherwise(
    served: Served, place: Place
) -> None:
    path = await made(served, place)
    first = await variants(served, place, range(40))

    await move(served, path, "restart", reason="a bug")

    assert await variants(served, place, range(40)) != first


async def test_only_a_sticky_experiment_knows_whom_to_leave_out(served: Served, place: Place) -> None:
    path = await made(served, place, sticky=False)
    body = {"reason": "why", "earlier_units": "left_out"}

    answer = await served.http.post(f"{path}/restart", json=body, headers={"If-Match": "*"})

    assert answer.status_code == 422
    assert "is not sticky" in answer.json()["detail"]


async def test_exposures_settle_assignments_until_the_winner_is_shipped(served: Served, place: Place) -> None:
    path = await made(served, place)
    await move(served, path, "complete", outcome="SHIPPED", arm="on")
    query = "SELECT ended_at IS NOT NULL FROM assignment_experiment WHERE environment_id = :id"
    async with place.database.reading() as tx:
        ended = (await tx.execute(text(query), {"id": place.environment_id})).scalar_one()

    assert ended is True


async def test_a_preview_and_an_explanation_know_what_a_unit_keeps(served: Served, place: Place) -> None:
    path = await made(served, place)
    arms = await variants(served, place, range(20))
    await move(served, path, "coverage", coverage=0.01)
    flag = f"/api/v1/projects/{place.project}/flags/form/environments/production"
    contexts = [{"targetingKey": f"u{unit}"} for unit in arms]

    seen = await served.http.post(f"{flag}/preview", json={"contexts": contexts, "recent": 0})
    told = await served.http.post(f"{flag}/explain", json={"context": contexts[0]})

    assert seen.status_code == 200, seen.text
    assert [each["before"] for each in seen.json()["contexts"]] == list(arms.values())
    assert (told.status_code, told.json()["variant"]) == (200, arms[0]), told.text
    assert f"assigned {arms[0]!r} before, and keeps it" in told.text
