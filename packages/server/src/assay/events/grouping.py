"""Group commit: what arrives while a transaction is under way shares the next one.

PostgreSQL takes more than half as many events again when ten thousand of them share a commit as in batches of
five hundred. Nobody waits for a group to fill: the next one leaves as soon as the one before is committed.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import DBAPIError

from assay.core.clock import utc_now
from assay.core.database import OUTAGES, Database
from assay.events import service
from assay.events.errors import TooMuchWaiting
from assay.events.ingest import Arrival, Sorted

log = structlog.get_logger()

GROUP_EVENTS = 10_000
AGAIN = "send this batch again in a second"


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    known: asyncio.Future[set[str]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Committer:
    """Stores batches of many requests in common transactions, and bounds what waits for them.

    Attributes:
        waiting_events: Events that have arrived and are not stored yet.
        open_bytes: Bytes of the requests that are being read or wait.
    """

    def __init__(self, database: Database, *, max_events: int, max_bytes: int) -> None:
        self.waiting_events = 0
        self.open_bytes = 0
        self._database = database
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def room(self, size: int) -> Generator[None]:
        """Room for a request of so many bytes, until it is answered.

        Raises:
            TooMuchWaiting: What waits already is as much as this process takes on.
        """
        # One request alone always has room, however narrow the bound.
        is_full = self.open_bytes > 0 and self.open_bytes + size > self._max_bytes
        if self.waiting_events >= self._max_events:
            raise TooMuchWaiting(f"{self.waiting_events:,} events wait for the database; {AGAIN}")
        if is_full:
            raise TooMuchWaiting(f"requests of {self.open_bytes:,} bytes are being taken in already; {AGAIN}")
        self.open_bytes += size
        try:
            yield
        finally:
            self.open_bytes -= size

    async def store(self, environment_id: uuid.UUID, batch: Sorted) -> set[str]:
        """Stores a batch and returns, once it is committed, its identifiers that were stored before.

        Raises:
            DBAPIError: The database does not take it; nothing of it is stored.
        """
        waiting = _Waiting(Arrival(environment_id, batch))
        self.waiting_events += len(batch.items)
        self._queue.append(waiting)
        self._idle.clear()
        self._arrived.set()
        return await waiting.known

    async def keep_committing(self) -> None:
        """Stores what arrives until cancelled."""
        while True:
            await self._arrived.wait()
            group = self._take()
            await self._commit(group)
            self.waiting_events -= sum(len(each.arrival.batch.items) for each in group)
            if not self._queue:
                self._arrived.clear()
                self._idle.set()

    async def drain(self) -> None:
        """Waits until nothing waits."""
        await self._idle.wait()

    def _take(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        events = len(group[0].arrival.batch.items)
        while self._queue and (events := events + len(self._queue[0].arrival.batch.items)) <= GROUP_EVENTS:
            group.append(self._queue.popleft())
        return group

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        arrivals = [each.arrival for each in group]
        try:
            known = await self._database.write(lambda tx: service.store_together(tx, arrivals, now=utc_now()))
        except Exception as error:  # noqa: BLE001 — whatever it is, those who wait must hear of it
            await self._answer_failure(group, error)
        else:
            for each, identifiers in zip(group, known, strict=True):
                _resolve(each, identifiers)

    async def _answer_failure(self, group: Sequence[_Waiting], error: Exception) -> None:
        if len(group) > 1 and isinstance(error, DBAPIError) and not isinstance(error, OUTAGES):
            log.warning("group_failed", batches=len(group), error=str(error.orig).strip())
            # One of them is to blame; alone, it fails alone.
            for each in group:
                await self._commit([each])
            return
        for each in group:
            if not each.known.done():
                each.known.set_exception(error)


@asynccontextmanager
async def committing(database: Database, *, max_events: int, max_bytes: int) -> AsyncGenerator[Committer]:
    """A committer while the block lasts; what waits at its end is stored first."""
    committer = Committer(database, max_events=max_events, max_bytes=max_bytes)
    task = asyncio.create_task(committer.keep_committing(), name="committer")
    try:
        yield committer
        await committer.drain()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _resolve(waiting: _Waiting, known: set[str]) -> None:
    # Whoever waited may have gone.
    if not waiting.known.done():
        waiting.known.set_result(known)
