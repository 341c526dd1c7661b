"""Adding events to the buffer: COPY straight into its table, which refuses what it has.

Repeats are rare, so nothing is asked before: the key's index tells a repeat from a new event, and only when
it does are the repeats looked up and left out. A temporary table and `ON CONFLICT DO NOTHING` instead took
PostgreSQL three times the work for each event.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import cast

import psycopg
from msgspec.structs import astuple
from psycopg import AsyncConnection, sql
from sqlalchemy import text

from assay.core.database import WriteSession, driver
from assay.events import locks
from assay.events.ingest import Row

Events = Mapping[uuid.UUID, Mapping[str, Row]]
"""What is to be stored, by environment and identifier: together they make an event one event."""
Taken = dict[uuid.UUID, set[str]]
"""Identifiers that are stored already, by environment."""

# Each try but the last can only fail for events that others have stored since the one before.
MAX_TRIES = 10
_LOCK = text("SELECT pg_advisory_xact_lock_shared(:lock)")
_SLOT = text("""
    SELECT slot, EXISTS (SELECT FROM event WHERE event.slot = 1 - event_buffer.slot) FROM event_buffer
""")
_COPY = sql.SQL("""
    COPY {table} (
        slot, environment_id, received_at, event_id, kind, name, unit, units, at, variant, value, properties
    ) FROM STDIN (FORMAT BINARY)
""")
# The environment travels as the bytes that PostgreSQL reads anyway: the driver makes them of a UUID slowly.
_TYPES = (
    "int2", "bytea", "timestamptz", "text", "text", "text", "text", "text", "timestamptz", "text", "float8",
    "text",
)  # fmt: skip
_ROWS_AT_ONCE = 1_000
# A subquery for each row, so that each is looked up in the key's index, however many rows the slot has.
_TAKEN = sql.SQL("""
    SELECT environment_id, event_id FROM unnest(%s::uuid[], %s::text[]) AS new (environment_id, event_id)
    WHERE (
        SELECT true FROM {table} AS old
        WHERE old.slot = {slot} AND old.environment_id = new.environment_id AND old.event_id = new.event_id
    )
""")

_Connection = AsyncConnection[tuple[object, ...]]


async def append(tx: WriteSession, events: Events, *, received_at: datetime) -> Taken:
    """Stores what is new; rows seen before are left as they are.

    Returns:
        What was stored already.
    """
    # A statement of its own: the next one's snapshot is taken when no slot can be closed any more.
    await tx.execute(_LOCK, {"lock": locks.WRITING})
    slot, other_is_filled = (await tx.execute(_SLOT)).one()
    async with driver(tx) as connection:
        taken = await _taken(connection, 1 - slot, events) if other_is_filled else {}
        for _ in range(MAX_TRIES - 1):
            if await _add(connection, slot, _without(events, taken), received_at):
                return taken
            taken = _both(taken, await _taken(connection, slot, events))
        await _copy(connection, slot, _without(events, taken), received_at)
        return taken


def _without(events: Events, taken: Taken) -> Events:
    return {
        environment_id: {name: row for name, row in named.items() if name not in taken[environment_id]}
        if environment_id in taken
        else named
        for environment_id, named in events.items()
    }


def _both(some: Taken, others: Taken) -> Taken:
    return {each: some.get(each, set()) | others.get(each, set()) for each in some.keys() | others.keys()}


async def _add(connection: _Connection, slot: int, events: Events, received_at: datetime) -> bool:
    """Whether the events could be stored: all, or none."""
    try:
        async with connection.transaction():
            await _copy(connection, slot, events, received_at)
    except psycopg.errors.UniqueViolation:
        return False
    return True


async def _copy(connection: _Connection, slot: int, events: Events, received_at: datetime) -> None:
    statement = _COPY.format(table=_table(slot))
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_TYPES)
        # The driver's own `write_row` would be awaited for each row.
        encoded = copy.formatter.write_row
        # In the order of the key: a leaf of its index is visited once, and two transactions that share events
        # meet at the first of them and cannot deadlock.
        for environment_id, named in sorted(events.items()):
            start = (slot, environment_id.bytes, received_at)
            names = sorted(named)
            for first in range(0, len(names), _ROWS_AT_ONCE):
                some = names[first : first + _ROWS_AT_ONCE]
                await copy.write(b"".join([encoded((*start, *astuple(named[name]))) for name in some]))


async def _taken(connection: _Connection, slot: int, events: Events) -> Taken:
    statement = _TAKEN.format(table=_table(slot), slot=sql.Literal(slot))
    environments = [environment_id for environment_id, named in events.items() for _ in named]
    names = [name for named in events.values() for name in named]
    cursor = await connection.execute(statement, (environments, names), prepare=False)
    taken: Taken = {}
    for environment_id, name in cast("list[tuple[uuid.UUID, str]]", await cursor.fetchall()):
        taken.setdefault(environment_id, set()).add(name)
    return taken


def _table(slot: int) -> sql.Identifier:
    return sql.Identifier(f"event_{slot}")
