"""The events of an environment over HTTP: how they fare, and forgetting a unit."""

from typing import Any

import httpx2
import pytest

from assay.core.config import Settings
from assay.core.database import Database
from assay.events.handlers import handlers
from assay.jobs.worker import perform
from assay.main import build_app
from lake_support import Lake
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio
ROOT = "/api/v1/projects/default/environments/production/events"
EVENTS = [
    {"kind": "event", "name": "order", "unit": unit, "id": f"{unit}:{number}", "at": "2026-11-01T00:00:00Z"}
    for unit in ("a", "b")
    for number in range(2)
]


async def test_an_environment_without_events_has_nothing_to_tell(client: httpx2.AsyncClient) -> None:
    status = (await client.get(f"{ROOT}/status")).json()

    assert {name for name, value in status.items() if value} == set()
    assert status["lag_seconds"] is None


async def test_unsealed_events_are_counted(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/events", json=EVENTS)

    status = (await client.get(f"{ROOT}/status")).json()
    figures = (await client.get("/metrics")).text

    assert (status["buffered"], status["sealed"], status["files"]) == (4, 0, 0)
    assert 0 <= status["lag_seconds"] < 60
    assert "assay_events_buffered 4.0" in figures


async def test_status_and_deletion_are_of_places_that_exist(client: httpx2.AsyncClient) -> None:
    nowhere = ROOT.replace("production", "nowhere")

    answers = [
        await client.get(f"{nowhere}/status"),
        await client.post(f"{nowhere}/forgotten", json={"unit": "a"}),
    ]

    assert [answer.json()["code"] for answer in answers] == ["environment_not_found"] * 2


async def test_asking_twice_begins_one_deletion_and_the_log_does_not_name_the_unit(
    client: httpx2.AsyncClient,
) -> None:
    first = await client.post(f"{ROOT}/forgotten", json={"unit": "erika"})
    second = await client.post(f"{ROOT}/forgotten", json={"unit": "erika"})
    other = await client.post(f"{ROOT}/forgotten", json={"unit": "hans"})
    log = (await client.get("/api/v1/projects/default/audit")).text

    assert first.status_code == 202
    assert first.json()["id"] == second.json()["id"] != other.json()["id"]
    assert (await client.get(first.headers["location"])).json()["state"] == "PENDING"
    early = await client.get(first.headers["location"] + "/result")
    assert early.json()["code"] == "task_not_finished"
    assert "events.forget" in log
    assert "erika" not in log


@pytest.mark.parametrize("lake_url", [None])
async def test_a_deletion_says_what_it_has_deleted(lake: Lake) -> None:
    async with serving(build_app(lake.settings, lambda: borrowed(lake.database))) as client:
        await client.post("/api/v1/events", json=EVENTS[:3])
        await lake.seal()
        await client.post("/api/v1/events", json=EVENTS)

        gone = await deleted(client, lake.settings, lake.database, "a")
        status = (await client.get(f"{ROOT}/status")).json()

    assert gone == {"assignments": 0, "buffered": 2, "sealed": 2, "rejected": 0}
    assert (status["buffered"], status["rows"], status["sealed"]) == (2, 1, 3)


async def deleted(
    client: httpx2.AsyncClient, settings: Settings, database: Database, unit: str
) -> dict[str, Any]:
    task = await client.post(f"{ROOT}/forgotten", json={"unit": unit})
    await perform(database, task.json()["id"], handlers(settings, database))
    return (await client.get(task.headers["location"] + "/result")).json()
