"""The snapshots and keys of one process: loaded when first asked for, replaced when something changes."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import anyio.to_thread
import structlog

from assay.access import service as access
from assay.access.keys import Keyring
from assay.core.clock import utc_now
from assay.core.database import Database, ReadSession
from assay.evaluation.snapshots import Served, Snapshot, build
from assay.evaluation.streams import Hub
from assay.flags import service as flags
from assay.flags.service import Published
from assay.projects import service as projects
from assay_engine import InvalidRuleset

log = structlog.get_logger()

STREAM_SECRET = "stream"  # noqa: S105 — the name of one, not one
# Unknown keys and revisions heard of elsewhere have the database asked, together not more often than this.
ASK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Credentials:
    """What requests are recognised by: the keys, and the secret that stream tokens are signed with."""

    keyring: Keyring
    stream_secret: bytes


@dataclass(slots=True)
class Freshness:
    """How sure this process is of what it serves.

    Attributes:
        checked_at: When the database was last asked, on the monotonic clock; None before its first answer.
        is_listening: Whether PostgreSQL would tell of a change at once.
        bound_seconds: From which age on what is served counts as old; None where nobody asks the database.
    """

    checked_at: float | None = None
    is_listening: bool = False
    bound_seconds: float | None = None

    def age_seconds(self) -> float | None:
        """Time since the database last confirmed what is served."""
        return None if self.checked_at is None else time.monotonic() - self.checked_at

    @property
    def is_old(self) -> bool:
        """Whether the database has not confirmed for too long what is served."""
        # Before its first answer nothing is served, so nothing is old.
        age = self.age_seconds()
        return self.bound_seconds is not None and age is not None and age > self.bound_seconds


class Store:
    """What this process serves, of every environment that somebody asked for."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self.hub = hub
        self.freshness = Freshness()
        self._database = database
        self._snapshots: dict[uuid.UUID, Snapshot] = {}
        self._places: dict[tuple[str, str], uuid.UUID] = {}
        self._credentials: Credentials | None = None
        self._retired: list[Snapshot] = []
        # One at a time: a snapshot read before a change must not replace one read after it.
        self._loading = asyncio.Lock()
        self._confirming = asyncio.Lock()

    @property
    def credentials(self) -> Credentials | None:
        """Keys and secret, None until they have been read."""
        return self._credentials

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """What this process serves now."""
        return tuple(self._snapshots.values())

    def loaded(self, environment_id: uuid.UUID) -> Snapshot | None:
        """The environment's snapshot, if this process has it."""
        return self._snapshots.get(environment_id)

    async def open(self) -> Credentials:
        """Keys and secret, read from the database when this process has none yet."""
        if self._credentials is None:
            await self.refresh()
        assert self._credentials is not None  # noqa: S101 — refreshing reads them or raises
        return self._credentials

    async def snapshot(self, environment_id: uuid.UUID) -> Snapshot:
        """The environment's snapshot, compiled now if nobody asked for it before."""
        async with self._loading:
            if (known := self._snapshots.get(environment_id)) is not None:
                return known
            async with self._database.reading(isolation="REPEATABLE READ") as tx:
                published = await flags.published(tx, environment_id)
            snapshot = await _built(environment_id, published, None)
            self._snapshots[environment_id] = snapshot
            return snapshot

    async def at_least(self, snapshot: Snapshot, revision: int | None) -> Snapshot:
        """A snapshot of this revision or a later one, if another process already serves it."""
        if revision is None or revision <= snapshot.revision:
            return snapshot
        await self.confirm()
        return self._snapshots.get(snapshot.environment_id, snapshot)

    async def place(self, project: str, environment: str) -> uuid.UUID:
        """The identifier of an environment by name.

        Raises:
            ProjectNotFound, EnvironmentNotFound: There is no such place.
        """
        known = self._places.get((project, environment))
        if known is None:
            async with self._database.reading() as tx:
                known = (await projects.get_environment(tx, project, environment)).id
            self._places[project, environment] = known
        return known

    async def confirm(self) -> None:
        """Makes sure of what the database says now; everybody who asks meanwhile shares the answer."""
        asked_at = time.monotonic()
        async with self._confirming:
            checked_at = self.freshness.checked_at
            if checked_at is not None and checked_at >= asked_at:
                return
            if checked_at is not None:
                await asyncio.sleep(checked_at + ASK_AGAIN_SECONDS - time.monotonic())
            await self.refresh()

    async def refresh(self) -> None:
        """Reads keys and revisions, and compiles again what has changed."""
        async with self._loading:
            asked_at = time.monotonic()
            secret = self._credentials.stream_secret if self._credentials else await self._secret()
            async with self._database.reading(isolation="REPEATABLE READ") as tx:
                keyring = await access.keyring(tx)
                changed = await self._changed(tx)
            self._credentials = Credentials(keyring, secret)
            self.hub.end_of_keys(keyring.identifiers)
            for environment_id, published in changed.items():
                await self._replace(environment_id, published)
            self.freshness.checked_at = asked_at

    def collect(self) -> dict[uuid.UUID, Counter[Served]]:
        """How often each variant was given since the last collection, by environment."""
        counts: dict[uuid.UUID, Counter[Served]] = {}
        for snapshot in (*self._snapshots.values(), *self._retired):
            if given := snapshot.collect():
                counts.setdefault(snapshot.environment_id, Counter()).update(given)
        self._retired.clear()
        return counts

    async def _secret(self) -> bytes:
        return await self._database.write(lambda tx: access.secret(tx, STREAM_SECRET))

    async def _changed(self, tx: ReadSession) -> Mapping[uuid.UUID, Published]:
        revisions = await projects.environment_revisions(tx)
        return {
            environment_id: await flags.published(tx, environment_id)
            for environment_id, snapshot in list(self._snapshots.items())
            if revisions.get(environment_id, snapshot.revision) != snapshot.revision
        }

    async def _replace(self, environment_id: uuid.UUID, published: Published) -> None:
        try:
            snapshot = await _built(environment_id, published, self._snapshots[environment_id])
        except InvalidRuleset as error:
            # Publishing checks, so this is another version of Assay's work; what is served stays.
            where = {"environment": str(environment_id), "revision": published.ruleset.revision}
            log.error("ruleset_refused", **where, why=str(error))  # noqa: TRY400 — the sentence says it all
            return
        self._retired.append(self._snapshots[environment_id])
        self._snapshots[environment_id] = snapshot
        self.hub.announce(environment_id, snapshot.mark(utc_now()), snapshot.loaded_at)
        log.info("snapshot_replaced", environment=str(environment_id), revision=snapshot.revision)


async def _built(environment_id: uuid.UUID, published: Published, earlier: Snapshot | None) -> Snapshot:
    # Compiling takes a while; requests must not wait for it.
    return await anyio.to_thread.run_sync(
        build, environment_id, published.ruleset, published.datafile, earlier
    )
