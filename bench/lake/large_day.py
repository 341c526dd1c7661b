"""What sealing one batch costs beside a day that has millions of rows already.

Run: `uv run python bench/lake/large_day.py [millions …]`. The day's files are written by DuckDB with random
identifiers; then a slot of 250,000 rows of that day, none of them a repeat, is moved beside them.
"""

import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from assay.events.lake import moving
from assay.events.lake.place import Place
from assay.events.lake.table import DataFile

SLOT_ROWS = 250_000
FILE_ROWS = 2_000_000
DAY = date(2026, 10, 1)
ROWS = """
    SELECT uuid()::varchar AS event_id, 'event' AS kind, 'order_' || i % 5 AS name,
        'unit-' || i % 500000 AS unit, NULL::varchar AS units,
        timestamptz '2026-10-01 00:00:00Z' + i % 80000 * interval 1 second AS "at",
        timestamptz '2026-10-01 00:00:00Z' AS received_at, NULL::varchar AS variant,
        (i % 97)::double AS value, NULL::varchar AS properties
    FROM range({rows}) AS numbers (i)
"""


def main(millions: list[int]) -> int:
    """Measures beside each of these sizes."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        place = Place(url=folder, root=folder, path=folder)
        (Path(folder) / f"day={DAY}").mkdir()
        files: list[DataFile] = []
        for size in millions:
            while len(files) * FILE_ROWS < size * 1_000_000:
                files.append(a_file(place, len(files)))
            before, began = time.process_time(), time.perf_counter()
            moving.write_new(place, a_slot(), files)
            cpu, wall = time.process_time() - before, time.perf_counter() - began
            each = 1e6 * cpu / SLOT_ROWS
            print(
                f"{size:4} million rows in the day: {each:6.1f} µs of processor an event, {wall:.1f} s",
                flush=True,
            )
    return 0


def a_file(place: Place, number: int) -> DataFile:
    """Another two million rows of the day."""
    path = f"day={DAY}/{number}.parquet"
    rows = f"{ROWS.format(rows=FILE_ROWS)} ORDER BY kind, name, unit"
    in_utc().execute(f"COPY ({rows}) TO '{place.of(path)}' (COMPRESSION zstd)").fetchall()
    return DataFile(path, DAY, FILE_ROWS, Path(place.of(path)).stat().st_size)


def a_slot() -> pa.RecordBatchReader:
    """A slot's rows as they come from PostgreSQL."""
    query = f"SELECT *, date '{DAY}' AS day FROM ({ROWS.format(rows=SLOT_ROWS)})"  # noqa: S608 — our own constant
    return in_utc().sql(query).to_arrow_table().to_reader()


def in_utc() -> duckdb.DuckDBPyConnection:
    """A DuckDB whose moments are UTC's."""
    connection = duckdb.connect()
    connection.execute("LOAD icu; SET TimeZone = 'UTC'").fetchall()
    return connection


if __name__ == "__main__":
    sys.exit(main([int(argument) for argument in sys.argv[1:]] or [0, 2, 10, 20]))
