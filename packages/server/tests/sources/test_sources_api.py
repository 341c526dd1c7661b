"""Connections and tables over HTTP: kept without secrets, checked when saved, looked at in the background."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI

from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import perform
from assay.main import build_app
from assay.sources.handlers import handlers
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio
ROOT = "/api/v1/projects/default"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"database_url": database_url, "worker_enabled": False, "source_roots": f"/nowhere,{tmp_path}"}
    )


@pytest.fixture
def app(settings: Settings, database: Database) -> FastAPI:
    """An application of its own, for its folders."""
    return build_app(settings, lambda: borrowed(database))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = {"user": ["a", "b"], "at": [1, 2], "amount": [1.0, None], "note": ["x", "y"]}
    table = pa.table(rows).cast(
        pa.schema(
            [
                pa.field("user", pa.string()),
                pa.field("at", pa.timestamp("us", "UTC")),
                pa.field("amount", pa.float64()),
                pa.field("note", pa.string()),
            ]
        )
    )
    pq.write_table(table, tmp_path / "orders.parquet")
    return tmp_path


@pytest.fixture
async def committing(settings: Settings, committing_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose writes are committed: the worker reads on connections of its own."""
    async with serving(build_app(settings, lambda: borrowed(committing_database))) as http:
        yield http


def a_connection(folder: Path, key: str = "disk") -> dict[str, Any]:
    return {"key": key, "name": "Disk", "definition": {"kind": "files", "folder": str(folder)}}


def a_table(key: str = "orders", **parts: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": "Orders",
        "connection": "disk",
        "relation": {"kind": "files", "pattern": "*.parquet"},
        "roles": {
            "units": {"user": "user"},
            "timestamp": "at",
            "event": {"constant": "order"},
            "value": "amount",
        },
    } | parts


async def test_a_connection_is_read_as_it_was_made(client: httpx2.AsyncClient, folder: Path) -> None:
    made = await client.post(f"{ROOT}/connections", json=a_connection(folder))

    assert made.status_code == 201
    assert (await client.get(made.headers["location"])).json() == made.json()
    assert (await client.post(f"{ROOT}/connections", json=a_connection(folder))).json()["code"] == (
        "connection_key_taken"
    )
    assert (await client.post(f"{ROOT}/connections/disk/check")).json() == {"tables": ["orders.parquet"]}


