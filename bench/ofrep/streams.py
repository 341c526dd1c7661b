"""How long until the last of five thousand followers is told of a change.

Run: `uv run python bench/ofrep/streams.py`; it needs two cores and 6,000 open files. The server is pinned to
the first core, all followers are one process on the second, so that the figure contains the reading too.
"""

import asyncio
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import cast

import httpx2
import uvloop
from harness import ENVIRONMENT, Server, assay, datafile

FOLLOWERS = 5_000
ROUNDS = 5
TARGET_MILLISECONDS = 150


class Follower(asyncio.Protocol):
    """A connection that notes when it was last told to ask again."""

    def __init__(self, request: bytes, everybody: "Everybody") -> None:
        self._request = request
        self._everybody = everybody

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream."""
        cast("asyncio.WriteTransport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Counts the greeting and each change."""
        if b"refetchEvaluation" in data:
            self._everybody.told += 1
            self._everybody.last_told_at = time.perf_counter()
        elif b"retry:" in data:
            self._everybody.connected += 1


class Everybody:
    """All followers together."""

    def __init__(self) -> None:
        self.connected = 0
        self.told = 0
        self.last_told_at = 0.0

    async def reach(self, attribute: str, number: int) -> None:
        """Waits until that many are connected or told."""
        deadline = time.perf_counter() + 60
        while getattr(self, attribute) < number:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{getattr(self, attribute)} of {number} {attribute}")
            await asyncio.sleep(0.005)


async def measure(server: Server) -> None:
    """Connects everybody, publishes some times, prints how long the last had to wait."""
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (FOLLOWERS + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    os.sched_setaffinity(0, {1})
    everybody = Everybody()
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as http:
        request = await stream_request(http)
        loop = asyncio.get_running_loop()
        port = int(server.url.rpartition(":")[2])
        for begin in range(0, FOLLOWERS, 100):
            batch = range(begin, begin + 100)
            await asyncio.gather(
                *(
                    loop.create_connection(lambda: Follower(request, everybody), "127.0.0.1", port)
                    for _ in batch
                )
            )
        await everybody.reach("connected", FOLLOWERS)
        for number in range(ROUNDS):
            everybody.told = 0
            begun = time.perf_counter()
            body = datafile(1)
            body["flags"][0]["metadata"] = {"round": number}
            await http.post(f"{ENVIRONMENT}/ruleset", json=body)
            published = time.perf_counter()
            await everybody.reach("told", FOLLOWERS)
            last = everybody.last_told_at
            print(
                f"{FOLLOWERS:,} followers, last told {1000 * (last - published):6.1f} ms after the answer to "
                f"who published, {1000 * (last - begun):6.1f} ms after the request ({TARGET_MILLISECONDS})"
            )
            await asyncio.sleep(1)


async def stream_request(http: httpx2.AsyncClient) -> bytes:
    """The bytes that ask for the environment's stream, with an id that is up to date."""
    bulk = (await http.post("/ofrep/v1/evaluate/flags", json={})).json()
    address = bulk["eventStreams"][0]["endpoint"]["requestUri"]
    tag = (await http.get("/api/v1/datafile")).headers["etag"].strip('"')
    return (
        f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        f"Last-Event-ID: {tag}\r\n\r\n"
    ).encode()


def main() -> None:
    """Runs the measurement."""
    with tempfile.TemporaryDirectory() as folder, assay(Path(folder)) as server:
        uvloop.run(measure(server))


if __name__ == "__main__":
    main()
