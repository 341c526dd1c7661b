"""What happens at a time: starts, ramps and stops, once each."""

from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from assay.core.clock import utc_now
from assay.core.database import Database, ReadSession
from assay.experiments.handlers import tick

from .factories import EXPERIMENTS, a_plan, assignments, log, make, moved, prepare, served

pytestmark = pytest.mark.anyio
RAMP = [{"coverage": 0.1, "hours": 1.0}, {"coverage": 0.4, "hours": 2.0}]


async def schedule(client: httpx2.AsyncClient, **times: datetime | None) -> httpx2.Response:
    body = {name: at.isoformat() if at else None for name, at in times.items()}
    return await client.put(f"{EXPERIMENTS}/shorter/schedule", json=body, headers={"If-Match": "*"})


async def due(client: httpx2.AsyncClient) -> list[tuple[str, str]]:
    items = (await client.get(f"{EXPERIMENTS}/shorter/schedule")).json()["items"]
    return [(item["action"], item["state"]) for item in items]


async def test_a_scheduled_start_and_stop_take_effect_once(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await prepare(client)
    await make(client)
    start = utc_now() + timedelta(hours=1)
    await schedule(client, starts_at=start, stops_at=start + timedelta(days=14))

    early = await tick(database, start - timedelta(seconds=1))
    then = await tick(database, start)
    again = await tick(database, start + timedelta(minutes=1))
    running = (await client.get(f"{EXPERIMENTS}/shorter")).json()
    await tick(database, start + timedelta(days=14))
    await tick(database, start + timedelta(days=15))

    assert (early, then, again) == (0, 1, 0)
    assert (running["state"], running["phase"]["number"]) == ("ACTIVE", 1)
    assert (await client.get(f"{EXPERIMENTS}/shorter")).json()["state"] == "PAUSED"
    assert await due(client) == [("start", "DONE"), ("stop", "DONE")]
    assert (await log(client))[2:] == ["experiment.started", "experiment.paused"]


async def test_a_scheduled_start_that_is_not_ready_fails_with_its_reason(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await make_unready(client)
    start = utc_now() + timedelta(hours=1)
    await schedule(client, starts_at=start)

    await tick(database, start)

    item = (await client.get(f"{EXPERIMENTS}/shorter/schedule")).json()["items"][0]
    assert (item["state"], "is not ready" in item["reason"]) == ("FAILED", True)
    assert (await client.get(f"{EXPERIMENTS}/shorter")).json()["state"] == "DRAFT"
    assert await tick(database, start + timedelta(hours=1)) == 0


async def make_unready(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client, plan=a_plan(flag="none"))


async def test_a_ramp_raises_the_coverage_step_by_step(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await prepare(client)
    await make(client, plan=a_plan(ramp=RAMP))
    started = await moved(client, "start")
    begin = datetime.fromisoformat(started["started_at"])
    before = assignments(await served(client))
    covered = [started["phase"]["coverage"]]

    for hours in (0.5, 1.0, 2.9, 3.0):
        await tick(database, begin + timedelta(hours=hours))
        covered.append((await client.get(f"{EXPERIMENTS}/shorter")).json()["phase"]["coverage"])

    after = assignments(await served(client))
    assert covered == [0.1, 0.1, 0.4, 0.4, 1.0]
    assert all(after[unit] == answer for unit, answer in before.items() if answer.is_exposure)
    assert all(answer.is_exposure for answer in after.values())


async def test_a_guard_stops_a_ramp_and_pauses_the_experiment(
    client: httpx2.AsyncClient, database: Database
) -> None:
    async def objects(_tx: ReadSession, _project: str, key: str) -> str | None:
        return f"the guardrail of {key} fails"

    await prepare(client)
    await make(client, plan=a_plan(ramp=RAMP))
    started = await moved(client, "start")
    begin = datetime.fromisoformat(started["started_at"])

    await tick(database, begin + timedelta(hours=1), [objects])
    await tick(database, begin + timedelta(hours=9), [objects])

    found = (await client.get(f"{EXPERIMENTS}/shorter")).json()
    entries = (await client.get(f"{EXPERIMENTS}/shorter/log")).json()["items"]
    assert (found["state"], found["phase"]["coverage"]) == ("PAUSED", 0.1)
    assert await due(client) == [("cover", "CANCELLED"), ("cover", "CANCELLED")]
    assert (entries[0]["actor"], entries[0]["note"]) == ("guard", "the guardrail of shorter fails")


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({"starts_at": -1}, "has passed"),
        ({"starts_at": 5, "stops_at": 5}, "is not after starts_at"),
    ],
)
async def test_impossible_times_are_refused(
    client: httpx2.AsyncClient, times: dict[str, Any], sentence: str
) -> None:
    await prepare(client)
    await make(client)
    now = utc_now()

    answer = await schedule(client, **{name: now + timedelta(hours=hours) for name, hours in times.items()})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_schedule")
    assert sentence in answer.json()["detail"]


async def test_a_started_experiment_has_no_start_to_schedule(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client)
    await schedule(client, starts_at=utc_now() + timedelta(days=1))
    await moved(client, "start")

    answer = await schedule(client, starts_at=utc_now() + timedelta(days=2))

    assert "has started already" in answer.json()["detail"]
    assert await due(client) == [("start", "CANCELLED")]
