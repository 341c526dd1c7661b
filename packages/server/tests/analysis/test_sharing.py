"""Approved reports are shared by links that open one report, until they expire or are revoked."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from assay.access.policy import Role, changes_reports, sees_report
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import Database
from assay.experiments import service as experiments
from assay.jobs import service as jobs
from assay.jobs.worker import perform
from assay.main import build_app
from support_app import borrowed, serving

from .measuring import a_metric, analyze, event, exposure
from .test_results_api import define

pytestmark = pytest.mark.anyio
ROWS = [
    *(exposure(f"{arm}{number}", arm) for arm in "ab" for number in range(20)),
    *(
        event("order", f"{arm}{number}", 1.0)
        for arm, orders in (("a", 5), ("b", 12))
        for number in range(orders)
    ),
]
REPORTS = "/api/v1/projects/default/experiments/e/reports"


async def a_report(client: httpx2.AsyncClient, database: Database, *, approved: bool = True) -> str:
    """The address of a new report."""
    if (await client.get("/api/v1/projects/default/experiments/e")).status_code != 200:
        await define(client, "/api/v1/projects/default", {})
    async with database.writing() as tx:
        subject = str(await experiments.identify(tx, "default", "e"))
        task = await jobs.begin_next(tx, kind="results", subject=subject, arguments={}, now=utc_now())
    document = analyze(ROWS, a_metric("orders", kind="proportion", event="order"))

    async def work(_: Any) -> dict[str, Any]:
        return {"document": document.model_dump(mode="json")}

    await perform(database, task.id, {"results": work})
    made = await client.post(REPORTS, json={"result": str(task.id), "title": "Q4 <b>"})
    assert made.status_code == 201, made.text
    place = f"{REPORTS}/{made.json()['id']}"
    if approved:
        assert (await client.post(f"{place}/approve")).status_code == 200
    return place


async def a_link(client: httpx2.AsyncClient, report: str, **wanted: Any) -> dict[str, Any]:
    made = await client.post(f"{report}/links", json={"name": "the board"} | wanted)
    assert made.status_code == 201, made.text
    return made.json()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_approved", [True, False])
def test_viewers_alone_see_approved_reports_alone(role: Role, is_approved: bool) -> None:
    assert sees_report(role, is_approved=is_approved) == (is_approved or role is not Role.VIEWER)
    assert changes_reports(role) == (role in {Role.ADMIN, Role.DEVELOPER})


async def test_a_link_opens_its_report_in_every_form(client: httpx2.AsyncClient, database: Database) -> None:
    report = await a_report(client, database)
    link = await a_link(client, report)

    page = await client.get(link["path"])
    pdf = await client.get(f"{link['path']}/file?format=pdf")
    png = await client.get(f"{link['path']}/file?format=png")
    numbers = await client.get(f"{link['path']}/numbers?format=json")

    assert page.status_code == 200
    assert "Q4 &lt;b&gt;" in page.text
    assert page.headers["cache-control"] == "private, no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert pdf.content.startswith(b"%PDF-")
    assert png.content.startswith(b"\x89PNG")
    assert [row["metric"] for row in numbers.json()] == ["orders"]


@pytest.mark.parametrize("form", ["notebook", "bundle"])
async def test_a_link_gives_no_record(client: httpx2.AsyncClient, database: Database, form: str) -> None:
    link = await a_link(client, await a_report(client, database))

    assert (await client.get(f"{link['path']}/file?format={form}")).status_code == 404


async def test_a_link_opens_no_other_report(client: httpx2.AsyncClient, database: Database) -> None:
    one, other = await a_report(client, database), await a_report(client, database)
    link = await a_link(client, one)

    page = await client.get(f"{link['path']}/file?format=html")

    assert one.rpartition("/")[2] in page.headers["content-disposition"]
    assert other.rpartition("/")[2] not in page.text + page.headers["content-disposition"]


async def test_an_unapproved_report_is_not_shared(client: httpx2.AsyncClient, database: Database) -> None:
    report = await a_report(client, database, approved=False)

    answer = await client.post(f"{report}/links", json={"name": "the board"})

    assert (answer.status_code, answer.json()["code"]) == (409, "not_approved")
    assert (await client.get(f"{report}/links")).json()["items"] == []


async def test_a_revoked_link_opens_nothing(client: httpx2.AsyncClient, database: Database) -> None:
    report = await a_report(client, database)
    link = await a_link(client, report)
    kept = await a_link(client, report, name="the auditors")

    gone = await client.delete(f"{report}/links/{link['id']}")
    again = await client.delete(f"{report}/links/{link['id']}")
    listed = (await client.get(f"{report}/links")).json()["items"]

    assert (gone.status_code, again.status_code) == (204, 204)
    for path in ("", "/file", "/numbers"):
        assert (await client.get(link["path"] + path)).status_code == 404
    assert (await client.get(kept["path"])).status_code == 200
    assert [each["revoked_at"] is None for each in listed] == [True, False]
    assert [each["name"] for each in listed] == ["the auditors", "the board"]


async def test_no_list_and_no_log_of_changes_tells_a_token(
    client: httpx2.AsyncClient, database: Database
) -> None:
    report = await a_report(client, database)
    token = (await a_link(client, report))["token"]

    listed = await client.get(f"{report}/links")
    audit = await client.get("/api/v1/projects/default/audit", params={"limit": 500})

    assert token not in listed.text + audit.text
    assert "report.shared" in audit.text


async def test_an_expired_link_opens_nothing(
    client: httpx2.AsyncClient, database: Database, app: FastAPI
) -> None:
    link = await a_link(client, await a_report(client, database), days=1)
    expires = datetime.fromisoformat(link["expires_at"])

    app.dependency_overrides[utc_now] = lambda: expires - timedelta(seconds=1)
    before = await client.get(link["path"])
    app.dependency_overrides[utc_now] = lambda: expires
    after = await client.get(link["path"])

    assert (before.status_code, after.status_code) == (200, 404)


@pytest.mark.parametrize("token", ["assay_link_unknown", "x" * 5000, "é", "%00", "%20"])
async def test_strange_tokens_open_nothing(client: httpx2.AsyncClient, token: str) -> None:
    assert (await client.get(f"/shared/{token}")).status_code in {404, 422}


async def test_beyond_this_machine_reports_need_a_key_or_a_link(
    client: httpx2.AsyncClient, database: Database, database_url: str
) -> None:
    report = await a_report(client, database)
    link = await a_link(client, report)
    keys = "/api/v1/projects/default/environments/production/keys"
    server = (await client.post(keys, json={"kind": "server", "name": "s"})).json()["token"]
    browser = (await client.post(keys, json={"kind": "client", "name": "c"})).json()["token"]
    values = {"database_url": database_url, "worker_enabled": False, "host": "0.0.0.0"}  # noqa: S104 — what is tested
    app = build_app(Settings.model_validate(values), lambda: borrowed(database))
    places = [
        REPORTS,
        report.removeprefix("/api/v1"),
        *(report + part for part in ("", "/numbers", "/export?format=html", "/record", "/links")),
    ]

    async with serving(app) as outside:
        strangers = [await outside.get(place) for place in places]
        guessing = [await outside.get(place, headers={"X-API-Key": browser}) for place in places]
        known = [await outside.get(place, headers={"Authorization": f"Bearer {server}"}) for place in places]
        sharing = await outside.post(f"{report}/links", json={"name": "me"})
        shared = await outside.get(link["path"])

    assert {answer.status_code for answer in [*strangers, *guessing, sharing]} == {401}
    assert "www-authenticate" in sharing.headers
    assert [answer.status_code for answer in known] == [200, 200, 200, 200, 200, 404, 200]
    assert known[5].json()["code"] == "no_record"
    assert shared.status_code == 200


async def test_a_key_of_another_project_opens_no_report(
    client: httpx2.AsyncClient, database: Database
) -> None:
    report = await a_report(client, database)
    await client.post("/api/v1/projects", json={"key": "other", "name": "Other"})
    keys = "/api/v1/projects/other/environments/production/keys"
    token = (await client.post(keys, json={"kind": "server", "name": "s"})).json()["token"]

    answer = await client.get(report, headers={"X-API-Key": token})

    assert answer.status_code == 401


async def test_a_link_of_another_report_is_not_found(client: httpx2.AsyncClient, database: Database) -> None:
    one, other = await a_report(client, database), await a_report(client, database)
    link = await a_link(client, one)

    answers = [
        await client.delete(f"{other}/links/{link['id']}"),
        await client.delete(f"{one}/links/{uuid.UUID(int=0)}"),
    ]

    assert [answer.json()["code"] for answer in answers] == ["share_link_not_found"] * 2
    assert (await client.get(link["path"])).status_code == 200
