"""How many rows a second are sealed, and reading sealed rows beside the same query on plain Parquet.

Run: `uv run python bench/lake/seal.py [rows] [repetitions]`. PostgreSQL is the embedded one, durable. Rows
are put into the buffer by PostgreSQL itself and sealed in slots of 250,000, one day in four slots; then all
of them are asked for units and sums per arm, through `events.facts` and from one Parquet file of the rows.
"""

import asyncio
import resource
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from sqlalchemy import text

from assay import migrations
from assay.core import embedded
from assay.core.config import Settings
from assay.core.database import Database, WriteSession, open_database
from assay.events import buffer, sealing, service
from assay.projects import service as projects
from assay.sources.service import local_engine

SLOT_ROWS = 250_000
NOW = datetime(2026, 11, 1, tzinfo=UTC)
FILL = text("""
    INSERT INTO event (slot, environment_id, event_id, kind, name, unit, at, received_at, variant, value)
    SELECT (SELECT slot FROM event_buffer), :environment, gen_random_uuid()::text,
        CASE WHEN i % 5 = 0 THEN 'exposure' ELSE 'event' END, CASE WHEN i % 5 = 0 THEN 'e' ELSE 'order' END,
        'unit-' || (i % 500000), CAST(:day AS timestamptz) + (i % 80000) * interval '1 second', now(),
        CASE WHEN i % 5 = 0 THEN CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END END,
        CASE WHEN i % 5 = 0 THEN NULL ELSE i % 97 END
    FROM generate_series(CAST(:first AS bigint), CAST(:first AS bigint) + :rows - 1) AS i
""")
QUERY = """
    WITH exposed AS (
        SELECT unit, min(variant) AS arm, min("at") AS first_at FROM {events}
        WHERE kind = 'exposure' AND name = 'e' GROUP BY unit
    ), per_unit AS (
        SELECT exposed.unit, arm, coalesce(sum(value), 0) AS total
        FROM exposed LEFT JOIN {events} AS happened
          ON happened.unit = exposed.unit AND happened.kind = 'event' AND happened.name = 'order'
            AND happened."at" >= first_at
        GROUP BY ALL
    )
    SELECT arm, count(*), sum(total), sum(total * total) FROM per_unit GROUP BY arm ORDER BY arm
"""


def main(rows: int = 5_000_000, repetitions: int = 3) -> int:
    """Measure both and print rows a second and the ratio."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        Path(folder).chmod(0o755)
        with embedded.start(Path(folder) / "postgres") as postgres:
            migrations.upgrade(postgres.url, schema="assay")
            settings = Settings.model_validate({"data_directory": Path(folder) / "data"})
            environment = asyncio.run(seal(settings, postgres.url, rows))
            read(settings, postgres.url, environment, Path(folder) / "plain.parquet", repetitions)
    return 0


async def seal(settings: Settings, url: str, rows: int) -> uuid.UUID:
    """Fill and seal slot by slot; print the speed of sealing alone."""
    database = open_database(settings, url)
    environment = await database.write(an_environment)
    seconds: list[float] = []
    async with buffer.leading(database):
        for first in range(0, rows, SLOT_ROWS):
            await fill(database, environment, first)
            began = time.perf_counter()
            await sealing.seal_if_due(sealing.Sealer(settings, database, url), now=NOW)
            seconds.append(time.perf_counter() - began)
    await database.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    speeds = [SLOT_ROWS / each for each in (statistics.median(seconds), max(seconds), min(seconds))]
    print(
        "sealed {:,} rows: {:,.0f} rows/s in the median slot, {:,.0f} slowest, {:,.0f} fastest, ".format(
            rows, *speeds
        ),
        end="",
    )
    print(f"peak {peak:,.0f} MB")
    return environment


async def an_environment(tx: WriteSession) -> uuid.UUID:
    """The default one."""
    await projects.ensure_default(tx)
    return (await projects.get_environment(tx, "default", "production")).id


async def fill(database: Database, environment: uuid.UUID, first: int) -> None:
    """A slot's worth of rows."""
    day = f"2026-10-{1 + first // (4 * SLOT_ROWS):02}T00:00:00Z"
    values = {"environment": environment, "day": day, "first": first, "rows": SLOT_ROWS}

    async def work(tx: WriteSession) -> None:
        await tx.execute(FILL, values)

    await database.write(work)


def read(settings: Settings, url: str, environment: uuid.UUID, plain: Path, repetitions: int) -> None:
    """The same question to the facts and to one file."""
    engine = local_engine()
    with service.facts(
        settings, url, engine, environment_id=environment, experiment="e", names=["order"]
    ) as facts:
        engine.con.execute(f"CREATE TEMP VIEW facts AS {engine.compile(facts.table)}").fetchall()
        copy = "COPY (SELECT * FROM facts) TO '{plain}' (COMPRESSION zstd)"
        engine.con.execute(copy.format(plain=plain)).fetchall()
        ours = [seconds_of(lambda: answer(engine.con, "facts")) for _ in range(repetitions)]
        theirs = [
            seconds_of(lambda: answer(engine.con, f"read_parquet('{plain}')")) for _ in range(repetitions)
        ]
        assert answer(engine.con, "facts") == answer(engine.con, f"read_parquet('{plain}')")
    print(f"read through the lake {min(ours):.2f} s, plain Parquet {min(theirs):.2f} s, ", end="")
    print(f"ratio {min(ours) / min(theirs):.2f}")


def answer(connection: duckdb.DuckDBPyConnection, events: str) -> list[tuple[object, ...]]:
    """Units and sums per arm."""
    return connection.execute(QUERY.format(events=events)).fetchall()


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:3])))
