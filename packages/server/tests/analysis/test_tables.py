"""Experiments read from tables, over HTTP: the same rows as events give the same results."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import httpx2
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from assay.analysis.handlers import handlers
from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import perform
from assay.main import build_app
from support_app import borrowed, serving
from support_postgres import fresh_database, libpq_url

pytestmark = pytest.mark.anyio
START = datetime.fromisoformat("2026-11-02T06:00:00+00:00")
EXPOSURES = [
    {"who": f"u{n}", "at": START + timedelta(hours=n % 50), "arm": "ab"[n % 2], "experiment": "e", "n": n % 3}
    for n in range(40)
]
ORDERS: list[dict[str, Any]] = [
    {
        "who": f"u{n % 44}", "at": START + timedelta(hours=(n * 37) % 200 - 60), "what": "order",
        "amount": (n * 17 % 23) + 0.25 * (n % 5), "country": ["de", "fr", None][n % 3], "lines": n % 4 + 1,
    }
    for n in range(160)
]  # fmt: skip
DEFINITIONS: dict[str, dict[str, Any]] = {
    "spent": {"kind": "mean", "event": "order", "lookback_hours": 48},
    "bought": {
        "kind": "proportion", "event": "order", "conversion_hours": 24,
        "filters": [{"property": "country", "operator": "equals", "value": "de"}],
    },
    "basket": {
        "kind": "ratio", "numerator": {"event": "order", "property": "lines"},
        "denominator": {"event": "order", "aggregate": "count"},
    },
    "days": {"kind": "distinct", "event": "order"},
    "countries": {"kind": "distinct", "event": "order", "property": "country"},
}  # fmt: skip
EVENT_ROLES = {
    "units": {"user": "who"}, "timestamp": "at", "event": {"column": "what"}, "value": "amount"
}  # fmt: skip
EXPOSURE_ROLES = {
    "units": {"user": "who"}, "timestamp": "at", "variant": "arm", "experiment": {"column": "experiment"}
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(server_url: str) -> Iterator[Mapping[str, Any]]:
    """A connection to the tables in PostgreSQL."""
    with psycopg.connect(libpq_url(fresh_database(server_url, f"assay_tables_{os.getpid()}"))) as there:
        there.execute(
            "CREATE TABLE orders "
            "(who text, at timestamptz, what text, amount numeric, country text, lines int)"
        )
        there.execute("CREATE TABLE seen (who text, at timestamptz, arm text, experiment text, n int)")
        for name, rows in (("orders", ORDERS), ("seen", EXPOSURES)):
            with there.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy:
                for row in rows:
                    copy.write_row(list(row.values()))
        there.commit()
        info = there.info
        os.environ["ASSAY_SECRET_TABLES"] = info.password
        yield {
            "kind": "postgresql", "host": info.host, "port": info.port, "database": info.dbname,
            "user": info.user, "password": {"env": "ASSAY_SECRET_TABLES"} if info.password else None,
        }  # fmt: skip
        del os.environ["ASSAY_SECRET_TABLES"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tables as a DuckDB file and as Parquet."""
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as made:
        for name, rows in (("orders", ORDERS), ("seen", EXPOSURES)):
            table = pa.Table.from_pylist(rows)
            made.from_arrow(table).create(name)
            pq.write_table(table, tmp_path / f"{name}.parquet")
    return tmp_path


@pytest.fixture
def settings(database_url: str, folder: Path, shop: Mapping[str, Any]) -> Settings:
    roots = [str(folder), *([shop["host"]] if shop["host"].startswith("/") else [])]
    return Settings.model_validate(
        {"database_url": database_url, "worker_enabled": False, "source_roots": ",".join(roots)}
    )


