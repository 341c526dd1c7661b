"""What a process delivers with: store, followers, journal, callers; as long-lived as the application."""

import asyncio
import math
import uuid
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from assay.access.keys import KeyKind, presented_token
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.telemetry import Telemetry
from assay.evaluation.callers import UNKNOWN_CALLER, Caller, Callers, Refused
from assay.evaluation.following import follow, tell_of_schedules
from assay.evaluation.journal import Journal
from assay.evaluation.keeping import Keeper
from assay.evaluation.snapshots import Snapshot
from assay.evaluation.store import Credentials, Store
from assay.evaluation.streams import Hub
from assay.projects.service import DEFAULT_ENVIRONMENT, DEFAULT_PROJECT
from assay.shared.errors import NotFound

HEARTBEAT_SECONDS = 15.0
# One poll that the database did not answer is no reason to send everybody to another process; three are.
OLD_AFTER_POLLS = 3
UNAUTHORIZED = [(b"www-authenticate", b'Bearer realm="assay"')]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The parts, and the two questions every request asks them: who is it, and what is served there."""

    store: Store
    hub: Hub
    journal: Journal
    callers: Callers
    keeper: Keeper
    answers_without_key: bool

    async def caller(self, authorization: str | None, api_key: str | None, query: str) -> Caller:
        """Who asks, within their rate.

        Raises:
            Refused: An unknown key (401), none where one is needed (401), or too many requests (429).
        """
        token = presented_token(authorization, api_key)
        caller = await self._open_caller(query) if token is None else await self._key_holder(token)
        caller.require_within_rate()
        if caller.key_id is not None and (at := caller.notes_use()) is not None:
            self.journal.used(caller.key_id, at)
        return caller

    async def server_caller(self, authorization: str | None, api_key: str | None, query: str) -> Caller:
        """Who asks for rules.

        Raises:
            Refused: As `caller`, or a client key (403).
        """
        caller = await self.caller(authorization, api_key, query)
        if caller.kind is not KeyKind.SERVER:
            raise Refused(403, "rules are given to server keys only; this is a client key")
        return caller

    async def credentials(self) -> Credentials:
        """Keys and secret."""
        return self.store.credentials or await self.store.open()

    async def snapshot(self, environment_id: uuid.UUID) -> Snapshot:
        """What the environment serves."""
        return self.store.loaded(environment_id) or await self.store.snapshot(environment_id)

    async def _key_holder(self, token: str) -> Caller:
        key = (await self.credentials()).keyring.find(token)
        if key is None:
            # It may have been made a moment ago; clients take a 401 as final.
            await self.store.confirm()
            key = (await self.credentials()).keyring.find(token)
        if key is None:
            raise Refused(401, f"the key is unknown or revoked; {UNKNOWN_CALLER}", UNAUTHORIZED)
        return self.callers.of_key(key)

    async def _open_caller(self, query: str) -> Caller:
        if not self.answers_without_key:
            raise Refused(401, UNKNOWN_CALLER, UNAUTHORIZED)
        asked = parse_qs(query) if query else {}
        project = asked.get("project", [DEFAULT_PROJECT])[0]
        environment = asked.get("environment", [DEFAULT_ENVIRONMENT])[0]
        try:
            return self.callers.of_place(await self.store.place(project, environment))
        except NotFound as error:
            raise Refused(404, error.message) from error


@asynccontextmanager
async def delivering(
    settings: Settings, database: Database, hub: Hub, telemetry: Telemetry, *, url: str | None
) -> AsyncGenerator[Delivery]:
    """Delivery while the block lasts; what was counted is written at its end.

    Args:
        url: The database's address, to hear of changes; without it, what was loaded once stays.
    """
    store = Store(database, hub)
    journal, keeper = Journal(store, database), Keeper(database)
    telemetry.stream_clients.set_function(lambda: hub.followers)
    telemetry.snapshot_age_seconds.set_function(lambda: store.freshness.age_seconds() or math.nan)
    telemetry.exposures_dropped.set_function(lambda: journal.dropped)
    telemetry.assignments_unsettled.set_function(lambda: keeper.unsettled)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(journal.flush)
        stack.callback(hub.end)
        running = [
            journal.keep_writing(settings.evaluation_flush_seconds),
            _keep_alive(hub),
            tell_of_schedules(store),
        ]
        if url is not None:
            store.freshness.bound_seconds = OLD_AFTER_POLLS * settings.snapshot_poll_seconds
            running.append(follow(store, url, settings))
        for work in running:
            await stack.enter_async_context(_running(work))
        yield Delivery(store, hub, journal, Callers(settings), keeper, settings.delivers_without_key)


async def _keep_alive(hub: Hub) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        hub.keep_alive()


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
