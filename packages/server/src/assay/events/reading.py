"""Rows of the buffer as columns, straight from PostgreSQL into Arrow."""

import json
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from assay.core.database import libpq_url
from assay.events.locks import files_lock_of

_COLUMNS = """
    event_id, kind, name, unit, units, at, received_at, variant, value, properties,
    (at AT TIME ZONE 'UTC')::date AS day
"""
# Values travel as settings of the session: with parameters the driver does without COPY, at half the speed
# and with all rows in memory at once.
_ENVIRONMENT = "environment_id = current_setting('assay.environment')::uuid"
_WANTED = f"""
    SELECT {_COLUMNS} FROM event
    WHERE {_ENVIRONMENT}
      AND (
        (
          kind = 'exposure'
          AND name = ANY (
            ARRAY(SELECT jsonb_array_elements_text(current_setting('assay.experiments')::jsonb))
          )
        )
        OR (
          kind = 'event'
          AND name = ANY (ARRAY(SELECT jsonb_array_elements_text(current_setting('assay.names')::jsonb)))
        )
      )
"""  # noqa: S608 — put together from our own constants
_OF_SLOT = f"""
    SELECT {_COLUMNS} FROM event
    WHERE {_ENVIRONMENT} AND slot = current_setting('assay.slot')::smallint
"""  # noqa: S608 — put together from our own constants
_VERSION = f"SELECT version FROM lake_table WHERE {_ENVIRONMENT}"  # noqa: S608 — put together from our own constants


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What belongs together: a version of the lake's table, None before the first, and the rows beside it."""

    version: int | None
    rows: pa.Table


@contextmanager
def connected(url: str, schema: str) -> Generator[adbc.Cursor, None, None]:
    """A connection of Arrow's own driver; what it holds in PostgreSQL is let go with the block."""
    with adbc.connect(libpq_url(url), autocommit=True) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_options(**{"adbc.connection.db_schema": schema})
        cursor.execute("SET TIME ZONE 'UTC'")
        yield cursor


def hold_files(cursor: adbc.Cursor, environment_id: uuid.UUID) -> None:
    """Keeps the files of the environment's table from being deleted as long as the connection lives."""
    cursor.execute("SELECT pg_advisory_lock_shared($1)", (files_lock_of(environment_id),)).fetchall()


def snapshot(
    cursor: adbc.Cursor, environment_id: uuid.UUID, *, experiments: Sequence[str], names: Sequence[str]
) -> Snapshot:
    """What of the experiments' exposures and the named events is unsealed, and the version beside it."""
    # Locked before the snapshot is taken: a slot emptied in between would be missing on both sides.
    cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        cursor.execute("LOCK TABLE event IN ACCESS SHARE MODE")
        values = {
            "environment": str(environment_id),
            "experiments": json.dumps(list(experiments)),
            "names": json.dumps(list(names)),
        }
        _set(cursor, values)
        version = cursor.execute(_VERSION).fetchone()
        rows = cursor.execute(_WANTED).fetch_arrow_table()
    finally:
        cursor.execute("ROLLBACK")
    return Snapshot(None if version is None else int(version[0]), rows)


def closed_rows(cursor: adbc.Cursor, environment_id: uuid.UUID, *, slot: int) -> pa.RecordBatchReader:
    """The environment's rows in a slot that nobody writes to, in a stream."""
    _set(cursor, {"environment": str(environment_id), "slot": str(slot)})
    return cursor.execute(_OF_SLOT).fetch_record_batch()


def _set(cursor: adbc.Cursor, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        cursor.execute("SELECT set_config($1, $2, false)", (f"assay.{name}", value)).fetchall()
