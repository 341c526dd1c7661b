"""A server's results from stored days: they are those of all events, whatever happened to these meanwhile."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.analysis import handlers as analysis
from assay.analysis.stored import MANIFEST
from assay.core.config import Settings
from assay.core.database import Database
from assay.events import handlers as events
from assay.jobs.worker import perform
from assay.main import build_app
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio
ROOT = "/api/v1/projects/days"
UNITS = [f"u{number}" for number in range(40)]


@pytest.fixture
async def client(settings: Settings, committing_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(build_app(settings, lambda: borrowed(committing_database))) as http:
        await http.post("/api/v1/projects", json={"key": "days", "name": "Days"})
        for kind in ("mean", "proportion"):
            body = {"key": kind, "name": kind, "definition": {"kind": kind, "event": "order"}}
            await http.post(f"{ROOT}/metrics", json=body)
        arms = [{"key": "a"}, {"key": "b"}]
        body = {"key": "e", "name": "E", "arms": arms, "control": "a", "metrics": ["mean", "proportion"]}
        assert (await http.post(f"{ROOT}/experiments", json=body)).status_code == 201
        yield http


def an_order(unit: str, value: float, day: int) -> dict[str, Any]:
    at = f"2026-11-{day:02}T06:00:00Z"
    return {"kind": "event", "name": "order", "unit": unit, "value": value, "at": at}


def an_exposure(unit: str, variant: str, day: int = 1) -> dict[str, Any]:
    at = f"2026-11-{day:02}T00:00:00Z"
    return {"kind": "exposure", "experiment": "e", "variant": variant, "unit": unit, "at": at}


async def send(client: httpx2.AsyncClient, *rows: dict[str, Any]) -> None:
    assert (await client.post("/api/v1/events?project=days", json=list(rows))).status_code == 202


async def run(client: httpx2.AsyncClient, path: str, body: Any, handlers: Any, database: Database) -> Any:
    task = (await client.post(path, json=body)).json()
    await perform(database, task["id"], handlers)
    found = (await client.get(f"{path}/{task['id']}")).json()
    assert found["state"] == "COMPLETED", found
    return task["id"]


def figures(document: dict[str, Any]) -> Any:
    return [
        (metric["metric"], arm["arm"], arm["units"], pytest.approx(arm["mean"], rel=1e-12))
        for metric in document["metrics"]
        for arm in metric["arms"]
    ]


async def test_results_from_stored_days_are_those_of_all_events(
    client: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    database, folder = committing_database, settings.data_directory / "analysis"
    tasks = analysis.handlers(settings, database, database_url)

    async def results() -> dict[str, Any]:
        task = await run(client, f"{ROOT}/experiments/e/results", None, tasks, database)
        found = await client.get(f"{ROOT}/experiments/e/results/{task}/document")
        return found.json()["document"]

    async def the_same_from_nothing() -> dict[str, Any]:
        for path in manifests(folder):
            path.unlink()
        return await results()

    await send(client, *(an_exposure(unit, "ab"[int(unit[1:]) % 2]) for unit in UNITS))
    await send(client, *(an_order(unit, 1.5 * int(unit[1:]), day=2) for unit in UNITS[::3]))
    await results()
    (manifest,) = manifests(folder)
    written = manifest.read_bytes()

    await results()
    assert manifest.read_bytes() == written

    await send(client, an_order("u1", 4.25, day=1), an_exposure("u2", "b", day=2), an_order("u2", 9, day=3))
    late = await results()
    assert manifest.read_bytes() != written
    assert late["excluded"]["in_several_arms"] == 1
    assert figures(late) == figures(await the_same_from_nothing())

    forgetting = events.handlers(settings, database)
    path = f"{ROOT}/environments/production/events/forgotten"
    await run(client, path, {"unit": "u3"}, forgetting, database)
    assert manifests(folder) == []
    forgotten = await results()
    assert [arm["units"] for arm in forgotten["arms"]] == [19, 19]
    assert figures(forgotten) == figures(await the_same_from_nothing())


def manifests(folder: Path) -> list[Path]:
    return list(folder.rglob(MANIFEST))
