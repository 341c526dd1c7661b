"""Everything `assay up` runs, as one block: database, migrations, API, pages and worker."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio.to_thread
import uvicorn

from assay import migrations
from assay.core import embedded
from assay.core.config import Settings
from assay.core.database import Database, open_database
from assay.evaluation.streams import Hub
from assay.main import build_app
from assay.projects import service as projects
from assay.shared.errors import AssayError
from assay.worker import working


class CannotListen(AssayError):
    """The address cannot be listened on."""

    code = "cannot_listen"


@dataclass(frozen=True, slots=True)
class Serving:
    """A running Assay.

    Attributes:
        url: Where it answers.
        finished: Done when the server has stopped, by a signal or by `stop`.
    """

    url: str
    finished: asyncio.Task[None]
    _server: uvicorn.Server

    def stop(self) -> None:
        """Stops accepting, finishes what is under way, then stops."""
        self._server.should_exit = True


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[Serving]:
    """Assay, answering, until the block ends.

    Raises:
        CannotListen: The address is taken or not ours.
        EmbeddedPostgresError: The embedded database cannot run; the message says why.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listener(settings))
        url = f"http://{settings.host}:{listener.getsockname()[1]}{settings.root_path}"
        database_url = await stack.enter_async_context(_database_url(settings, url))
        await _prepare(settings, database_url)
        server = _server(settings, database_url)
        finished = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        stack.push_async_callback(_stop, server, finished)
        stack.enter_context(_stopped_by_signals(server))
        await _answering(server, finished)
        _settle()
        yield Serving(url, finished, server)


def _settle() -> None:
    """Spares the collector what stays for ever, and long looks through rules that are being compiled.

    With the interpreter's own thresholds 5,000 flags take more than twice as long to be served.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@asynccontextmanager
async def _database_url(settings: Settings, url: str) -> AsyncGenerator[str]:
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with embedded.running(settings.data_directory) as postgres:
        postgres.describe(url)
        yield postgres.url


async def _prepare(settings: Settings, database_url: str) -> None:
    await anyio.to_thread.run_sync(lambda: migrations.upgrade(database_url, schema=settings.database_schema))
    database = open_database(settings, database_url)
    try:
        await database.write(projects.ensure_default)
    finally:
        await database.close()


def _server(settings: Settings, database_url: str) -> uvicorn.Server:
    @asynccontextmanager
    async def resources() -> AsyncGenerator[Database]:
        database = open_database(settings, database_url)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            if settings.worker_enabled:
                await stack.enter_async_context(working(settings, database, database_url))
            yield database

    hub = Hub(limit=settings.stream_limit)
    config = uvicorn.Config(
        build_app(settings, resources, database_url=database_url, hub=hub),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_seconds),
    )
    return _Server(config, hub)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again before the database could be stopped."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams end only when told to; without this uvicorn would wait for them as long as it may.
        self._hub.end()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Generator[None, None, None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, server.handle_exit, number, None)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextmanager
def _listener(settings: Settings) -> Generator[socket.socket, None, None]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by every connection. Answers leave in two writes, headers and body; the second would wait
        # for the client's delayed acknowledgement of the first, 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
                "choose another with --port, or --port 0 for a free one"
            ) from error
        yield listener


async def _answering(server: uvicorn.Server, finished: asyncio.Task[None]) -> None:
    while not server.started:
        if finished.done():
            await finished
            raise CannotListen("the server stopped while starting; its log above says why")
        await asyncio.sleep(0.005)


async def _stop(server: uvicorn.Server, finished: asyncio.Task[None]) -> None:
    server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await finished
