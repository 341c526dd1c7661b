"""How events of an environment fare, from the sender to the lake."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import text

from assay.core.database import ReadSession
from assay.events.schemas import EventStatusOut

_STATUS = """
    SELECT
        coalesce(tally.accepted, 0) AS accepted, coalesce(tally.repeated, 0) AS repeated,
        coalesce(tally.rejected, 0) AS rejected, coalesce(buffered.rows, 0) AS buffered,
        coalesce(tally.sealed, 0) AS sealed, coalesce(tally.sealed_repeated, 0) AS sealed_repeated,
        coalesce(lake.rows, 0) AS rows, coalesce(lake.files, 0) AS files, coalesce(lake.bytes, 0) AS bytes,
        buffered.oldest, coalesce(tally.ahead, 0) AS ahead,
        coalesce(tally.max_ahead_seconds, 0) AS max_ahead_seconds,
        lake.sealed_at, buffer.error, buffer.error_at
    FROM event_buffer AS buffer
    LEFT JOIN event_tally AS tally ON tally.environment_id = :environment_id
    LEFT JOIN lake_table AS lake ON lake.environment_id = :environment_id
    LEFT JOIN LATERAL (
        SELECT count(*) AS rows, min(received_at) AS oldest FROM event
        WHERE environment_id = :environment_id
    ) AS buffered ON true
"""
_TOTALS = """
    SELECT
        (SELECT count(*) FROM event) AS buffered,
        (SELECT min(received_at) FROM event) AS oldest,
        (SELECT coalesce(sum(sealed), 0) FROM event_tally) AS sealed,
        (SELECT coalesce(sum(bytes), 0) FROM lake_table) AS bytes,
        (SELECT coalesce(sum(files), 0) FROM lake_table) AS files
"""


async def of_environment(tx: ReadSession, environment_id: uuid.UUID, *, now: datetime) -> EventStatusOut:
    """The counts of one environment."""
    row = (await tx.execute(text(_STATUS), {"environment_id": environment_id})).mappings().one()
    values = {name: value for name, value in row.items() if name != "oldest"}
    return EventStatusOut.model_validate(values | {"lag_seconds": _lag(row["oldest"], now)})


async def totals(tx: ReadSession, *, now: datetime) -> dict[str, float]:
    """What is buffered and sealed over all environments, and how old the oldest unsealed event is."""
    row: dict[str, Any] = dict((await tx.execute(text(_TOTALS))).mappings().one())
    lag = _lag(row.pop("oldest"), now)
    return {name: float(value) for name, value in row.items()} | {"lag_seconds": lag or 0.0}


def _lag(oldest: datetime | None, now: datetime) -> float | None:
    return None if oldest is None else max(0.0, (now - oldest).total_seconds())
