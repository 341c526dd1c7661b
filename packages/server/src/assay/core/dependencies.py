"""What endpoints ask for: a session that reads or writes, the time, the settings."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import Database, ReadSession, WriteSession, retry_transient


# Without waiting for anything: what is not `async` is run in a thread, which takes longer than most answers.
async def _database(request: Request) -> Database:
    return request.state.database


async def _settings(request: Request) -> Settings:
    return request.state.settings


async def _reads(database: Annotated[Database, Depends(_database)]) -> AsyncIterator[ReadSession]:
    async with database.reading() as session:
        yield session


async def _writes(database: Annotated[Database, Depends(_database)]) -> AsyncIterator[WriteSession]:
    async with database.writing() as session:
        yield session


# scope="function": the commit happens before the answer leaves, so a failing commit cannot hide behind a 201.
Reads = Annotated[ReadSession, Depends(_reads, scope="function")]
Writes = Annotated[WriteSession, Depends(_writes, scope="function")]
Now = Annotated[datetime, Depends(utc_now)]
AppDatabase = Annotated[Database, Depends(_database)]
AppSettings = Annotated[Settings, Depends(_settings)]


class RetryingRoute(APIRoute):
    """Runs the whole endpoint again, its transaction included, when PostgreSQL asks for it.

    Safe because the answer leaves only after the commit: a request that failed so has sent nothing.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, as often as it takes."""
        replay = _Replay(receive)

        async def once() -> None:
            replay.rewind()
            await super(RetryingRoute, self).handle(dict(scope), replay, send)

        await retry_transient(once)


class _Replay:
    """The request's messages, readable again from the start."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen: list[Message] = []
        self._position = 0

    def rewind(self) -> None:
        self._position = 0

    async def __call__(self) -> Message:
        if self._position == len(self._seen):
            self._seen.append(await self._receive())
        self._position += 1
        return self._seen[self._position - 1]