async def test_a_secret_is_named_and_never_shown(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_SECRET_SHOP", "hunter2")
    definition = {
        "kind": "postgresql", "host": "127.0.0.1", "port": 1, "database": "hunter2", "user": "reader",
        "password": {"env": "ASSAY_SECRET_SHOP"},
    }  # fmt: skip
    body = {"key": "shop", "name": "Shop", "definition": definition}

    made = await client.post(f"{ROOT}/connections", json=body)
    checked = await client.post(f"{ROOT}/connections/shop/check")

    assert made.json()["definition"]["password"] == {"env": "ASSAY_SECRET_SHOP"}
    assert checked.status_code == 422
    assert checked.json()["code"] == "connection_failed"
    assert "hunter2" not in checked.text


async def test_a_table_is_checked_when_it_is_saved(client: httpx2.AsyncClient, folder: Path) -> None:
    await client.post(f"{ROOT}/connections", json=a_connection(folder))
    roles = a_table()["roles"]

    wrong_type = await client.post(f"{ROOT}/tables", json=a_table(roles=roles | {"value": "note"}))
    missing = await client.post(f"{ROOT}/tables", json=a_table(roles=roles | {"value": "price"}))
    nowhere = await client.post(f"{ROOT}/tables", json=a_table(connection="away"))
    built_in = await client.post(f"{ROOT}/tables", json=a_table(connection="lake"))
    made = await client.post(f"{ROOT}/tables", json=a_table())

    assert [answer.json()["code"] for answer in (wrong_type, missing, nowhere, built_in)] == [
        "unusable_column", "unknown_column", "unknown_connection", "unknown_connection",
    ]  # fmt: skip
    assert made.status_code == 201
    assert (await client.get(made.headers["location"])).json() == made.json()


async def test_the_price_of_a_table_is_told(client: httpx2.AsyncClient, folder: Path) -> None:
    await client.post(f"{ROOT}/connections", json=a_connection(folder))
    await client.post(f"{ROOT}/tables", json=a_table())

    estimate = (await client.post(f"{ROOT}/tables/orders/estimate")).json()
    checked = (await client.post(f"{ROOT}/tables/orders/check")).json()

    assert estimate["rows"] == 2
    assert 0 < estimate["scanned_bytes"] < estimate["allowed_bytes"]
    assert [(column["name"], column["role"]) for column in checked["columns"]] == [
        ("user", "units.user"), ("at", "timestamp"), ("amount", "value"), ("note", None),
    ]  # fmt: skip


async def test_a_connection_goes_after_its_tables(client: httpx2.AsyncClient, folder: Path) -> None:
    await client.post(f"{ROOT}/connections", json=a_connection(folder))
    await client.post(f"{ROOT}/tables", json=a_table())

    refused = await client.delete(f"{ROOT}/connections/disk")
    renamed = await client.put(
        f"{ROOT}/tables/orders", json={k: v for k, v in a_table(name="All").items() if k != "key"}
    )
    await client.delete(f"{ROOT}/tables/orders")
    gone = await client.delete(f"{ROOT}/connections/disk")

    assert (refused.status_code, refused.json()["code"]) == (409, "connection_in_use")
    assert renamed.json()["name"] == "All"
    assert gone.status_code == 204
    changes = (await client.get(f"{ROOT}/audit")).json()["items"]
    assert [change["action"] for change in changes] == [
        "connection.deleted", "table.deleted", "table.replaced", "table.created", "connection.created",
    ]  # fmt: skip


async def test_a_folder_that_nobody_allowed_is_refused(
    client: httpx2.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    await client.post(f"{ROOT}/connections", json=a_connection(outside))

    answer = await client.post(f"{ROOT}/connections/disk/check")

    assert answer.json()["code"] == "place_not_allowed"


@pytest.mark.parametrize("kind", ["sample", "profile"])
async def test_a_first_look_runs_in_the_background(
    committing: httpx2.AsyncClient,
    committing_database: Database,
    settings: Settings,
    folder: Path,
    kind: str,
) -> None:
    root = await a_project_with_a_table(committing, folder)

    begun = await committing.post(f"{root}/tables/orders/queries", json={"kind": kind})
    early = await committing.get(f"{begun.headers['location']}/result")
    await perform(committing_database, uuid.UUID(begun.json()["id"]), handlers(settings, committing_database))
    found = (await committing.get(f"{begun.headers['location']}/result")).json()

    assert (begun.status_code, early.status_code) == (202, 409)
    assert found["kind"] == kind
    if kind == "sample":
        assert found["rows"][0] == ["a", "1970-01-01T00:00:00.000001Z", 1.0, "x"]
    else:
        assert [column["null_share"] for column in found["columns"]] == [0, 0, 0.5, 0]


@pytest.mark.parametrize(("asked", "code"), [(True, "query_cancelled"), (False, "query_timeout")])
async def test_a_query_that_is_stopped_has_failed_and_says_why(
    committing: httpx2.AsyncClient,
    committing_database: Database,
    settings: Settings,
    folder: Path,
    asked: bool,
    code: str,
) -> None:
    root = await a_project_with_a_table(committing, folder)
    begun = await committing.post(f"{root}/tables/orders/queries", json={"kind": "profile"})
    place = begun.headers["location"]
    if asked:
        assert (await committing.post(f"{place}/cancel")).status_code == 202
        assert (await committing.post(f"{place}/cancel")).status_code == 202

    hurried = settings.model_copy(update={"source_timeout_seconds": 1e-9})
    await perform(
        committing_database,
        uuid.UUID(begun.json()["id"]),
        handlers(settings if asked else hurried, committing_database),
    )

    task = (await committing.get(place)).json()
    assert (task["state"], task["error_code"]) == ("FAILED", code)
    assert "there is no result" in task["error"]


async def a_project_with_a_table(client: httpx2.AsyncClient, folder: Path) -> str:
    key = f"p{uuid.uuid4().hex}"
    await client.post("/api/v1/projects", json={"key": key, "name": key})
    root = f"/api/v1/projects/{key}"
    await client.post(f"{root}/connections", json=a_connection(folder))
    assert (await client.post(f"{root}/tables", json=a_table())).status_code == 201
    return root
