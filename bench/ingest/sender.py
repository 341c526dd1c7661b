"""Sends batches over HTTP as cheaply as this language can, so that the server is what is measured."""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

IDENTIFIER = "0" * 32
PATH = "/api/v1/events"


def batches(events: int) -> Iterator[bytes]:
    """Bodies of events that nobody has sent before: a quarter exposures, some values, some properties.

    One text is made once; the digits of each identifier are then written over it, because making every body
    anew would take as long as storing it.
    """
    text = ("[" + ",".join(_event(number) for number in range(events)) + "]").encode()
    template = np.frombuffer(text, dtype=np.uint8)
    marked = b'"id":"' + IDENTIFIER.encode()
    starts = [at + 6 for at in _positions(text, marked)]
    places = np.array(starts)[:, None] + np.arange(len(IDENTIFIER))[None, :]
    while True:
        body = template.copy()
        digits = os.urandom(16 * events).hex().encode()
        body[places] = np.frombuffer(digits, dtype=np.uint8).reshape(events, len(IDENTIFIER))
        yield body.tobytes()


class Sender:
    """One connection that sends batch after batch."""

    def __init__(self, host: str, port: int, bodies: Iterator[bytes], pace_seconds: float | None) -> None:
        """`pace_seconds` is the time from one batch to the next; without it there is no pause."""
        self._host = host
        self._port = port
        self._bodies = bodies
        self._pace = pace_seconds

    async def send(self, until: float) -> list[float]:
        """Seconds from the first byte to the acknowledgement, of each batch.

        At a pace, a batch that leaves late because the one before was slow counts from when it was due.
        """
        reader, writer = await asyncio.open_connection(self._host, self._port)
        taken: list[float] = []
        due = time.perf_counter() + (self._pace or 0) * np.random.default_rng().random()
        while (now := time.perf_counter()) < until:
            if self._pace is not None:
                await asyncio.sleep(max(0.0, due - now))
            begun = due if self._pace is not None else now
            await self._exchange(reader, writer, next(self._bodies))
            taken.append(time.perf_counter() - begun)
            due += self._pace or 0
        writer.close()
        return taken

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
    ) -> None:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 202"), answer
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length"))
        verdicts = await reader.readexactly(int(length.split(b":")[1]))
        assert verdicts.startswith(b'{"accepted":500,'), verdicts[:200]


def _event(number: int) -> str:
    at = datetime.now(UTC).isoformat()
    who = f'"unit":"user-{number * 7919}","at":"{at}","id":"{IDENTIFIER}"'
    if number % 4 == 0:
        properties = '"properties":{"country":"DE","plan":"pro"}'
        return f'{{"kind":"exposure","experiment":"checkout","variant":"treatment",{who},{properties}}}'
    value = f',"value":{number * 0.37:.2f}' if number % 2 else ""
    return f'{{"kind":"event","name":"order_{number % 5}",{who}{value}}}'


def _positions(text: bytes, wanted: bytes) -> Iterator[int]:
    at = text.find(wanted)
    while at >= 0:
        yield at
        at = text.find(wanted, at + 1)
