"""The same plan on the same rows gives the same numbers on every engine."""

import os
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from assay.sources.connections import Files, PostgreSQL, Secret
from assay.sources.engines.opening import Means, opened
from assay.sources.places import Allowed
from assay.sources.tables import FilePattern, NamedTable
from support_engines import COLUMNS, assert_same_numbers, numbers_of, write_events
from support_postgres import fresh_database, libpq_url

VARIABLE = "ASSAY_SECRET_TEST"


@pytest.fixture
def shop(server_url: str, tmp_path: Path) -> tuple[PostgreSQL, str]:
    """The file's rows in PostgreSQL, and the password of its role."""
    path = write_events(tmp_path / "events.parquet")
    url = libpq_url(fresh_database(server_url, f"assay_engines_{os.getpid()}"))
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE events (kind text, name text, unit text, at timestamptz, variant text, "
            "value float8, properties text)"
        )
        with connection.cursor().copy("COPY events FROM STDIN") as copy:
            for row in pq.read_table(path).to_pylist():
                copy.write_row([row[column] for column in COLUMNS])
        info, password = connection.info, connection.info.password
        definition = PostgreSQL(
            kind="postgresql", host=info.host, port=info.port, database=info.dbname, user=info.user,
            password=Secret(env=VARIABLE) if password else None,
        )  # fmt: skip
    return definition, password


def test_postgresql_agrees_with_duckdb(shop: tuple[PostgreSQL, str], tmp_path: Path) -> None:
    definition, password = shop
    means = Means(Allowed(None), timeout_seconds=60, environment={VARIABLE: password})

    with opened(Files(kind="files", folder=str(tmp_path)), means) as duckdb:
        expected = numbers_of(duckdb.table(FilePattern(kind="files", pattern="*.parquet")))
    with opened(definition, means) as postgresql:
        found = numbers_of(postgresql.table(NamedTable(kind="table", name="events")))

    assert_same_numbers(found, expected)
