"""From a data directory to a running PostgreSQL, whatever an earlier Assay left there."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from assay.core.embedded.account import Account, account_for, require_open_way
from assay.core.embedded.binaries import Installation, find_installation, reachable_installation
from assay.core.embedded.cluster import ensure_cluster
from assay.core.embedded.errors import from_os_error
from assay.core.embedded.layout import (
    Layout,
    close_socket_folder,
    open_data_directory,
    open_socket_folder,
    prepare,
    require_space,
)
from assay.core.embedded.lock import DirectoryLock
from assay.core.embedded.processes import clear_remains, trim_log
from assay.core.embedded.supervisor import Change, Plan, RunningPostgres

log = structlog.stdlib.get_logger(__name__)

NEW_CLUSTER_NEEDS_BYTES = 256 * 1024 * 1024
OLD_CLUSTER_NEEDS_BYTES = 64 * 1024 * 1024


def start(
    data_directory: Path,
    *,
    durable: bool = True,
    note: str = "",
    on_change: Callable[[Change], None] | None = None,
    installation: Installation | None = None,
    free_bytes: int | None = None,
) -> RunningPostgres:
    """Run PostgreSQL in `<data_directory>/postgres` and return when it accepts connections.

    Whatever an earlier Assay left there, killed or not, is cleared and recovered first.

    Args:
        durable: Whether commits survive a power failure; tests do without.
        note: What a second Assay on the same directory is told, such as the address of the pages.
        on_change: Called from a thread when the server died and was started again, or could not be.
        installation: Another PostgreSQL than the installed wheel's.
        free_bytes: The free space to insist on, instead of 256 MiB for a new cluster and 64 MiB for an old.
    Raises:
        DataDirectoryBusy: Another Assay works there; the message says who.
        EmbeddedPostgresError: The other reasons, each with the way out.
    """
    found = installation or find_installation()
    layout = Layout(data_directory.expanduser().resolve())
    try:
        account = account_for(layout.cluster, layout.data)
        require_open_way(layout.data.parent, account)
        open_data_directory(layout.data)
        with_lock = DirectoryLock.acquire(layout.data, now=datetime.now(UTC), note=note)
        try:
            plan = _plan(layout, found, account, durable=durable, free_bytes=free_bytes)
            return RunningPostgres(plan, with_lock, plan.launch(), on_change)
        except BaseException:
            close_socket_folder(layout)
            with_lock.release()
            raise
    except OSError as error:
        raise from_os_error(error, layout.data) from error


@asynccontextmanager
async def running(
    data_directory: Path,
    *,
    durable: bool = True,
    note: str = "",
    on_change: Callable[[Change], None] | None = None,
) -> AsyncGenerator[RunningPostgres]:
    """`start` and `stop` around a block, in threads; `on_change` is called on the event loop."""
    loop = asyncio.get_running_loop()

    def tell(change: Change) -> None:
        with suppress(RuntimeError):  # the loop may have ended in between
            loop.call_soon_threadsafe(on_change or _ignore, change)

    begin = asyncio.to_thread(start, data_directory, durable=durable, note=note, on_change=tell)
    postgres = await _uncancelled(asyncio.ensure_future(begin))
    try:
        yield postgres
    finally:
        await asyncio.shield(asyncio.to_thread(postgres.stop))


async def _uncancelled(starting: asyncio.Future[RunningPostgres]) -> RunningPostgres:
    """The started server; a caller cancelled meanwhile leaves none behind (threads cannot be cancelled)."""
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if starting.exception() is None:
            await asyncio.to_thread(starting.result().stop)
        raise


def _plan(
    layout: Layout, installation: Installation, account: Account, *, durable: bool, free_bytes: int | None
) -> Plan:
    prepare(layout, account)
    if cleared := clear_remains(layout, account):
        log.warning("embedded_postgres_remains_cleared", pids=cleared)
    usual = OLD_CLUSTER_NEEDS_BYTES if layout.cluster.exists() else NEW_CLUSTER_NEEDS_BYTES
    require_space(layout.postgres, usual if free_bytes is None else free_bytes)
    reachable = reachable_installation(installation, account, layout.postgres)
    password = ensure_cluster(layout, reachable, account, durable=durable)
    trim_log(layout.log)
    socket_folder = open_socket_folder(layout, account)
    return Plan(layout, reachable, account, socket_folder, durable, password)


def _ignore(change: Change) -> None:
    del change
