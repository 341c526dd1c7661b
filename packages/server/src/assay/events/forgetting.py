"""Deleting all events of one unit, from the buffer and from the lake, for good."""

import shutil
import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import structlog
from sqlalchemy import text

from assay.assignments import service as assignments
from assay.core.config import Settings
from assay.core.database import Database, WriteSession
from assay.events import buffer, locks
from assay.events.buffer import Size

log = structlog.get_logger()

_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_BUFFERED = text("""
    WITH gone AS (
        DELETE FROM event
        WHERE environment_id = :environment_id AND (
            unit = :unit
            OR EXISTS (SELECT FROM json_each_text(CAST(units AS json)) AS other WHERE other.value = :unit)
        )
        RETURNING event_id
    ) SELECT count(*) FROM gone
""")
_RECENT = text("DELETE FROM event_recent WHERE environment_id = :environment_id AND unit = :unit")
# A body may be cut, or be no event at all; whatever mentions the unit goes.
_REJECTED = text("""
    WITH gone AS (
        DELETE FROM event_rejected
        WHERE environment_id = :environment_id
          AND position(trim(BOTH '"' FROM CAST(to_jsonb(CAST(:unit AS text)) AS text)) IN body) > 0
        RETURNING id
    ) SELECT count(*) FROM gone
""")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows were deleted, by where they were."""

    assignments: int
    buffered: int
    sealed: int
    rejected: int


async def forget(
    settings: Settings, database: Database, environment_id: uuid.UUID, unit: str, *, now: datetime
) -> Forgotten:
    """Deletes what is known of a unit; again, finds nothing. Only for the holder of `buffer.leading`."""
    kept, buffered, rejected = await database.write(
        partial(_forget_buffered, environment_id=environment_id, unit=unit)
    )
    rewrite = partial(_rewrite, settings, environment_id, unit, now)
    sealed, size = await anyio.to_thread.run_sync(rewrite)
    if size is not None:
        await database.write(partial(buffer.record_size, environment_id=environment_id, size=size))
    async with database.writing() as tx:
        # Readers of the old files finish first; new ones already read the new files.
        await tx.execute(_LOCK, {"lock": locks.files_lock_of(environment_id)})
        if size is not None:
            await anyio.to_thread.run_sync(partial(_sweep_at_once, settings, environment_id))
        await anyio.to_thread.run_sync(partial(_sweep_derived, settings, environment_id))
    return Forgotten(kept, buffered, sealed, rejected)


def derived_folder(settings: Settings, environment_id: uuid.UUID) -> Path:
    """Where what is made from an environment's events is kept until a unit of it is forgotten."""
    return settings.data_directory / "analysis" / str(environment_id)


async def _forget_buffered(tx: WriteSession, environment_id: uuid.UUID, unit: str) -> tuple[int, int, int]:
    values: dict[str, Any] = {"environment_id": environment_id, "unit": unit}
    # Waits for those who are writing, so that all that was acknowledged before is found.
    await tx.execute(_LOCK, {"lock": locks.WRITING})
    buffered = (await tx.execute(_BUFFERED, values)).scalar_one()
    rejected = (await tx.execute(_REJECTED, values)).scalar_one()
    await tx.execute(_RECENT, values)
    return await assignments.forget(tx, environment_id, unit), buffered, rejected


def _rewrite(
    settings: Settings, environment_id: uuid.UUID, unit: str, now: datetime
) -> tuple[int, Size | None]:
    from assay.events.lake import moving, table, writing  # noqa: PLC0415 — loaded by the first who needs it
    from assay.events.lake.place import place_of  # noqa: PLC0415

    place = place_of(settings, environment_id)
    known = table.find(place)
    if known is None:
        return 0, None
    found = {
        file: kept
        for file in table.files(known)
        if (kept := moving.without_unit(place, file, unit)) is not None
    }
    if found:
        written = [new for kept in found.values() for new in kept]
        writing.sync_files(place, written)
        table.replace_files(known, added=written, removed=list(found), at=now)
        table.sync_log(place)
    gone = sum(file.rows - sum(new.rows for new in kept) for file, kept in found.items())
    # Also when nothing was found: a first try may have been killed before it swept.
    return gone, table.size(table.ensure(place))


def _sweep_at_once(settings: Settings, environment_id: uuid.UUID) -> None:
    from assay.events.lake import table  # noqa: PLC0415 — loaded by the first who needs it
    from assay.events.lake.place import place_of  # noqa: PLC0415

    table.sweep(table.ensure(place_of(settings, environment_id)), older_than_hours=0)


def _sweep_derived(settings: Settings, environment_id: uuid.UUID) -> None:
    folder = derived_folder(settings, environment_id)
    if folder.exists():
        shutil.rmtree(folder)
