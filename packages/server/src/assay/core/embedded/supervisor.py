"""One running PostgreSQL: watched, started again when it dies, stopped."""

import atexit
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import structlog

from assay.core.embedded import processes
from assay.core.embedded.account import Account
from assay.core.embedded.binaries import Installation
from assay.core.embedded.cluster import DATABASE, ROLE, write_settings
from assay.core.embedded.errors import EmbeddedPostgresError, StartFailed, from_os_error
from assay.core.embedded.layout import PORT, Layout, close_socket_folder
from assay.core.embedded.lock import DirectoryLock

log = structlog.stdlib.get_logger(__name__)

_LOOK_AT_LOG_SECONDS = 5.0
_MEMORY_SECONDS = 60.0
_PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Restarted:
    """The server died and runs again under the same URL; open connections are lost."""

    pid: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The server died and cannot be brought back."""

    reason: EmbeddedPostgresError


Change = Restarted | GaveUp


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything needed to start the same server again."""

    layout: Layout
    installation: Installation
    account: Account
    socket_folder: Path
    durable: bool
    password: str = field(repr=False)

    def launch(self) -> processes.Postmaster:
        """Start the server with the settings of this version and wait until it accepts connections."""
        write_settings(self.layout, self.account, self.socket_folder, durable=self.durable)
        return processes.launch(self.layout, self.installation, self.account)


class RunningPostgres:
    """A PostgreSQL that belongs to this process until `stop`; also a context manager that stops it."""

    def __init__(
        self,
        plan: Plan,
        lock: DirectoryLock,
        postmaster: processes.Postmaster,
        on_change: Callable[[Change], None] | None,
    ) -> None:
        self._plan = plan
        self._lock = lock
        self._postmaster = postmaster
        self._on_change = on_change
        self._owner = os.getpid()
        self._deaths: list[float] = []
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._is_stopped = False
        self._failure: EmbeddedPostgresError | None = None
        self._watcher = threading.Thread(target=self._watch, name="watch-postgres", daemon=True)
        self._watcher.start()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the application's database; it holds the password."""
        host = quote(os.fsencode(self.socket_folder), safe="/")
        return f"postgresql+psycopg://{ROLE}:{self._plan.password}@/{DATABASE}?host={host}&port={PORT}"

    @property
    def dsn(self) -> str:
        """The libpq connection string of the application's database; it holds the password."""
        host = str(self.socket_folder).replace("\\", "\\\\").replace("'", "\\'")
        return f"host='{host}' port={PORT} dbname={DATABASE} user={ROLE} password={self._plan.password}"

    @property
    def socket_folder(self) -> Path:
        """Where the server listens; private to its user."""
        return self._plan.socket_folder

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._postmaster.pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self._postmaster.is_running

    def describe(self, note: str) -> None:
        """What a second Assay on the same directory is told, such as the address of the pages."""
        self._lock.describe(note)

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the server is gone for good; whether it is.

        Raises:
            EmbeddedPostgresError: It died and could not be brought back.
        """
        ended = self._ended.wait(timeout_seconds)
        if ended and self._failure is not None:
            raise self._failure
        return ended

    def stop(self) -> None:
        """Stop the server and let the data directory go; harmless when done twice."""
        if os.getpid() != self._owner:
            return
        self._stopping.set()
        with self._changing:
            if not self._is_stopped:
                self._stop_and_let_go()
        if threading.current_thread() is not self._watcher:
            self._watcher.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _stop_and_let_go(self) -> None:
        self._postmaster.stop()
        close_socket_folder(self._plan.layout)
        self._lock.release()
        self._is_stopped = True
        self._ended.set()
        atexit.unregister(self.stop)

    def _watch(self) -> None:
        while not self._ended.is_set():
            died = self._postmaster.wait(_LOOK_AT_LOG_SECONDS)
            if self._stopping.is_set():
                return
            if died:
                self._tell(self._bring_back())
            else:
                processes.trim_log(self._plan.layout.log)

    def _tell(self, change: Change | None) -> None:
        if change is not None and self._on_change is not None:
            self._on_change(change)

    def _bring_back(self) -> Change | None:
        self._deaths.append(time.monotonic())
        log.error("embedded_postgres_died", pid=self.pid)
        try:
            return self._restart()
        except OSError as error:
            return self._give_up(from_os_error(error, self._plan.layout.data))
        except EmbeddedPostgresError as error:
            return self._give_up(error)

    def _restart(self) -> Restarted | None:
        pause_seconds = restart_pause(self._deaths, now=self._deaths[-1])
        if pause_seconds is None:
            words = processes.last_words(self._plan.layout.log)
            raise StartFailed(
                f"PostgreSQL died {len(self._deaths)} times in a short while; its last words:\n{words}"
            )
        self._stopping.wait(pause_seconds)
        with self._changing:
            if self._stopping.is_set():
                return None
            processes.clear_remains(self._plan.layout, self._plan.account)
            self._postmaster = self._plan.launch()
        log.warning("embedded_postgres_restarted", pid=self.pid)
        return Restarted(self.pid)

    def _give_up(self, reason: EmbeddedPostgresError) -> GaveUp:
        log.error("embedded_postgres_given_up", reason=reason.message)
        self._failure = reason
        self._ended.set()
        return GaveUp(reason)


def restart_pause(deaths: Sequence[float], *, now: float) -> float | None:
    """Seconds to wait before the next start, given the moments of death; `None` when there were too many."""
    recent = sum(1 for at in deaths if now - at < _MEMORY_SECONDS)
    return _PAUSES_SECONDS[recent - 1] if recent <= len(_PAUSES_SECONDS) else None
