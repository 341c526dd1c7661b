"""Results are those of the phase that runs: another salt assigned the units of earlier ones."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from assay.analysis.handlers import handlers
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import perform

from .conftest import ServeOver
from .factories import EXPERIMENTS, PROJECT, make, moved, prepare

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(serve_over: ServeOver, committing_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose writes are committed: the analysis reads on a connection of its own."""
    async with serve_over(committing_database) as http:
        yield http


async def expose(client: httpx2.AsyncClient, **variants: str) -> None:
    at = (utc_now() - timedelta(microseconds=1)).isoformat()
    batch = [
        {"kind": "exposure", "experiment": "shorter", "variant": variant, "unit": unit, "at": at}
        for unit, variant in variants.items()
    ]
    sent = await client.post("/api/v1/events", json=batch)
    assert sent.json()["accepted"] == len(batch)


async def test_exposures_of_an_earlier_phase_are_left_out(
    client: httpx2.AsyncClient, settings: Settings, committing_database: Database, own_database_url: str
) -> None:
    async def units() -> dict[str, Any]:
        task = (await client.post(f"{EXPERIMENTS}/shorter/results")).json()["id"]
        await perform(committing_database, task, handlers(settings, committing_database, own_database_url))
        answer = await client.get(f"{EXPERIMENTS}/shorter/results/{task}/document")
        return {arm["arm"]: arm["units"] for arm in answer.json()["document"]["arms"]}

    await prepare(client)
    await make(client)
    await moved(client, "start")
    await expose(client, u1="old", u2="old", u3="new")
    first = await units()
    await moved(client, "restart", reason="a fault")
    await expose(client, u1="new", u2="old")
    second = await units()

    assert first == {"old": 2, "new": 1}
    assert second == {"old": 1, "new": 1}


async def test_readiness_tells_whether_events_of_a_metric_arrive(client: httpx2.AsyncClient) -> None:
    async def data(key: str) -> str:
        checks = (await client.get(f"{EXPERIMENTS}/{key}/readiness")).json()["checks"]
        return next(check["sentence"] for check in checks if check["check"] == "data")

    body = {"key": "calls", "name": "calls", "definition": {"kind": "proportion", "event": "calls"}}
    await client.post(f"{PROJECT}/metrics", json=body)
    await make(client, "silent", plan={"goals": [{"metric": "calls"}]})

    before = await data("silent")
    event = {"kind": "event", "name": "calls", "unit": "u1", "at": utc_now().isoformat()}
    await client.post("/api/v1/events", json=[event])
    after = await data("silent")

    assert before == "Not one event of calls came in the last 28 days."
    assert after == "Events of calls arrive; no result measures them yet."
