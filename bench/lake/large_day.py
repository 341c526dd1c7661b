"""What sealing one batch costs beside a day that has millions of rows already.

Run: `uv run python bench/lake/large_day.py [millions …]`. The day's files are written by DuckDB; then a slot
of 250,000 rows of that day, none of them a repeat, is moved beside them. Once with random identifiers, which
any file may hold, and once with identifiers that begin with the time, as those of UUID's version 7 do.
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
    SELECT {prefix} || uuid()::varchar AS event_id, 'event' AS kind, 'order_' || i % 5 AS name,
        'unit-' || i % 500000 AS unit, NULL::varchar AS units,
        timestamptz '2026-10-01 00:00:00Z' + i % 80000 * interval 1 second AS "at",
        timestamptz '2026-10-01 00:00:00Z' AS received_at, NULL::varchar AS variant,
        (i % 97)::double AS value, NULL::varchar AS properties
    FROM range({rows}) AS numbers (i)
"""


def main(millions: list[int]) -> int:
    """Measures beside each of these sizes, with both kinds of identifiers."""
    for name, prefix in (("random", "''"), ("time first", "printf('%016x', i + {first})")):
        print(f"identifiers: {name}")
        measure(millions, prefix)
    return 0


def measure(millions: list[int], prefix: str) -> None:
    """Measures beside each of these sizes."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        place = Place(url=folder, root=folder, path=folder)
        (Path(folder) / f"day={DAY}").mkdir()
        files: list[DataFile] = []
        for size in millions:
            while len(files) * FILE_ROWS < size * 1_000_000:
                files.append(a_file(place, len(files), prefix))
            slot = a_slot(len(files), prefix)
            before, began = time.process_time(), time.perf_counter()
            moving.write_new(place, slot, files)
            cpu, wall = time.process_time() - before, time.perf_counter() - began
            each = 1e6 * cpu / SLOT_ROWS
            print(
                f"{size:4} million rows in the day: {each:6.1f} µs of processor an event, {wall:.1f} s",
                flush=True,
            )


def a_file(place: Place, number: int, prefix: str) -> DataFile:
    """Another two million rows of the day."""
    path = f"day={DAY}/{number}.parquet"
    rows = f"{rows_of(FILE_ROWS, number, prefix)} ORDER BY kind, name, unit"
    in_utc().execute(f"COPY ({rows}) TO '{place.of(path)}' (COMPRESSION zstd)").fetchall()
    return DataFile(path, DAY, FILE_ROWS, Path(place.of(path)).stat().st_size)


def a_slot(number: int, prefix: str) -> pa.RecordBatchReader:
    """A slot's rows as they come from PostgreSQL."""
    query = f"SELECT *, date '{DAY}' AS day FROM ({rows_of(SLOT_ROWS, number, prefix)})"  # noqa: S608 — our own constant
    return in_utc().sql(query).to_arrow_table().to_reader()


def rows_of(rows: int, number: int, prefix: str) -> str:
    """So many rows, as many as come after `number` files."""
    return ROWS.format(rows=rows, prefix=prefix.format(first=number * FILE_ROWS))


def in_utc() -> duckdb.DuckDBPyConnection:
    """A DuckDB whose moments are UTC's."""
    connection = duckdb.connect()
    connection.execute("LOAD icu; SET TimeZone = 'UTC'").fetchall()
    return connection


if __name__ == "__main__":
    sys.exit(main([int(argument) for argument in sys.argv[1:]] or [0, 2, 10, 20]))
