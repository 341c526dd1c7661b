"""Queries over events that were stored."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from assay.core.database import ReadSession

_RECENT = text("""
    SELECT DISTINCT ON (unit) unit, CAST(properties AS jsonb)
    FROM (
        SELECT unit, properties, received_at FROM (
            SELECT unit, properties, received_at FROM event
            WHERE environment_id = :environment_id AND kind = 'exposure'
            UNION ALL
            SELECT unit, CAST(properties AS text), received_at FROM event_recent
            WHERE environment_id = :environment_id
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
