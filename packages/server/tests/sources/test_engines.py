"""Files, DuckDB databases and PostgreSQL, read by engines that can do nothing else."""

import asyncio
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.sources import looking
from assay.sources.connections import Definition, DuckDB, Files, PostgreSQL, Secret
from assay.sources.engines.base import Engine
from assay.sources.engines.opening import Means, opened
from assay.sources.errors import (
    ConnectionFailed,
    PlaceNotAllowed,
    QueryCancelled,
    QueryFailed,
    QueryTimeout,
    QueryTooLarge,
    UnreadableTable,
)
from assay.sources.places import Allowed
from assay.sources.reading import as_events
from assay.sources.running import run
from assay.sources.tables import FilePattern, NamedTable, Relation, Roles, Select
from support_postgres import fresh_database, libpq_url

pytestmark = pytest.mark.anyio
# Filled by the PostgreSQL that the tests happen to run on.
SECRETS: dict[str, str] = {}
SOCKETS: list[Path] = []
ROWS: dict[str, list[Any]] = {
    "user": ["u1", "u2", "u3", None],
    "at": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)],
    "what": ["order", "order", "visit", "order"],
    "amount": [1.5, 2.5, None, 9.0],
    "country": ["de", "fr", "de", "de"],
}
ROLES = Roles.model_validate(
    {"units": {"user": "user"}, "timestamp": "at", "event": {"column": "what"}, "value": "amount"}
)
ENDLESS = "SELECT count(*) AS n FROM big AS a, big AS b WHERE a.n * b.n % 7 = 3"


