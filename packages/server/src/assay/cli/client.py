"""Talks to a running Assay: plain requests, and event batches that are sent again until acknowledged."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import islice
from typing import Any

import httpx2
import msgspec

from assay.shared.errors import AssayError

BATCH_EVENTS = 1000
CONCURRENT_BATCHES = 2
POLL_SECONDS = 0.1
GIVE_UP_AFTER_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 2.0
RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})

Event = Mapping[str, object]


class ServerProblem(AssayError):
    """The server refused; the message is its own."""

    code = "server_problem"


class ServerUnreachable(AssayError):
    """Nothing answers at the address."""

    code = "server_unreachable"


class EventsRefused(AssayError):
    """Some of the events that were sent are kept as refused, and not counted."""

    code = "events_refused"

    def __init__(self, count: int) -> None:
        events = "1 event was" if count == 1 else f"{count:,} events were"
        super().__init__(
            f"{events} refused; `assay events rejected list` shows them with the reasons, and sending "
            "again what has been mended is safe",
            value=count,
        )


class Client:
    """A connection to one Assay."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **query: str | int | None) -> Any:  # noqa: ANN401 — JSON
        """Reads a resource."""
        parameters = {name: value for name, value in query.items() if value is not None}
        return await self._request("GET", path, params=parameters)

    async def content(self, path: str, **query: str) -> bytes:
        """Reads a file."""
        return (await self._answer("GET", path, params=query)).content

    async def post(self, path: str, body: object = None, *, if_match: str | None = None, **query: str) -> Any:  # noqa: ANN401 — JSON
        """Creates a resource or begins work."""
        return await self._send("POST", path, body, if_match=if_match, params=query)

    async def put(self, path: str, body: object, *, if_match: str) -> Any:  # noqa: ANN401 — JSON
        """Replaces a resource that is still what the caller has read."""
        return await self._send("PUT", path, body, if_match=if_match)

    async def patch(self, path: str, body: object, *, if_match: str) -> Any:  # noqa: ANN401 — JSON
        """Changes parts of a resource that is still what the caller has read."""
        return await self._send("PATCH", path, body, if_match=if_match)

    async def delete(self, path: str, *, if_match: str | None = None) -> Any:  # noqa: ANN401 — JSON
        """Removes a resource, where it has versions the one that the caller has read."""
        return await self._send("DELETE", path, None, if_match=if_match)

    async def send(
        self,
        events: Iterable[Event],
        *,
        project: str = "default",
        environment: str = "production",
        sent: Callable[[Mapping[str, Any]], None] = lambda _answer: None,
    ) -> None:
        """Sends events in batches, each again until the server has acknowledged it.

        Args:
            sent: Called with the server's answer to each batch.
        """
        batches = _batches(iter(events))

        async def work() -> None:
            for batch in batches:
                sent(await self.deliver(batch, project=project, environment=environment))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONCURRENT_BATCHES):
                    group.create_task(work())
        except ExceptionGroup as failures:
            # The senders fail for the same reason; people need one sentence, not a group.
            raise failures.exceptions[0] from failures

    async def deliver(self, batch: Sequence[Event], *, project: str, environment: str) -> Any:  # noqa: ANN401 — JSON
        """Sends a batch of events until the server has acknowledged it, waiting when it asks for that."""
        deadline = asyncio.get_running_loop().time() + GIVE_UP_AFTER_SECONDS
        for attempt in range(1, 1000):
            try:
                return await self.post("/api/v1/events", batch, project=project, environment=environment)
            except (ServerUnreachable, _TryAgain) as error:
                pause = _pause_seconds(attempt, error)
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise
                await asyncio.sleep(pause)
        raise ServerUnreachable("the server kept refusing the batch")

    async def results(
        self,
        project: str,
        experiment: str,
        *,
        asked: Mapping[str, Any] | None = None,
        progress: Callable[[float, str], None],
    ) -> Any:  # noqa: ANN401 — JSON
        """Begins an analysis, waits for it, and reads its result; given up, the analysis is cancelled.

        Args:
            asked: Options, for another reading than the planned one.
        """
        path = f"/api/v1/projects/{project}/experiments/{experiment}/results"
        task = await self.post(path, asked or None)
        try:
            while task["state"] in {"PENDING", "PROCESSING"}:
                progress(task["progress"], task["note"])
                await asyncio.sleep(POLL_SECONDS)
                task = await self.get(f"{path}/{task['id']}")
        except asyncio.CancelledError:
            await self.post(f"{path}/{task['id']}/cancel")
            raise
        return await self.get(f"{path}/{task['id']}/document")

    async def _send(
        self,
        method: str,
        path: str,
        body: object,
        *,
        if_match: str | None,
        params: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 — JSON
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} | ({"If-Match": if_match} if if_match else {})
        return await self._request(method, path, content=content, headers=headers, params=params)

    async def _request(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 — passed on
        answer = await self._answer(method, path, **options)
        return answer.json() if answer.content else None

    async def _answer(self, method: str, path: str, **options: Any) -> httpx2.Response:  # noqa: ANN401 — as above
        try:
            answer = await self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise ServerUnreachable(
                f"no Assay answers at {self._http.base_url} ({type(error).__name__}); "
                "start one with `assay up`, or give its address with --url or ASSAY_URL"
            ) from error
        if answer.status_code in RETRIED:
            raise _TryAgain(_detail(answer), value=answer.headers.get("Retry-After"))
        if answer.is_error:
            raise ServerProblem(_detail(answer), value=answer.status_code)
        return answer


class _TryAgain(ServerProblem):
    """The server asks for patience."""


@asynccontextmanager
async def connected(url: str, *, key: str | None = None) -> AsyncGenerator[Client]:
    """A client of the Assay at `url` until the block ends.

    Args:
        key: A server key, where Assay asks for one.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else None
    async with httpx2.AsyncClient(base_url=url, timeout=30.0, trust_env=False, headers=headers) as http:
        yield Client(http)


def _batches(events: Iterator[Event]) -> Iterable[Sequence[Event]]:
    while batch := list(islice(events, BATCH_EVENTS)):
        yield batch


def _pause_seconds(attempt: int, error: AssayError) -> float:
    if isinstance(error.value, str) and error.value.isdigit():
        return float(error.value)
    return random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.05 * 2**attempt))  # noqa: S311 — jitter, not a secret


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code}"
