"""Whether the process lives, whether it can serve, and its figures."""

import re

import httpx2
import pytest

from assay.core.config import Settings
from assay.core.database import open_database
from assay.main import build_app
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio


async def test_a_process_with_its_database_is_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/health")).json() == {"status": "ok"}
    answer = await client.get("/ready")
    assert answer.json() == {
        "status": "ready",
        "database": True,
        "migrations": True,
        "snapshots": True,
        "snapshot_age_seconds": None,
    }


async def test_without_a_database_it_lives_but_is_not_ready(settings: Settings) -> None:
    database = open_database(settings, "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2")
    async with serving(build_app(settings, lambda: borrowed(database))) as client:
        health, ready = await client.get("/health"), await client.get("/ready")

    assert health.status_code == 200
    assert ready.status_code == 503
    assert ready.json()["database"] is False


async def test_requests_are_counted_by_route_not_by_path(client: httpx2.AsyncClient) -> None:
    counted = r'assay_requests_total\{method="GET",route="/api/v1/projects/\{project\}",status="404"\} (\d+)'
    before = re.search(counted, (await client.get("/metrics")).text)

    for key in ("one", "two"):
        await client.get(f"/api/v1/projects/{key}")

    after = re.search(counted, (await client.get("/metrics")).text)
    assert after is not None
    assert int(after[1]) - (int(before[1]) if before else 0) == 2
