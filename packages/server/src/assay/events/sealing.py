"""The buffer's events into the lake, each once, whatever is killed in between.

A slot is closed, copied into files, the files are committed to the table under the slot's generation, and one
transaction of PostgreSQL records the table's version, counts, and empties the slot. Killed before the table's
commit, the copy is begun again and the files of the first try are swept up later. Killed after it, the table
knows the generation, and only what follows is done. `Step` names every moment between two of these.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
import structlog

from assay.core.config import Settings
from assay.core.database import Database, ReadSession, WriteSession
from assay.events import buffer
from assay.events.buffer import Closed, Sealed

if TYPE_CHECKING:
    from assay.events.lake.place import Place

log = structlog.get_logger()


class Step(StrEnum):
    """What has just been done."""

    CLOSED = "closed"
    WRITTEN = "written"
    FILES_ON_DISK = "files_on_disk"
    COMMITTED = "committed"
    LOG_ON_DISK = "log_on_disk"
    RECORDED = "recorded"


Reached = Callable[[Step], None]


def _nothing(_step: Step) -> None:
    return


@dataclass(frozen=True, slots=True)
class Sealer:
    """What sealing needs: the settings, the database and its address, and who is told of each step."""

    settings: Settings
    database: Database
    url: str
    reached: Reached = _nothing


async def seal_if_due(sealer: Sealer, *, now: datetime) -> int:
    """Seals a slot that is closed or due to be; returns its rows, 0 when there was nothing to do.

    Only for the holder of `buffer.leading`.
    """
    async with sealer.database.reading() as tx:
        closed = await buffer.closed_slot(tx)
        due = closed is None and await _is_due(tx, sealer.settings, now)
    if due:
        closed = await sealer.database.write(partial(buffer.close_slot, now=now))
        sealer.reached(Step.CLOSED)
    return 0 if closed is None else await _seal(sealer, closed, now=now)


async def seal_all(sealer: Sealer, *, now: datetime) -> int:
    """Seals what is in the buffer, due or not; returns the rows. Only for the holder of `buffer.leading`."""
    rows = 0
    for _ in range(2):
        async with sealer.database.reading() as tx:
            closed = await buffer.closed_slot(tx)
        if closed is None:
            closed = await sealer.database.write(partial(buffer.close_slot, now=now))
            sealer.reached(Step.CLOSED)
        rows += await _seal(sealer, closed, now=now)
    return rows


async def _is_due(tx: ReadSession, settings: Settings, now: datetime) -> bool:
    filled = await buffer.filled(tx)
    if filled.oldest is None:
        return False
    old = (now - filled.oldest).total_seconds() >= settings.event_seal_after_seconds
    return old or filled.rows >= settings.event_seal_rows


async def _seal(sealer: Sealer, closed: Closed, *, now: datetime) -> int:
    async with sealer.database.reading() as tx:
        environments = await buffer.environments_in(tx, closed)
    sealed: list[Sealed] = []
    for environment_id, rows in environments.items():
        copy = partial(_copy, sealer, closed, environment_id, rows, now)
        sealed.append(await anyio.to_thread.run_sync(copy))

    async def record(tx: WriteSession) -> None:
        await buffer.record(tx, closed, sealed, now=now)

    await buffer.patiently(lambda: sealer.database.write(record))
    sealer.reached(Step.RECORDED)
    rows = sum(each.buffered for each in sealed)
    log.info("events_sealed", generation=closed.generation, rows=rows)
    return rows


def _copy(sealer: Sealer, closed: Closed, environment_id: uuid.UUID, rows: int, now: datetime) -> Sealed:
    # Arrow and Delta Lake take most of a second to load, which serving never needs.
    from assay.events.lake import table  # noqa: PLC0415
    from assay.events.lake.place import place_of  # noqa: PLC0415

    place = place_of(sealer.settings, environment_id)
    if table.sealed_generation(table.ensure(place)) < closed.generation:
        _add(sealer, closed, environment_id, place, now)
    table.sync_log(place)
    sealer.reached(Step.LOG_ON_DISK)
    sealed = table.ensure(place)
    # A lake that is ahead of its restored database has all that the slot holds.
    is_ours = table.sealed_generation(sealed) == closed.generation
    added = table.sealed_rows(sealed) if is_ours else 0
    return Sealed(environment_id, buffered=rows, added=added, size=table.size(sealed))


def _add(sealer: Sealer, closed: Closed, environment_id: uuid.UUID, place: "Place", now: datetime) -> None:
    from assay.events import reading  # noqa: PLC0415
    from assay.events.lake import moving, table, writing  # noqa: PLC0415

    known = table.ensure(place)
    with reading.connected(sealer.url, sealer.settings.database_schema) as cursor:
        rows = reading.closed_rows(cursor, environment_id, slot=closed.slot)
        written = moving.write_new(place, rows, table.files(known))
    sealer.reached(Step.WRITTEN)
    writing.sync_files(place, written)
    sealer.reached(Step.FILES_ON_DISK)
    table.replace_files(known, added=written, generation=closed.generation, at=now)
    sealer.reached(Step.COMMITTED)
