"""Rows of the buffer, or of other files, into new files of the table; nothing is committed here."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from assay.events.lake import scanning, writing
from assay.events.lake.engine import mover
from assay.events.lake.place import Place
from assay.events.lake.table import DataFile

# An identifier is one event as long as it comes again with a time at most this far from the first.
REPEAT_DAYS = 1

# `at` is a word of DuckDB's own.
_ORDER = 'ORDER BY day, kind, name, unit, "at", event_id'
_NEW = f"""
    SELECT batch.* FROM batch
    WHERE NOT EXISTS (
        SELECT 1 FROM near
        WHERE near.event_id = batch.event_id AND near.event_id BETWEEN $smallest AND $largest
          AND near.day BETWEEN batch.day - {REPEAT_DAYS} AND batch.day + {REPEAT_DAYS}
    )
    {_ORDER}
"""  # noqa: S608 — put together from our own constants
_DAYS = "SELECT min(day), max(day) FROM batch"
_IDENTIFIERS = "SELECT min(event_id), max(event_id) FROM batch"
_KEPT = f"""
    SELECT * FROM moved
    WHERE NOT (unit = $unit OR coalesce(list_contains(json_extract_string(units, '$.*'), $unit), false))
    {_ORDER}
"""  # noqa: S608 — put together from our own constants
_MENTIONS = """
    SELECT count(*) FROM moved
    WHERE unit = $unit OR coalesce(list_contains(json_extract_string(units, '$.*'), $unit), false)
"""


def write_new(place: Place, rows: pa.RecordBatchReader, sealed: Sequence[DataFile]) -> list[DataFile]:
    """Files with those rows that the sealed ones do not have yet."""
    with mover() as connection:
        connection.register("incoming", rows)
        connection.execute("CREATE TABLE batch AS SELECT * FROM incoming").fetchall()
        near = _near(connection, sealed)
        if not near:
            return _written(place, connection, f"SELECT * FROM batch {_ORDER}")  # noqa: S608 — our own constant
        scanning.view(connection, "near", place, near)
        # As constants they let DuckDB pass by files of other times when identifiers begin with the time.
        ((smallest, largest),) = connection.execute(_IDENTIFIERS).fetchall()
        return _written(place, connection, _NEW, {"smallest": smallest, "largest": largest})


def merge(place: Place, files: Sequence[DataFile]) -> list[DataFile]:
    """New files with the rows of the given ones."""
    with mover() as connection:
        scanning.view(connection, "moved", place, files)
        return _written(place, connection, f"SELECT * FROM moved {_ORDER}")  # noqa: S608 — our own constant


def without_unit(place: Place, file: DataFile, unit: str) -> list[DataFile] | None:
    """New files with the rows of the given one that are not about the unit; None when all are kept."""
    with mover() as connection:
        scanning.view(connection, "moved", place, [file])
        ((found,),) = connection.execute(_MENTIONS, {"unit": unit}).fetchall()
        return _written(place, connection, _KEPT, {"unit": unit}) if found else None


def _near(connection: duckdb.DuckDBPyConnection, sealed: Sequence[DataFile]) -> list[DataFile]:
    first: date | None
    last: date | None
    ((first, last),) = connection.execute(_DAYS).fetchall()
    if first is None or last is None:
        return []
    around = timedelta(days=REPEAT_DAYS)
    return [file for file in sealed if first - around <= file.day <= last + around]


def _written(
    place: Place,
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: dict[str, str] | None = None,
) -> list[DataFile]:
    reader: Any = connection.sql(query, params=parameters)
    rows: pa.RecordBatchReader = reader.to_arrow_reader(writing.ROWS_PER_GROUP)
    return writing.write_files(place, rows)
