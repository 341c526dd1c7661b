"""Runs a query on an engine in a thread, and stops it when its time is over or somebody says so."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio.to_thread

from assay.shared.errors import AssayError
from assay.sources.connections import Definition
from assay.sources.engines.base import Engine
from assay.sources.engines.opening import Means, opened
from assay.sources.errors import QueryCancelled, QueryTimeout

LOOK_EVERY_SECONDS = 0.25
# An engine that does not obey is left behind; its thread ends when the engine does.
OBEY_WITHIN_SECONDS = 10.0

Result = TypeVar("Result")


async def run(
    definition: Definition,
    means: Means,
    work: Callable[[Engine], Result],
    *,
    is_cancelled: Callable[[], Awaitable[bool]] | None = None,
) -> Result:
    """What `work` makes of the open connection.

    Args:
        is_cancelled: Asked again and again whether the query should be stopped.
    Raises:
        QueryTimeout: It took longer than `means.timeout_seconds`; there is no result.
        QueryCancelled: Somebody asked for it to be stopped.
    """
    query = _Query(definition, means, work)
    overdue = QueryTimeout(
        f"the query on {definition.kind} took longer than {means.timeout_seconds:g} s and was stopped; "
        "there is no result. Ask for less, or raise the setting source_timeout_seconds",
        value=means.timeout_seconds,
    )
    return await supervised(
        query.perform,
        query.interrupt,
        Limits(
            means.timeout_seconds,
            overdue,
            QueryCancelled("the query was cancelled; there is no result"),
            is_cancelled,
        ),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends work before its time.

    Attributes:
        overdue: Raised when the seconds are over.
        cancelled: Raised when somebody has asked for a stop.
        is_cancelled: Asked again and again.
    """

    seconds: float
    overdue: AssayError
    cancelled: AssayError
    is_cancelled: Callable[[], Awaitable[bool]] | None = None

    async def reason_to_stop(self, deadline: float) -> AssayError | None:
        """Why work should end now, None while it may go on."""
        if asyncio.get_running_loop().time() > deadline:
            return self.overdue
        if self.is_cancelled is not None and await self.is_cancelled():
            return self.cancelled
        return None


async def supervised(perform: Callable[[], Result], interrupt: Callable[[], None], limits: Limits) -> Result:
    """What the work gives that is done in a thread, unless it is stopped before.

    Args:
        interrupt: Makes the work fail soon, from another thread; called again and again until it has.
    """
    thread = asyncio.create_task(anyio.to_thread.run_sync(perform, abandon_on_cancel=True))
    deadline = asyncio.get_running_loop().time() + limits.seconds
    try:
        while not thread.done():
            if (stopped := await limits.reason_to_stop(deadline)) is not None:
                await _stop(interrupt, thread)
                raise stopped
            await asyncio.wait({thread}, timeout=LOOK_EVERY_SECONDS)
    except asyncio.CancelledError:
        # The process is ending: the engine should not work on for nobody.
        thread.add_done_callback(_forget)
        _quietly(interrupt)
        raise
    return thread.result()


@dataclass(slots=True)
class _Query(Generic[Result]):
    definition: Definition
    means: Means
    work: Callable[[Engine], Result]
    engine: Engine | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def perform(self) -> Result:
        with opened(self.definition, self.means) as engine:
            self.engine = engine
            if self.stopping.is_set():
                raise QueryCancelled("the query was stopped before it began")
            return self.work(engine)

    def interrupt(self) -> None:
        self.stopping.set()
        if self.engine is not None:
            self.engine.interrupt()


async def _stop(interrupt: Callable[[], None], thread: asyncio.Task[Result]) -> None:
    # Asked again and again: an interrupt between two statements would be lost.
    for _ in range(int(OBEY_WITHIN_SECONDS / LOOK_EVERY_SECONDS)):
        await asyncio.to_thread(_quietly, interrupt)
        await asyncio.wait({thread}, timeout=LOOK_EVERY_SECONDS)
        if thread.done():
            break
    thread.add_done_callback(_forget)


def _quietly(interrupt: Callable[[], None]) -> None:
    # The connection may have ended by itself; then there is nothing to stop.
    with suppress(Exception):
        interrupt()


def _forget(thread: asyncio.Task[Result]) -> None:
    # Its failure is our own doing; asking for it keeps asyncio from reporting it.
    if not thread.cancelled():
        thread.exception()
