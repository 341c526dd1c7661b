"""The two slots of the buffer: closing one, and emptying it once the lake has its events."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from assay.core.database import Database, ReadSession, WriteSession
from assay.events import locks
from assay.shared.errors import Conflict

RECENT_UNITS = 10_000
LOCK_NOT_AVAILABLE = "55P03"
# Long enough for those who write to finish, short enough for those who come after not to notice.
EMPTYING_TIMEOUT = "300ms"
PAUSE_SECONDS = 0.2


class SealedBySomebodyElse(Conflict):
    """The slot is not as this process closed it; another one has sealed it meanwhile."""

    code = "sealed_by_somebody_else"


@dataclass(frozen=True, slots=True)
class Closed:
    """A slot that nobody writes to, and the number it was closed under."""

    slot: int
    generation: int


class Filled(NamedTuple):
    """How much is in the open slot, and since when."""

    rows: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Size:
    """How large an environment's table is at a version."""

    version: int
    rows: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """An environment's table once it holds what a slot held.

    Attributes:
        buffered: Rows of the slot.
        added: Those that the table did not have before.
    """

    environment_id: uuid.UUID
    buffered: int
    added: int
    size: Size


_LEAD = text("SELECT pg_try_advisory_xact_lock(:lock)")
_SAY = text("SELECT set_config('application_name', :name, true)")
_LOCK_WRITING = text("SELECT pg_advisory_xact_lock(:lock)")
_CLOSED = text("""
    SELECT 1 - slot AS slot, generation FROM event_buffer
    WHERE EXISTS (SELECT FROM event WHERE event.slot = 1 - event_buffer.slot)
""")
_FILLED = text("""
    SELECT count(*), min(received_at) FROM event WHERE slot = (SELECT slot FROM event_buffer)
""")
# The clock's seconds keep the number new in a database that was restored from a backup.
_CLOSE = text("""
    UPDATE event_buffer SET
        slot = 1 - slot,
        generation = greatest(generation + 1, CAST(extract(epoch FROM CAST(:now AS timestamptz)) AS bigint)),
        rotated_at = :now
    RETURNING 1 - slot, generation
""")
_ENVIRONMENTS = text("""
    SELECT environment_id, count(*) FROM event WHERE slot = :slot GROUP BY environment_id ORDER BY 1
""")
_STILL_CLOSED = text("""
    SELECT FROM event_buffer WHERE slot = 1 - CAST(:slot AS smallint) AND generation = :generation FOR UPDATE
""")
_COUNT = text("""
    INSERT INTO event_tally (environment_id, sealed, sealed_repeated)
    VALUES (:environment_id, :added, greatest(0, :buffered - :added))
    ON CONFLICT (environment_id) DO UPDATE SET
        sealed = event_tally.sealed + excluded.sealed,
        sealed_repeated = event_tally.sealed_repeated + excluded.sealed_repeated
""")
_RECORD = text("""
    INSERT INTO lake_table (environment_id, version, generation, rows, files, bytes, sealed_at)
    VALUES (:environment_id, :version, :generation, :rows, :files, :bytes, :now)
    ON CONFLICT (environment_id) DO UPDATE SET
        version = excluded.version, generation = excluded.generation, rows = excluded.rows,
        files = excluded.files, bytes = excluded.bytes, sealed_at = excluded.sealed_at
""")
_RECORD_SIZE = text("""
    UPDATE lake_table SET version = :version, rows = :rows, files = :files, bytes = :bytes
    WHERE environment_id = :environment_id
""")
_KNOWN = text("SELECT environment_id, version FROM lake_table ORDER BY environment_id")
_KEEP_RECENT = text("""
    INSERT INTO event_recent (environment_id, unit, received_at, properties)
    SELECT DISTINCT ON (unit) :environment_id, unit, received_at, CAST(properties AS jsonb)
    FROM (
        SELECT unit, received_at, properties FROM event
        WHERE slot = :slot AND environment_id = :environment_id AND kind = 'exposure'
        ORDER BY received_at DESC
        LIMIT :limit
    ) AS newest
    ORDER BY unit, received_at DESC
    ON CONFLICT (environment_id, unit) DO UPDATE SET
        received_at = excluded.received_at, properties = excluded.properties
""")
_DROP_OLD = text("""
    DELETE FROM event_recent WHERE environment_id = :environment_id AND unit IN (
        SELECT unit FROM event_recent WHERE environment_id = :environment_id
        ORDER BY received_at DESC OFFSET :limit
    )
""")
_LOCK_SLOT = {
    0: text("LOCK TABLE event_0 IN ACCESS EXCLUSIVE MODE"),
    1: text("LOCK TABLE event_1 IN ACCESS EXCLUSIVE MODE"),
}
_EMPTY = {0: text("TRUNCATE event_0"), 1: text("TRUNCATE event_1")}
_SUCCEEDED = text("UPDATE event_buffer SET error = NULL, error_at = NULL WHERE error IS NOT NULL")
_FAILED = text("UPDATE event_buffer SET error = :error, error_at = :now")


