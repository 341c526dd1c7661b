"""Adding events to the buffer: COPY straight into its table, which refuses what it has.

Repeats are rare, so nothing is asked before: the key's index tells a repeat from a new event, and only when
it does are the repeats looked up and left out. A temporary table and `ON CONFLICT DO NOTHING` instead took
PostgreSQL three times the work for each event.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

import psycopg
from psycopg import AsyncConnection, sql
from sqlalchemy import text

from assay.core.database import WriteSession, driver
from assay.events import locks
from assay.events.ingest import Row

Place = tuple[uuid.UUID, str]
"""An environment and an event's identifier: what makes an event one event."""

# Each try but the last can only fail for events that others have stored since the one before.
MAX_TRIES = 10
_LOCK = text("SELECT pg_advisory_xact_lock_shared(:lock)")
_SLOT = text("""
    SELECT slot, EXISTS (SELECT FROM event WHERE event.slot = 1 - event_buffer.slot) FROM event_buffer
""")
_COPY = sql.SQL("""
    COPY {table} (
        slot, environment_id, event_id, kind, name, unit, units, at, variant, value, properties, received_at
    ) FROM STDIN (FORMAT BINARY)
""")
_TYPES = (
    "int2", "uuid", "text", "text", "text", "text", "text", "timestamptz", "text", "float8", "text",
    "timestamptz",
)  # fmt: skip
# A subquery for each row, so that each is looked up in the key's index, however many rows the slot has.
_TAKEN = sql.SQL("""
    SELECT environment_id, event_id FROM unnest(%s::uuid[], %s::text[]) AS new (environment_id, event_id)
    WHERE (
        SELECT true FROM {table} AS old
        WHERE old.slot = {slot} AND old.environment_id = new.environment_id AND old.event_id = new.event_id
    )
""")

_Connection = AsyncConnection[tuple[object, ...]]


async def append(
    tx: WriteSession, events: Mapping[uuid.UUID, Mapping[str, Row]], *, received_at: datetime
) -> set[Place]:
    """Stores what is new; rows seen before are left as they are.

    Args:
        events: By environment and identifier.
    Returns:
        The places that were taken already.
    """
    # A statement of its own: the next one's snapshot is taken when no slot can be closed any more.
    await tx.execute(_LOCK, {"lock": locks.WRITING})
    slot, other_is_filled = (await tx.execute(_SLOT)).one()
    rows = _ordered(events)
    async with driver(tx) as connection:
        taken = await _taken(connection, 1 - slot, rows) if other_is_filled else set[Place]()
        for _ in range(MAX_TRIES - 1):
            if await _add(connection, slot, rows, taken, received_at):
                return taken
            taken |= await _taken(connection, slot, rows)
        await _copy(connection, slot, rows, taken, received_at)
        return taken


def _ordered(events: Mapping[uuid.UUID, Mapping[str, Row]]) -> dict[Place, Row]:
    # In the order of the key: a leaf of its index is visited once, and two transactions that share events
    # meet at the first of them and cannot deadlock.
    return {
        (environment_id, name): rows[name]
        for environment_id, rows in sorted(events.items())
        for name in sorted(rows)
    }


async def _add(
    connection: _Connection, slot: int, rows: Mapping[Place, Row], taken: set[Place], received_at: datetime
) -> bool:
    """Whether the rows that are not taken could be stored: all, or none."""
    try:
        async with connection.transaction():
            await _copy(connection, slot, rows, taken, received_at)
    except psycopg.errors.UniqueViolation:
        return False
    return True


async def _copy(
    connection: _Connection, slot: int, rows: Mapping[Place, Row], taken: set[Place], received_at: datetime
) -> None:
    statement = _COPY.format(table=_table(slot))
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_TYPES)
        for place, row in rows.items():
            if place not in taken:
                await copy.write_row(
                    (
                        slot,
                        place[0],
                        place[1],
                        row.kind,
                        row.name,
                        row.unit,
                        row.units,
                        row.at,
                        row.variant,
                        row.value,
                        row.properties,
                        received_at,
                    )
                )


async def _taken(connection: _Connection, slot: int, places: Iterable[Place]) -> set[Place]:
    statement = _TAKEN.format(table=_table(slot), slot=sql.Literal(slot))
    environments, names = zip(*places, strict=True)
    cursor = await connection.execute(
        statement, (list(environments), list(names)), binary=True, prepare=False
    )
    return set(cast("list[Place]", await cursor.fetchall()))


def _table(slot: int) -> sql.Identifier:
    return sql.Identifier(f"event_{slot}")
