"""Storing events once, and reading them back by columns."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from assay.core.database import ReadSession, WriteSession
from assay.events import locks
from assay.events.ingest import Row

_LOCK_WRITING = text("SELECT pg_advisory_xact_lock_shared(:lock)")

_APPEND = text("""
    INSERT INTO event (
        slot, environment_id, event_id, kind, name, unit, at, received_at, variant, value, properties
    )
    SELECT (SELECT slot FROM event_buffer), :environment_id, event_id, kind, name, unit, at, :received_at,
        variant, value, properties::jsonb
    FROM unnest(
        CAST(:event_ids AS text[]), CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:units AS text[]),
        CAST(:ats AS timestamptz[]), CAST(:variants AS text[]), CAST(:values AS float8[]),
        CAST(:properties AS text[])
    ) AS new (event_id, kind, name, unit, at, variant, value, properties)
    WHERE NOT EXISTS (
        SELECT FROM event AS stored
        WHERE stored.slot IN (0, 1) AND stored.environment_id = :environment_id
          AND stored.event_id = new.event_id
    )
    ON CONFLICT DO NOTHING
    RETURNING event_id
""")

_RECENT = text("""
    SELECT DISTINCT ON (unit) unit, properties
    FROM (
        SELECT unit, properties, received_at FROM (
            SELECT unit, properties, received_at FROM event
            WHERE environment_id = :environment_id AND kind = 'exposure'
            UNION ALL
            SELECT unit, properties, received_at FROM event_recent WHERE environment_id = :environment_id
        ) AS known
        ORDER BY received_at DESC
        LIMIT :limit
    ) AS newest
    ORDER BY unit, received_at DESC
""")


async def recent_units(
    tx: ReadSession, environment_id: uuid.UUID, *, limit: int
) -> Sequence[tuple[str, dict[str, Any]]]:
    """The units of the newest exposures, each with its newest properties."""
    rows = await tx.execute(_RECENT, {"environment_id": environment_id, "limit": limit})
    return [(unit, properties or {}) for unit, properties in rows]


async def append(
    tx: WriteSession, environment_id: uuid.UUID, rows: Sequence[Row], *, received_at: datetime
) -> frozenset[str]:
    """Stores what is new and returns its identifiers; rows seen before are left as they are."""
    # Sorted, so that two batches that share events lock them in the same order and cannot deadlock.
    ordered = sorted(rows, key=lambda row: row.event_id)
    # A statement of its own: the next one's snapshot is taken when no slot can be closed any more.
    await tx.execute(_LOCK_WRITING, {"lock": locks.WRITING})
    stored = await tx.execute(
        _APPEND,
        {
            "environment_id": environment_id,
            "received_at": received_at,
            "event_ids": [row.event_id for row in ordered],
            "kinds": [row.kind for row in ordered],
            "names": [row.name for row in ordered],
            "units": [row.unit for row in ordered],
            "ats": [row.at for row in ordered],
            "variants": [row.variant for row in ordered],
            "values": [row.value for row in ordered],
            "properties": [row.properties for row in ordered],
        },
    )
    return frozenset(stored.scalars())
