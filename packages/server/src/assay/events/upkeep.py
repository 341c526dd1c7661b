"""Keeping the lake in order: few large files, nothing older than it should be, nothing left lying about."""

import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
import structlog

from assay.core.config import Settings
from assay.core.database import Database
from assay.events import buffer
from assay.events.buffer import Size

if TYPE_CHECKING:
    from assay.events.lake.table import DataFile

log = structlog.get_logger()

# Longer than any analysis reads the files of the version it began with.
SWEEP_AFTER_HOURS = 24
CHECKPOINT_EVERY = 50
SMALL_ROWS = 100_000
# A day is merged again once this many files have come: each row is then rewritten a few times in its life.
MANY_FILES = 8
MERGED_ROWS = 4_000_000
# Late events come mostly within a day; merging earlier would be done again.
SETTLED_DAYS = 2

Reached = Callable[[str], None]


def _nothing(_step: str) -> None:
    return


async def tidy(settings: Settings, database: Database, *, now: datetime, reached: Reached = _nothing) -> None:
    """Does what is due for every table, one merge each. Only for the holder of `buffer.leading`.

    Args:
        reached: Told what has just been done: `merged`, `tidied`.
    """
    async with database.reading() as tx:
        known = await buffer.known_tables(tx)
    for environment_id, version in known.items():
        size = await anyio.to_thread.run_sync(partial(_tidy, settings, environment_id, version, now, reached))
        if size is not None:
            await database.write(partial(buffer.record_size, environment_id=environment_id, size=size))
            reached("tidied")


async def sweep(settings: Settings, database: Database) -> None:
    """Deletes the files that nobody reads any more. Only for the holder of `buffer.leading`."""
    async with database.reading() as tx:
        known = await buffer.known_tables(tx)
    for environment_id in known:
        await anyio.to_thread.run_sync(partial(_sweep, settings, environment_id))


def mergeable(files: Sequence["DataFile"], *, today: date) -> list["DataFile"]:
    """The files of one day that are worth merging now, none when all is well."""
    days: dict[date, list[DataFile]] = {}
    for file in sorted(files, key=lambda file: (file.day, file.rows)):
        days.setdefault(file.day, []).append(file)
    for day, of_day in days.items():
        chosen = _worth_merging(of_day, settled=today - day >= timedelta(days=SETTLED_DAYS))
        if chosen:
            return chosen
    return []


def expired(files: Sequence["DataFile"], *, today: date, retention_days: int) -> list["DataFile"]:
    """The files of days that are no longer kept; a retention of 0 days keeps all."""
    if retention_days == 0:
        return []
    return [file for file in files if (today - file.day).days > retention_days]


def _worth_merging(files: Sequence["DataFile"], *, settled: bool) -> list["DataFile"]:
    limit, enough = (SMALL_ROWS, 2) if settled else (MERGED_ROWS // MANY_FILES, MANY_FILES)
    small = [file for file in files if file.rows < limit]
    return small if len(small) >= enough else []


def _tidy(
    settings: Settings, environment_id: uuid.UUID, version: int, now: datetime, reached: Reached
) -> Size | None:
    """What the table has become, None when it is as readers know it."""
    from assay.events.lake import moving, table, writing  # noqa: PLC0415 — loaded by the first who needs it
    from assay.events.lake.place import place_of  # noqa: PLC0415

    place = place_of(settings, environment_id)
    known = table.find(place)
    if known is None:
        return None
    files = table.files(known)
    gone = expired(files, today=now.date(), retention_days=settings.event_retention_days)
    merging = mergeable([file for file in files if file not in gone], today=now.date())
    if gone or merging:
        merged = moving.merge(place, merging) if merging else []
        writing.sync_files(place, merged)
        table.replace_files(known, added=merged, removed=[*gone, *merging], at=now)
        table.sync_log(place)
        reached("merged")
        known = table.ensure(place)
        log.info("lake_tidied", merged=len(merging), expired=len(gone))
    if known.version() - version >= CHECKPOINT_EVERY or known.version() % CHECKPOINT_EVERY == 0:
        table.checkpoint(place, known)
    return None if known.version() == version else table.size(known)


def _sweep(settings: Settings, environment_id: uuid.UUID) -> None:
    from assay.events.lake import table  # noqa: PLC0415 — loaded by the first who needs it
    from assay.events.lake.place import place_of  # noqa: PLC0415

    if (known := table.find(place_of(settings, environment_id))) is not None:
        log.info("lake_swept", files=table.sweep(known, older_than_hours=SWEEP_AFTER_HOURS))
