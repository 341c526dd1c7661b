"""What PostgreSQL alone makes of the same rows: COPY, the key that deduplicates, commits of 10,000 rows."""

import os
import time
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from assay.core.database import libpq_url

ROWS = 10_000
COMMITS = 20
_MAKE = """
    CREATE TABLE public.event_alone (LIKE assay.event INCLUDING ALL);
    CREATE TEMPORARY TABLE incoming (LIKE assay.event) ON COMMIT DELETE ROWS
"""
_MOVE = "INSERT INTO public.event_alone SELECT * FROM incoming ON CONFLICT DO NOTHING"
_TYPES = (
    "int2", "uuid", "text", "text", "text", "text", "text", "timestamptz", "timestamptz", "text", "float8",
    "text",
)  # fmt: skip


def rows_per_second(url: str) -> float:
    """Rows per second of commits, the making of the rows not counted."""
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute(_MAKE)
        connection.commit()
        try:
            return ROWS * COMMITS / sum(_commit(connection) for _ in range(COMMITS))
        finally:
            connection.rollback()
            connection.execute("DROP TABLE public.event_alone")


def _commit(connection: psycopg.Connection) -> float:
    rows = [_row(number) for number in range(ROWS)]
    begun = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy("COPY incoming FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(_TYPES)
        for row in rows:
            copy.write_row(row)
    connection.execute(_MOVE)
    connection.commit()
    return time.perf_counter() - begun


def _row(number: int) -> tuple[object, ...]:
    now = datetime.now(UTC)
    is_exposure = number % 4 == 0
    return (
        0, UUID(int=7), os.urandom(16).hex(), "exposure" if is_exposure else "event",
        "checkout" if is_exposure else f"order_{number % 5}", f"user-{number * 7919}", None, now, now,
        "treatment" if is_exposure else None, None if is_exposure else number * 0.37,
        '{"country":"DE","plan":"pro"}' if is_exposure else None,
    )  # fmt: skip
