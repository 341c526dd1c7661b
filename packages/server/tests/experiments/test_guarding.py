"""Alarms that halt running experiments, and the results that are kept fresh so that there are any."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from assay.analysis.guarding import objection, refresh
from assay.analysis.handlers import handlers
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import Database
from assay.experiments.handlers import tick
from assay.jobs.worker import perform

from .conftest import ServeOver
from .factories import EXPERIMENTS, PROJECT, a_plan, make, moved, prepare

pytestmark = pytest.mark.anyio
RAMP = [{"coverage": 0.1, "hours": 1.0}, {"coverage": 0.4, "hours": 2.0}]
BROKEN, EVEN = {"old": 300, "new": 150}, {"old": 225, "new": 226}
Analyse = Callable[[str], Awaitable[Mapping[str, Any]]]


@pytest.fixture(scope="module")
def started() -> dict[str, bool]:
    """What the database of this module holds already."""
    return {}


@pytest.fixture
async def client(
    serve_over: ServeOver, committing_database: Database, started: dict[str, bool]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose writes are committed: the analysis reads on a connection of its own."""
    async with serve_over(committing_database) as http:
        if not started:
            await prepare(http)
            started["prepared"] = True
        yield http


@pytest.fixture
def analyse(
    client: httpx2.AsyncClient, settings: Settings, committing_database: Database, own_database_url: str
) -> Analyse:
    """Computes results as the worker does; the experiment as it is then."""

    async def compute(key: str) -> Mapping[str, Any]:
        task = (await client.post(f"{EXPERIMENTS}/{key}/results")).json()["id"]
        await perform(committing_database, task, handlers(settings, committing_database, own_database_url))
        return (await client.get(f"{EXPERIMENTS}/{key}")).json()

    return compute


async def run(
    client: httpx2.AsyncClient, key: str, counts: Mapping[str, int], **plan: Any
) -> Mapping[str, Any]:
    await make(client, key, plan=a_plan(**plan))
    begun = await moved(client, "start", key)
    at = (utc_now() - timedelta(microseconds=1)).isoformat()
    batch = [
        {"kind": "exposure", "experiment": key, "variant": arm, "unit": f"{arm}{number}", "at": at}
        for arm, count in counts.items()
        for number in range(count)
    ]
    sent = await client.post("/api/v1/events", json=batch)
    assert sent.json()["accepted"] == len(batch)
    return begun


async def finish(client: httpx2.AsyncClient, key: str) -> None:
    await moved(client, "complete", key, outcome="ROLLED_BACK")


async def test_a_split_that_goes_wrong_in_a_ramp_pauses_the_experiment(
    client: httpx2.AsyncClient, analyse: Analyse
) -> None:
    await run(client, "broken", BROKEN, ramp=RAMP)

    found = await analyse("broken")
    (entry, *_) = (await client.get(f"{EXPERIMENTS}/broken/log")).json()["items"]
    steps = (await client.get(f"{EXPERIMENTS}/broken/schedule")).json()["items"]
    await moved(client, "resume", "broken")
    again = await analyse("broken")
    await finish(client, "broken")

    assert found["state"] == "PAUSED"
    assert (entry["kind"], entry["actor"]) == ("paused", "guard")
    assert entry["note"].startswith("The units are not split as the weights say since ")
    assert {step["state"] for step in steps} == {"CANCELLED"}
    assert again["state"] == "ACTIVE"


async def test_a_sound_ramp_goes_on(
    client: httpx2.AsyncClient, analyse: Analyse, committing_database: Database
) -> None:
    begun = await run(client, "sound", EVEN, ramp=RAMP)
    start = datetime.fromisoformat(begun["started_at"])

    found = await analyse("sound")
    await tick(committing_database, start + timedelta(hours=1, seconds=1), [objection])
    after = (await client.get(f"{EXPERIMENTS}/sound")).json()
    await finish(client, "sound")

    assert found["state"] == "ACTIVE"
    assert (after["state"], after["phase"]["coverage"]) == ("ACTIVE", 0.4)


async def test_a_step_of_a_ramp_reads_the_newest_result_of_its_phase(
    client: httpx2.AsyncClient, analyse: Analyse, committing_database: Database
) -> None:
    await run(client, "asked", BROKEN, automatic_stop="never", ramp=RAMP)
    await analyse("asked")

    async with committing_database.reading() as tx:
        reason = await objection(tx, "default", "asked")
    await moved(client, "restart", "asked", reason="a fault")
    async with committing_database.reading() as tx:
        later = await objection(tx, "default", "asked")
    await finish(client, "asked")

    assert reason is not None
    assert "not split as the weights say" in reason
    assert later is None


@pytest.mark.parametrize(("when", "state"), [("ramp", "ACTIVE"), ("never", "ACTIVE"), ("always", "PAUSED")])
async def test_without_a_ramp_the_plan_says_whether_an_alarm_pauses(
    client: httpx2.AsyncClient, analyse: Analyse, when: str, state: str
) -> None:
    await run(client, f"plain-{when}", BROKEN, automatic_stop=when)

    found = await analyse(f"plain-{when}")
    await finish(client, f"plain-{when}")

    assert found["state"] == state


async def test_running_experiments_are_analysed_again_once_their_results_are_old(
    client: httpx2.AsyncClient, analyse: Analyse, committing_database: Database
) -> None:
    async def refreshed(hours: float) -> int:
        return await refresh(committing_database, start + timedelta(hours=hours), every_seconds=3600)

    begun = await run(client, "kept-fresh", EVEN)
    await make(client, "draft")
    start = datetime.fromisoformat(begun["started_at"])

    young, due, waiting = await refreshed(0.9), await refreshed(1.1), await refreshed(5)
    task = (await client.get(f"{EXPERIMENTS}/kept-fresh/results")).json()["items"]
    await analyse("kept-fresh")
    recent, old = await refreshed(1.9), await refreshed(3)
    await finish(client, "kept-fresh")
    ended = await refreshed(20)

    assert (young, due, waiting) == (0, 1, 0)
    assert len(task) == 1
    assert (recent, old, ended) == (0, 1, 0)
    assert (await client.get(f"{PROJECT}/experiments/draft/results")).json()["items"] == []
