"""Reports freeze a finished result, are approved once, and are read in every form."""

import uuid
from typing import Any

import httpx2
import pytest

from assay.analysis.handlers import handlers
from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import perform

from .test_results_api import METRICS, a_project, committing, define, exposure, order

__all__ = ["committing"]
pytestmark = pytest.mark.anyio


async def analysed(
    client: httpx2.AsyncClient, root: str, settings: Settings, database: Database, url: str
) -> str:
    task: str = (await client.post(f"{root}/experiments/e/results")).json()["id"]
    await perform(database, uuid.UUID(task), handlers(settings, database, url))
    return task


async def test_a_report_keeps_what_it_froze(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    place = (settings, committing_database, database_url)
    async with a_project(committing, "reported") as root:
        await define(committing, root, {"spent": METRICS["spent"]})
        events = [exposure("a1", "a"), exposure("a2", "a"), exposure("b1", "b"), exposure("b2", "b")]
        events += [order("a1", 10), order("b1", 7)]
        await committing.post("/api/v1/events?project=reported", json=events)
        task = await analysed(committing, root, *place)
        frozen = (await committing.get(f"{root}/experiments/e/results/{task}/document")).json()["document"]
        reports = f"{root}/experiments/e/reports"

        made = await committing.post(reports, json={"result": task, "title": "Q4", "note": "first"})
        await committing.post("/api/v1/events?project=reported", json=[order("b2", 1000)])
        await analysed(committing, root, *place)
        one = f"{reports}/{made.json()['id']}"
        found = (await committing.get(one)).json()
        approved = (await committing.post(f"{one}/approve")).json()
        again = (await committing.post(f"{one}/approve")).json()
        listed = (await committing.get(reports)).json()["items"]
        numbers = await committing.get(f"{one}/numbers")
        record = await committing.get(f"{one}/record")
        page = await committing.get(one.removeprefix("/api/v1"))
        audit = await committing.get(f"{root}/audit", params={"subject": "experiments/e/reports"})

    assert (made.status_code, made.json()["approved_at"]) == (201, None)
    assert found["document"] == frozen
    assert approved == again
    assert listed == [approved]
    assert approved["approved_by"] == "local"
    assert numbers.text.startswith("metric,")
    assert record.status_code == 200
    assert "Q4" in page.text
    assert "approved by local" in page.text
    assert [entry["action"] for entry in audit.json()["items"]] == ["report.approved", "report.created"]


@pytest.mark.parametrize("is_begun", [True, False])
async def test_only_a_finished_result_of_the_experiment_is_reported(
    client: httpx2.AsyncClient, is_begun: bool
) -> None:
    root = "/api/v1/projects/default/experiments/e"
    await define(client, "/api/v1/projects/default", {})
    task = (await client.post(f"{root}/results")).json()["id"] if is_begun else UNKNOWN

    answer = await client.post(f"{root}/reports", json={"result": task, "title": "Early"})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_result")


@pytest.mark.parametrize("path", ["", "/numbers", "/record"])
async def test_an_unknown_report_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    await define(client, "/api/v1/projects/default", {})

    answer: Any = await client.get(f"/api/v1/projects/default/experiments/e/reports/{UNKNOWN}{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "report_not_found")


UNKNOWN = "00000000-0000-7000-8000-000000000000"