@pytest.fixture
async def client(settings: Settings, committing_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose writes are committed: the analysis reads on connections of its own."""
    async with serving(build_app(settings, lambda: borrowed(committing_database))) as http:
        yield http


@pytest.fixture
async def expected(
    client: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> dict[str, Any]:
    """What the rows give as events."""
    root = await a_project(client, "as-events")
    if (await client.get(f"{root}/experiments/e")).status_code == 404:
        await send(client, "as-events", [*map(exposure, EXPOSURES), *map(order, ORDERS)])
        await define(client, root, source=None, assignments={"source": "exposures"})
    return await document(client, root, settings, committing_database, database_url)


@pytest.mark.parametrize(
    ("place", "exposed_by"),
    [
        ("duckdb", "exposures"),
        ("postgresql", "table"),
        ("files", "table elsewhere"),
        *(
            pytest.param(place, exposed_by, marks=pytest.mark.slow)
            for place, exposed_by in (
                ("files", "exposures"), ("postgresql", "exposures"), ("files", "table"), ("duckdb", "table"),
                ("duckdb", "table elsewhere"), ("postgresql", "table elsewhere"),
            )
        ),
    ],
)  # fmt: skip
async def test_tables_give_the_results_of_the_same_events(
    client: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str,
    folder: Path, shop: Mapping[str, Any], expected: dict[str, Any], place: str, exposed_by: str,
) -> None:  # fmt: skip
    project = f"{place}-{exposed_by.replace(' ', '-')}"
    root = await a_project(client, project)
    await connect(client, root, folder, shop)
    await add_table(client, root, "orders", place, EVENT_ROLES)
    elsewhere = "files" if place == "postgresql" else "postgresql"
    await add_table(client, root, "seen", place if exposed_by == "table" else elsewhere, EXPOSURE_ROLES)
    if exposed_by == "exposures":
        await send(client, project, list(map(exposure, EXPOSURES)))
    assignments = (
        {"source": "exposures"} if exposed_by == "exposures" else {"source": "table", "table": "seen"}
    )
    await define(client, root, source="orders", assignments=assignments)

    found = await document(client, root, settings, committing_database, database_url)

    assert found["arms"] == expected["arms"]
    assert [metric["failure"] for metric in found["metrics"]] == [None] * len(DEFINITIONS)
    assert_same(found["metrics"], expected["metrics"])


async def test_a_table_that_fails_blanks_its_own_metrics_alone(
    client: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str,
    folder: Path, shop: Mapping[str, Any],
) -> None:  # fmt: skip
    root = await a_project(client, "half")
    await connect(client, root, folder, shop)
    await add_table(client, root, "orders", "duckdb", EVENT_ROLES)
    await add_table(client, root, "gone", "files", EVENT_ROLES, relation="orders")
    await send(client, "half", list(map(exposure, EXPOSURES)))
    extra = {"lost": DEFINITIONS["spent"], "never": DEFINITIONS["days"]}
    await define(client, root, source="orders", assignments={"source": "exposures"}, gone=extra)
    (folder / "orders.parquet").unlink()

    found = await document(client, root, settings, committing_database, database_url)

    by_key = {metric["metric"]: metric for metric in found["metrics"]}
    assert by_key["spent"]["arms"][0]["mean"] > 0
    assert by_key["lost"]["comparisons"] == []
    assert f"no file matches {str(folder / 'orders.parquet')!r}" in by_key["lost"]["failure"]["sentence"]


async def test_an_experiment_needs_a_table_of_exposures(
    client: httpx2.AsyncClient, folder: Path, shop: Mapping[str, Any]
) -> None:
    root = await a_project(client, "refused")
    await connect(client, root, folder, shop)
    await add_table(client, root, "orders", "duckdb", EVENT_ROLES)

    wrong = await create(client, root, [], {"source": "table", "table": "orders"})
    missing = await create(client, root, [], {"source": "table", "table": "nowhere"})

    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_design")
    assert (missing.status_code, missing.json()["code"]) == (422, "unknown_table")


async def a_project(client: httpx2.AsyncClient, key: str) -> str:
    await client.post("/api/v1/projects", json={"key": key, "name": key})
    return f"/api/v1/projects/{key}"


async def send(client: httpx2.AsyncClient, project: str, events: list[dict[str, Any]]) -> None:
    sent = await client.post("/api/v1/events", json=events, params={"project": project})
    assert sent.json()["rejected"] == 0, sent.text


async def connect(client: httpx2.AsyncClient, root: str, folder: Path, shop: Mapping[str, Any]) -> None:
    places = {
        "files": {"kind": "files", "folder": str(folder)},
        "duckdb": {"kind": "duckdb", "path": str(folder / "shop.duckdb")},
        "postgresql": shop,
    }
    for key, definition in places.items():
        body = {"key": key, "name": key, "definition": definition}
        assert (await client.post(f"{root}/connections", json=body)).status_code == 201


async def add_table(
    client: httpx2.AsyncClient, root: str, key: str, place: str, roles: Mapping[str, Any], relation: str = ""
) -> None:
    name = relation or key
    where = (
        {"kind": "files", "pattern": f"{name}.parquet"}
        if place == "files"
        else {"kind": "table", "name": name}
    )
    body = {"key": key, "name": key, "connection": place, "relation": where, "roles": roles}
    made = await client.post(f"{root}/tables", json=body)
    assert made.status_code == 201, made.text


async def define(
    client: httpx2.AsyncClient,
    root: str,
    *,
    source: str | None,
    assignments: Mapping[str, Any],
    gone: Mapping[str, Any] | None = None,
) -> None:
    for where, definitions in ((source, DEFINITIONS), ("gone", gone or {})):
        for key, definition in definitions.items():
            body = {"key": key, "name": key, "definition": definition, "source": where}
            assert (await client.post(f"{root}/metrics", json=body)).status_code == 201
    made = await create(client, root, [*DEFINITIONS, *(gone or {})], assignments)
    assert made.status_code == 201, made.text


async def create(
    client: httpx2.AsyncClient, root: str, metrics: list[str], assignments: Mapping[str, Any]
) -> httpx2.Response:
    body = {
        "key": "e", "name": "E", "arms": [{"key": "a"}, {"key": "b"}], "control": "a",
        "metrics": metrics, "assignments": assignments,
    }  # fmt: skip
    return await client.post(f"{root}/experiments", json=body)


async def document(
    client: httpx2.AsyncClient, root: str, settings: Settings, database: Database, url: str
) -> dict[str, Any]:
    task = (await client.post(f"{root}/experiments/e/results")).json()
    await perform(database, task["id"], handlers(settings, database, url))
    answer = await client.get(f"{root}/experiments/e/results/{task['id']}/document")
    assert answer.status_code == 200, answer.text
    return answer.json()["document"]


def exposure(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "exposure", "experiment": "e", "variant": row["arm"], "unit": row["who"],
        "at": row["at"].isoformat(), "properties": {"n": row["n"]},
    }  # fmt: skip


def order(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: row[key] for key in ("country", "lines") if row[key] is not None}
    return {
        "kind": "event", "name": "order", "unit": row["who"], "value": row["amount"],
        "at": row["at"].isoformat(), "properties": known,
    }  # fmt: skip


def assert_same(found: object, expected: object) -> None:
    there, wanted = dict(leaves(found)), dict(leaves(expected))
    assert there.keys() == wanted.keys()
    for place, value in wanted.items():
        if isinstance(value, float):
            assert there[place] == pytest.approx(value, rel=1e-9, abs=1e-9), place
        else:
            assert there[place] == value, place


def leaves(part: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Every value of a document by its place; the SQL names other tables."""
    if isinstance(part, dict):
        for key, value in cast("dict[str, object]", part).items():
            yield from leaves(value, f"{place}.{key}") if key != "sql" else ()
    elif isinstance(part, list):
        for number, value in enumerate(cast("list[object]", part)):
            yield from leaves(value, f"{place}[{number}]")
    else:
        yield place, part
