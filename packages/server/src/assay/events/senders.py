"""Which environment a request's events are for, without asking the database each time."""

import asyncio
import time
import uuid
from collections import OrderedDict

from assay.access import service as access
from assay.core.database import Database, ReadSession
from assay.events.errors import UnknownKey
from assay.projects import service as projects

# A revoked key is refused within a second; half of one keeps that promise and asks twice a second at most.
REMEMBERED_SECONDS = 0.5
REMEMBERED_SENDERS = 10_000

Sender = tuple[str | None, str, str]
"""A presented token, and what the address says in its absence: project and environment."""


class Senders:
    """Those who have just sent, by what they presented; a bounded number of them, for half a second each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[Sender, tuple[float, uuid.UUID]] = OrderedDict()
        # One asks, the others wait for the answer: there may be a hundred at the same moment.
        self._asking = asyncio.Lock()

    async def environment(self, token: str | None, project: str, environment: str) -> uuid.UUID:
        """The environment that a key opens, or without a key the one that is named.

        Raises:
            UnknownKey: There is no such key, or no longer.
            ProjectNotFound, EnvironmentNotFound: There is no such place.
        """
        sender = (token, project, environment)
        if (known := self._remembered(sender)) is not None:
            return known
        async with self._asking:
            return self._remembered(sender) or await self._asked(sender)

    def _remembered(self, sender: Sender) -> uuid.UUID | None:
        known = self._known.get(sender)
        return known[1] if known is not None and time.monotonic() < known[0] else None

    async def _asked(self, sender: Sender) -> uuid.UUID:
        # Before the question: what it answers is as old as that.
        until = time.monotonic() + REMEMBERED_SECONDS
        async with self._database.reading() as tx:
            found = await _environment(tx, *sender)
        self._known[sender] = (until, found)
        self._known.move_to_end(sender)
        if len(self._known) > REMEMBERED_SENDERS:
            self._known.popitem(last=False)
        return found


async def _environment(tx: ReadSession, token: str | None, project: str, environment: str) -> uuid.UUID:
    if token is None:
        return (await projects.get_environment(tx, project, environment)).id
    key = await access.identify(tx, token)
    if key is None:
        raise UnknownKey("the key is unknown or revoked")
    return key.environment_id
