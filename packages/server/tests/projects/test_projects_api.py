"""Projects and environments over HTTP."""

import asyncio

import anyio.to_thread
import httpx2
import pytest

from assay import migrations
from assay.core.config import Settings
from assay.core.database import open_database
from assay.projects import service as projects
from support_postgres import fresh_database

pytestmark = pytest.mark.anyio


async def test_a_project_begins_with_an_environment(client: httpx2.AsyncClient) -> None:
    made = await client.post("/api/v1/projects", json={"key": "shop", "name": "Shop"})
    environments = await client.get("/api/v1/projects/shop/environments")

    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/projects/shop"
    assert [item["key"] for item in environments.json()["items"]] == ["production"]


async def test_a_key_can_be_taken_only_once(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects", json={"key": "shop", "name": "Shop"})

    again = await client.post("/api/v1/projects", json={"key": "shop", "name": "Other"})

    assert again.status_code == 409
    assert again.json()["code"] == "key_taken"
    assert (await client.get("/api/v1/projects/shop")).json()["name"] == "Shop"


async def test_renaming_changes_the_time_of_change(client: httpx2.AsyncClient) -> None:
    answer = await client.patch("/api/v1/projects/default", json={"name": "Ours"})

    assert answer.json()["name"] == "Ours"


async def test_an_unknown_project_is_a_problem_with_its_key(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/projects/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "project_not_found"
    assert "'nowhere'" in answer.json()["detail"]


async def test_lists_are_walked_by_cursor(client: httpx2.AsyncClient) -> None:
    for number in range(5):
        await client.post("/api/v1/projects", json={"key": f"p{number}", "name": "P"})

    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/v1/projects", params=query)).json()
        seen += [item["key"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert seen == ["default", "p0", "p1", "p2", "p3", "p4"]


@pytest.mark.parametrize("cursor", ["garbage", "AAAA", "%00", "é"])
async def test_a_cursor_of_somebody_else_is_refused(client: httpx2.AsyncClient, cursor: str) -> None:
    answer = await client.get("/api/v1/projects", params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    "body",
    [
        {"key": "Shop", "name": "upper case"},
        {"key": "a/b", "name": "slash"},
        {"key": "", "name": "empty"},
        {"key": "ok", "name": ""},
        {"key": "ok", "name": "x", "extra": 1},
        {"key": "ok", "name": 5},
        {"key": "ok", "name": "nul \x00 inside"},
        {"key": "ok"},
        [],
    ],
)
async def test_what_does_not_fit_is_refused(client: httpx2.AsyncClient, body: object) -> None:
    answer = await client.post("/api/v1/projects", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_an_environment_is_found_by_its_key(client: httpx2.AsyncClient) -> None:
    made = await client.post(
        "/api/v1/projects/default/environments", json={"key": "staging", "name": "Staging"}
    )

    assert made.status_code == 201
    assert (await client.get(made.headers["location"])).json()["revision"] == 0
    assert (await client.get("/api/v1/projects/default/environments/none")).status_code == 404


async def test_servers_that_start_together_agree_on_the_first_project(
    settings: Settings, server_url: str
) -> None:
    url = fresh_database(server_url, "assay_start_together")
    await anyio.to_thread.run_sync(lambda: migrations.upgrade(url, schema=settings.database_schema))
    database = open_database(settings, url)

    async with database.writing() as first:
        await projects.ensure_default(first)
        second = asyncio.create_task(database.write(projects.ensure_default))
        await asyncio.sleep(0.2)
    await second

    async with database.reading() as tx:
        assert (await projects.get_environment(tx, "default", "production")).key == "production"
    await database.close()