@dataclass(frozen=True, slots=True)
class Lead:
    """Being the one process that may change the lake."""

    tx: WriteSession

    async def say(self, work: str) -> None:
        """Names the session after what it is kept open for, for whoever looks at `pg_stat_activity`."""
        await self.tx.execute(_SAY, {"name": f"assay {work}"})


@asynccontextmanager
async def leading(database: Database) -> AsyncGenerator[Lead | None]:
    """The lead until the block ends, None when another process has it."""
    async with database.writing() as tx:
        yield Lead(tx) if await tx.scalar(_LEAD, {"lock": locks.LEADING}) else None


async def closed_slot(tx: ReadSession) -> Closed | None:
    """The slot that waits to be sealed, if one does."""
    row = (await tx.execute(_CLOSED)).one_or_none()
    return None if row is None else Closed(*row)


async def filled(tx: ReadSession) -> Filled:
    """What is in the slot that is written to."""
    return Filled(*(await tx.execute(_FILLED)).one())


async def close_slot(tx: WriteSession, *, now: datetime) -> Closed:
    """Closes the slot in use and opens the other one, which must be empty."""
    # Waits for those who are writing; who comes later writes to the other slot.
    await tx.execute(_LOCK_WRITING, {"lock": locks.WRITING})
    return Closed(*(await tx.execute(_CLOSE, {"now": now})).one())


async def environments_in(tx: ReadSession, closed: Closed) -> dict[uuid.UUID, int]:
    """The environments with events in the slot, and how many."""
    rows = await tx.execute(_ENVIRONMENTS, {"slot": closed.slot})
    return dict(rows.all())


async def record(tx: WriteSession, closed: Closed, sealed: Sequence[Sealed], *, now: datetime) -> None:
    """Makes the tables' versions known and empties the slot, at one moment for everybody.

    Raises:
        SealedBySomebodyElse: The slot is no longer the one that was sealed.
    """
    await tx.execute(text(f"SET LOCAL lock_timeout = '{EMPTYING_TIMEOUT}'"))
    found = await tx.execute(_STILL_CLOSED, {"slot": closed.slot, "generation": closed.generation})
    if found.one_or_none() is None:
        raise SealedBySomebodyElse(f"generation {closed.generation} has been sealed by another process")
    for each in sealed:
        await _keep_recent(tx, closed, each.environment_id)
    # From here on nobody is adding events who could hold a row of the tally and wait for the slot.
    await tx.execute(_LOCK_SLOT[closed.slot])
    for each in sealed:
        await _record_one(tx, closed, each, now)
    await tx.execute(_SUCCEEDED)
    await tx.execute(_EMPTY[closed.slot])


async def known_tables(tx: ReadSession) -> dict[uuid.UUID, int]:
    """The environments that have a table, and the version that readers read."""
    return dict((await tx.execute(_KNOWN)).all())


async def record_size(tx: WriteSession, environment_id: uuid.UUID, size: Size) -> None:
    """Makes a version known whose rows are the same, or fewer, as before."""
    await tx.execute(_RECORD_SIZE, {"environment_id": environment_id} | asdict(size))


async def record_failure(tx: WriteSession, error: str, *, now: datetime) -> None:
    """Notes why sealing does not succeed."""
    await tx.execute(_FAILED, {"error": error, "now": now})


async def patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` until those who read or write let it have its locks."""
    while True:
        try:
            await work()
        except DBAPIError as error:
            if not (isinstance(error.orig, psycopg.Error) and error.orig.sqlstate == LOCK_NOT_AVAILABLE):
                raise
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


async def _record_one(tx: WriteSession, closed: Closed, each: Sealed, now: datetime) -> None:
    environment = {"environment_id": each.environment_id}
    await tx.execute(_COUNT, environment | {"buffered": each.buffered, "added": each.added})
    await tx.execute(_RECORD, environment | asdict(each.size) | {"generation": closed.generation, "now": now})


async def _keep_recent(tx: WriteSession, closed: Closed, environment_id: uuid.UUID) -> None:
    environment = {"environment_id": environment_id, "limit": RECENT_UNITS}
    await tx.execute(_KEEP_RECENT, environment | {"slot": closed.slot})
    await tx.execute(_DROP_OLD, environment)