def means(*roots: Path, seconds: float = 30) -> Means:
    return Means(Allowed([*roots, *SOCKETS]), timeout_seconds=seconds, environment=SECRETS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two Parquet files, a CSV file, and a DuckDB database with the same rows."""
    table = pa.table(ROWS)
    (tmp_path / "orders").mkdir()
    pq.write_table(table.slice(0, 2), tmp_path / "orders" / "1.parquet")
    pq.write_table(table.slice(2), tmp_path / "orders" / "2.parquet")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as shop:
        shop.register("rows", table)
        shop.execute("CREATE TABLE orders AS SELECT * FROM rows")
        shop.execute("CREATE TABLE big AS SELECT range AS n FROM range(1_000_000)")
        shop.execute(f"COPY orders TO '{tmp_path / 'orders.csv'}' (HEADER)")
    return tmp_path


@pytest.fixture(scope="module")
def shop(server_url: str) -> Iterator[PostgreSQL]:
    """The same rows in PostgreSQL."""
    url = libpq_url(fresh_database(server_url, f"assay_shop_{os.getpid()}"))
    with psycopg.connect(url) as connection:
        connection.execute(
            'CREATE TABLE orders ("user" text, at timestamptz, what text, amount float8, country text)'
        )
        with connection.cursor().copy("COPY orders FROM STDIN") as copy:
            for row in zip(*ROWS.values(), strict=True):
                copy.write_row(row)
        connection.execute("CREATE TABLE big AS SELECT generate_series(1, 300000) AS n")
        connection.commit()
        connection.execute("ANALYZE")
        connection.commit()
        info = connection.info
        SECRETS["ASSAY_SECRET_SHOP"] = info.password
        SOCKETS[:] = [Path(info.host)] if info.host.startswith("/") else []
        yield PostgreSQL(
            kind="postgresql", host=info.host, port=info.port, database=info.dbname, user=info.user,
            password=Secret(env="ASSAY_SECRET_SHOP") if info.password else None,
        )  # fmt: skip


@pytest.fixture(params=["parquet", "csv", "duckdb", "postgresql"])
def orders(request: pytest.FixtureRequest, folder: Path, shop: PostgreSQL) -> tuple[Definition, Relation]:
    match request.param:
        case "parquet":
            return Files(kind="files", folder=str(folder)), FilePattern(
                kind="files", pattern="orders/*.parquet"
            )
        case "csv":
            return Files(kind="files", folder=str(folder)), FilePattern(kind="files", pattern="*.csv")
        case "duckdb":
            return DuckDB(kind="duckdb", path=str(folder / "shop.duckdb")), NamedTable(
                kind="table", name="orders"
            )
        case _:
            return shop, NamedTable(kind="table", name="orders", namespace="public")


@contextmanager
def open_on(definition: Definition, folder: Path, seconds: float = 30) -> Generator[Engine]:
    with opened(definition, means(folder, seconds=seconds)) as engine:
        yield engine


async def test_every_engine_reads_the_same_events(orders: tuple[Definition, Relation], folder: Path) -> None:
    definition, relation = orders

    with open_on(definition, folder) as engine:
        events = as_events(engine.table(relation), ROLES, unit="user").order_by("unit").to_pyarrow()

    assert events.to_pylist() == [
        {
            "event_id": None, "kind": "event", "name": name, "unit": unit, "at": at, "variant": None,
            "value": value, "country": country,
        }
        for unit, at, name, value, country in list(zip(*ROWS.values(), strict=True))[:3]
    ]  # fmt: skip


async def test_a_profile_says_what_the_columns_hold(
    orders: tuple[Definition, Relation], folder: Path
) -> None:
    found = await looking.profile(*orders, ROLES, means(folder), max_bytes=0, is_cancelled=_never)

    columns = {column.name: column for column in found.columns}
    assert found.rows == 4
    assert columns["user"].null_share == 0.25
    assert columns["user"].role == "units.user"
    assert (columns["country"].lowest, columns["country"].highest) == ("de", "fr")
    assert columns["amount"].quantiles["0.5"] == 2.5
    assert columns["country"].quantiles == {}


async def test_a_sample_has_as_many_rows_as_asked(orders: tuple[Definition, Relation], folder: Path) -> None:
    found = await looking.sample(*orders, means(folder), rows=2, max_bytes=0, is_cancelled=_never)

    assert found.columns == list(ROWS)
    assert len(found.rows) == 2


async def test_the_price_is_known_before(orders: tuple[Definition, Relation], folder: Path) -> None:
    found = await looking.estimate(*orders, ROLES, means(folder), max_bytes=1)

    assert found.scanned_bytes is not None
    assert found.scanned_bytes > 1
    assert found.rows in {4, None}


async def test_too_much_is_refused_with_both_figures(
    orders: tuple[Definition, Relation], folder: Path
) -> None:
    with pytest.raises(QueryTooLarge, match=r"would scan \d[\d,]* bytes .* may scan 1;"):
        await looking.profile(*orders, ROLES, means(folder), max_bytes=1, is_cancelled=_never)


@pytest.fixture(params=["duckdb", "postgresql"])
def database(request: pytest.FixtureRequest, folder: Path, shop: PostgreSQL) -> Definition:
    return shop if request.param == "postgresql" else DuckDB(kind="duckdb", path=str(folder / "shop.duckdb"))


async def test_a_select_is_a_table(database: Definition, folder: Path) -> None:
    relation = Select(kind="select", sql="SELECT what, count(*) AS n FROM orders GROUP BY what ORDER BY n")

    with open_on(database, folder) as engine:
        found = engine.table(relation).to_pyarrow().to_pylist()

    assert found == [{"what": "visit", "n": 1}, {"what": "order", "n": 3}]


async def test_a_query_that_takes_too_long_is_a_timeout(database: Definition, folder: Path) -> None:
    endless = Select(kind="select", sql=ENDLESS)

    with pytest.raises(QueryTimeout, match=r"longer than 0\.5 s and was stopped; there is no result"):
        await run(database, means(folder, seconds=0.5), lambda engine: engine.table(endless).to_pyarrow())


async def test_a_query_stops_when_somebody_says_so(database: Definition, folder: Path) -> None:
    endless = Select(kind="select", sql=ENDLESS)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, stop.set)
    started = asyncio.get_running_loop().time()

    async def is_cancelled() -> bool:
        return stop.is_set()

    with pytest.raises(QueryCancelled):
        await run(
            database,
            means(folder),
            lambda engine: engine.table(endless).to_pyarrow(),
            is_cancelled=is_cancelled,
        )

    assert asyncio.get_running_loop().time() - started < 5


async def test_the_connection_itself_cannot_write(database: Definition, folder: Path) -> None:
    with pytest.raises(QueryFailed, match="read-only"), open_on(database, folder) as engine:
        execute(engine, "CREATE TABLE mine (n integer)")


async def test_a_missing_table_is_the_engines_own_sentence(database: Definition, folder: Path) -> None:
    with pytest.raises(QueryFailed, match="nowhere"), open_on(database, folder) as engine:
        engine.table(NamedTable(kind="table", name="nowhere"))


async def test_files_outside_the_roots_are_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (folder / "link.parquet").symlink_to(folder / "orders" / "1.parquet")
    (outside / "link.parquet").symlink_to(folder / "orders" / "1.parquet")

    for definition in (
        Files(kind="files", folder=str(folder)),
        DuckDB(kind="duckdb", path=str(folder / "shop.duckdb")),
    ):
        with pytest.raises(PlaceNotAllowed, match="ASSAY_SOURCE_ROOTS"), open_on(definition, outside):
            pass
    with (
        pytest.raises(PlaceNotAllowed),
        open_on(Files(kind="files", folder=str(outside)), outside) as engine,
    ):
        engine.table(FilePattern(kind="files", pattern="*.parquet"))
    with open_on(Files(kind="files", folder=str(folder)), folder) as engine:
        assert (
            engine.table(FilePattern(kind="files", pattern="link.parquet")).count().to_pyarrow().as_py() == 2
        )


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("../*.parquet", "must stay below"),
        ("/etc/*.csv", "must stay below"),
        ("*.nothing", "no file matches"),
        ("**/*", "neither CSV nor Parquet"),
        ("orders*/../*", "must stay below"),
    ],
)
async def test_a_pattern_names_files_below_the_folder(folder: Path, pattern: str, sentence: str) -> None:
    with (
        pytest.raises(UnreadableTable, match=sentence),
        open_on(Files(kind="files", folder=str(folder)), folder) as engine,
    ):
        engine.table(FilePattern(kind="files", pattern=pattern))


async def test_an_engine_over_files_reads_no_other(folder: Path) -> None:
    definition = Files(kind="files", folder=str(folder))
    read = FilePattern(kind="files", pattern="orders.csv")
    (folder / "secret.csv").write_text("a\n1\n")

    with pytest.raises(QueryFailed, match="disabled by configuration"), open_on(definition, folder) as engine:  # noqa: PT012 — the engine closes its doors when it has read its own
        engine.table(read)
        execute(engine, f"FROM '{folder}/secret.csv'")


async def test_a_database_that_is_away_is_one_sentence(folder: Path) -> None:
    away = PostgreSQL(kind="postgresql", host="127.0.0.1", port=1, database="shop", user="reader")

    with (
        pytest.raises(ConnectionFailed, match="postgresql connection cannot be opened"),
        open_on(away, folder),
    ):
        pass


def execute(engine: Any, statement: str) -> None:
    """Goes around everything but the connection itself."""
    engine.backend.con.execute(statement)


async def _never() -> bool:
    return False
