"""Server-sent events: who follows an environment is told that it changed, and asks again by itself.

A change says nothing but the newest version, so a slow follower needs only the last one: each has a slot,
no queue, and memory stays bounded however slowly somebody reads.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import Receive, Send

HEARTBEAT = b": still here\n\n"
RETRY_MILLISECONDS = 2000
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would otherwise gather events until its buffer is full.
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
]
_START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": HEADERS}


class Follower:
    """One connected client: the newest frame it has not been sent, and what wakes it."""

    __slots__ = ("_frame", "_is_over", "_waiter", "environment_id", "frames", "key_id")

    def __init__(
        self, environment_id: uuid.UUID, key_id: uuid.UUID | None, frames: Callable[[str, float], bytes]
    ) -> None:
        self.environment_id = environment_id
        self.key_id = key_id
        self.frames = frames
        self._frame: bytes | None = None
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it has been sent everything."""
        return self._frame is None

    def offer(self, frame: bytes) -> None:
        """The next frame, in place of one that is still unsent."""
        self._frame = frame
        self._wake()

    def end(self) -> None:
        """No more frames, whatever is unsent."""
        self._is_over = True
        self._wake()

    async def next(self) -> bytes | None:
        """The newest frame once there is one; None at the end."""
        while self._frame is None and not self._is_over:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frame, self._frame = self._frame, None
        return None if self._is_over else frame

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Hub:
    """All followers of one process."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._by_environment: dict[uuid.UUID, set[Follower]] = {}
        self._is_over = False
        self.followers = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody more may follow: too many do, or the process is ending."""
        return self._is_over or self.followers >= self._limit

    def announce(self, environment_id: uuid.UUID, mark: str, changed_at: float) -> None:
        """Tells everybody who follows the environment; the mark is what they name when they come back."""
        made: dict[Callable[[str, float], bytes], bytes] = {}
        for follower in list(self._by_environment.get(environment_id, ())):
            frame = made.get(follower.frames)
            if frame is None:
                frame = made[follower.frames] = follower.frames(mark, changed_at)
            follower.offer(frame)

    def keep_alive(self) -> None:
        """A comment to everybody with nothing else to read, so that no proxy takes the silence for an end."""
        for follower in self._all():
            if follower.is_waiting:
                follower.offer(HEARTBEAT)

    def end_of_keys(self, identifiers: frozenset[uuid.UUID]) -> None:
        """Ends the streams of keys that are not among these."""
        for follower in self._all():
            if follower.key_id is not None and follower.key_id not in identifiers:
                follower.end()

    def end(self) -> None:
        """Ends every stream; nobody new is taken."""
        self._is_over = True
        for follower in self._all():
            follower.end()

    async def serve(self, follower: Follower, first: bytes, *, receive: Receive, send: Send) -> None:
        """Sends frames until either side ends; then nothing of the follower is left."""
        group = self._by_environment.setdefault(follower.environment_id, set())
        group.add(follower)
        self.followers += 1
        gone = asyncio.ensure_future(_disconnected(receive))
        gone.add_done_callback(lambda _: follower.end())
        try:
            await send(_START)
            await send({"type": "http.response.body", "body": first, "more_body": True})
            while (frame := await follower.next()) is not None:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self.followers -= 1
            group.discard(follower)
            if not group:
                self._by_environment.pop(follower.environment_id, None)

    def _all(self) -> Iterable[Follower]:
        return [follower for group in self._by_environment.values() for follower in group]


def opening(mark: str) -> bytes:
    """The first frame of somebody who is up to date.

    It has an id and no data: `EventSource` dispatches nothing and yet says the id when it comes back.
    """
    return f"retry: {RETRY_MILLISECONDS}\nid: {mark}\n\n".encode()


def refetch(mark: str, changed_at: float) -> bytes:
    """OFREP's word that flags should be asked for again."""
    data = (
        f'{{"type":"refetchEvaluation","etag":"\\"{version_of(mark)}\\"","lastModified":{int(changed_at)}}}'
    )
    return f"id: {mark}\nevent: message\ndata: {data}\n\n".encode()


def datafile_changed(mark: str, _changed_at: float) -> bytes:
    """Word to our SDK that there is a new datafile, under this tag."""
    data = f'{{"type":"datafile","etag":"\\"{version_of(mark)}\\""}}'
    return f"id: {mark}\nevent: message\ndata: {data}\n\n".encode()


def version_of(mark: str) -> str:
    """The version in a snapshot's mark."""
    return mark.partition("@")[0]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
