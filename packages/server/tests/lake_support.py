"""Sending, sealing and reading events in tests, without HTTP."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.to_thread
from sqlalchemy import text

from assay.core.config import Settings
from assay.core.database import Database, WriteSession
from assay.events import buffer, sealing, service
from assay.events.sealing import Sealer
from assay.events.wire import AnyEvent, Exposure, MetricEvent
from assay.projects import service as projects
from assay.sources.service import local_engine

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lake:
    """An environment's events, from the sender to the reader."""

    settings: Settings
    database: Database
    url: str
    environment_id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def sealer(self) -> Sealer:
        return Sealer(self.settings, self.database, self.url)

    async def send(self, events: Sequence[AnyEvent], *, now: datetime = NOON + 300 * DAY) -> int:
        """Stores the events; how many were new to the buffer."""
        async with self.database.writing() as tx:
            return (await service.store(tx, self.environment_id, events, now=now)).accepted

    async def seal(self, *, now: datetime = NOON + 300 * DAY) -> int:
        """Seals all there is; how many rows were in the buffer."""
        async with buffer.leading(self.database) as leads:
            assert leads
            return await sealing.seal_all(self.sealer, now=now)

    async def rows(self, *names: str, **span: datetime) -> list[dict[str, Any]]:
        """The facts of experiment `e` and the named events, in order."""
        return await anyio.to_thread.run_sync(lambda: self._rows(names or ("order",), span))

    async def ids(self) -> list[str]:
        """The identifiers of the facts, in order, as often as they occur."""
        return [row["event_id"] for row in await self.rows()]

    async def one(self, query: str) -> Any:
        """The only value a query finds; `:environment` is ours."""
        async with self.database.reading() as tx:
            return await tx.scalar(text(query), {"environment": self.environment_id})

    def _rows(self, names: Sequence[str], span: dict[str, datetime]) -> list[dict[str, Any]]:
        engine = local_engine()
        with service.facts(
            self.settings,
            self.url,
            engine,
            environment_id=self.environment_id,
            experiment="e",
            names=names,
            since=span.get("since"),
            until=span.get("until"),
        ) as facts:
            rows = facts.table.to_pyarrow().to_pylist()
        engine.disconnect()
        return sorted(rows, key=lambda row: (row["event_id"], row["at"]))


async def emptied(lake: Lake) -> Lake:
    """The lake over a database without events, with an environment that exists."""

    async def work(tx: WriteSession) -> uuid.UUID:
        await tx.execute(text("TRUNCATE event, event_tally, event_rejected, event_recent, lake_table"))
        await tx.execute(text("UPDATE event_buffer SET slot = 0, generation = 0, error = NULL"))
        await projects.ensure_default(tx)
        return (await projects.get_environment(tx, "default", "production")).id

    # Each test has a folder or a prefix of its own, so the environment may be the same.
    return replace(lake, environment_id=await lake.database.write(work))


def an_event(identifier: str, at: datetime = NOON, **parts: Any) -> MetricEvent:
    """Something a unit did."""
    values: dict[str, Any] = {"name": "order", "unit": f"u-{identifier}", "at": at, "id": identifier}
    return MetricEvent(**values | parts)


def an_exposure(identifier: str, at: datetime = NOON, **parts: Any) -> Exposure:
    """A unit that met experiment `e`."""
    values: dict[str, Any] = {"experiment": "e", "variant": "a", "unit": f"u-{identifier}", "at": at}
    values["id"] = identifier
    return Exposure(**values | parts)


def events(count: int, *, start: int = 0, at: datetime = NOON, **parts: Any) -> list[AnyEvent]:
    """Events with identifiers that are numbers."""
    return [an_event(f"{number:06}", at, **parts) for number in range(start, start + count)]
