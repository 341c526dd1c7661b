"""The processes of the server: starting and stopping one, and finding those a killed Assay left behind."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from assay.core.embedded.account import Account
from assay.core.embedded.binaries import Installation
from assay.core.embedded.cluster import ENVIRONMENT, LAST_WORDS_LINES, cluster_name, failure
from assay.core.embedded.errors import StartFailed
from assay.core.embedded.layout import Layout

if TYPE_CHECKING:
    import psutil

# After a crash the server replays up to a few gigabytes of write-ahead log before it is ready.
READY_WITHIN_SECONDS = 300.0
FAST_WITHIN_SECONDS = 30.0
IMMEDIATE_WITHIN_SECONDS = 10.0
LOG_LIMIT_BYTES = 8 * 1024 * 1024
_POLL_SECONDS = 0.01
_LAST_BYTES = 4096
_PID_FILE = "postmaster.pid"
_STATUS_LINE = 7


class _Remains(NamedTuple):
    postmasters: "list[psutil.Process]"
    backends: "list[psutil.Process]"


class Postmaster:
    """A PostgreSQL server that is a child of this process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process
        self._exited = threading.Event()
        threading.Thread(target=self._reap, name=f"postgres-{self.pid}", daemon=True).start()

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return not self._exited.is_set()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for its end; whether it has ended."""
        return self._exited.wait(timeout_seconds)

    def stop(self, *, fast_within_seconds: float = FAST_WITHIN_SECONDS) -> None:
        """Fast shutdown; immediate after a bound (the next start recovers); the kill after another."""
        for number, seconds in _escalation(fast_within_seconds):
            if self.is_running:
                self._process.send_signal(number)
            if self.wait(seconds):
                return

    def _reap(self) -> None:
        self._process.wait()
        self._exited.set()


def launch(layout: Layout, installation: Installation, account: Account) -> Postmaster:
    """Start the server and wait until it accepts connections.

    Raises:
        StartFailed, DiskFull: It ended instead, or never became ready; the message carries its last words.
    """
    descriptor = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        said_before = os.fstat(descriptor).st_size
        postmaster = _spawn(layout, installation, account, descriptor)
    finally:
        os.close(descriptor)
    try:
        is_ready = _becomes_ready(layout, postmaster)
    except BaseException:
        postmaster.stop(fast_within_seconds=1)
        raise
    if not is_ready:
        raise failure("PostgreSQL did not start", _said(layout.log, since=said_before))
    return postmaster


def clear_remains(layout: Layout, account: Account) -> list[int]:
    """End what a killed Assay or a killed server left of this cluster; the ids of the ended processes.

    A pid file that names anybody else's process is removed and that process left alone.

    Raises:
        StartFailed: They do not end.
    """
    remains = _remains(layout, account)
    _end_all(remains.postmasters, _escalation(FAST_WITHIN_SECONDS))
    # Without their postmaster these only hold the old shared memory, which keeps a new server from starting.
    _end_all(remains.backends, ((signal.SIGQUIT, 2.0), (signal.SIGKILL, IMMEDIATE_WITHIN_SECONDS)))
    (layout.cluster / _PID_FILE).unlink(missing_ok=True)
    return [process.pid for process in (*remains.postmasters, *remains.backends)]


def trim_log(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Keep at most two files of about this size.

    The running server appends to an open file, so its content moves and the file stays.
    """
    with suppress(FileNotFoundError):
        if log.stat().st_size > limit_bytes:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            log.with_name(f"{log.name}.1").chmod(0o600)
            os.truncate(log, 0)


def last_words(log: Path) -> str:
    """The end of the server's log, for a person."""
    since = max(0, log.stat().st_size - _LAST_BYTES)
    return "\n".join(_said(log, since=since).splitlines()[-LAST_WORDS_LINES:])


def _escalation(fast_within_seconds: float) -> Iterator[tuple[signal.Signals, float]]:
    yield signal.SIGINT, fast_within_seconds
    yield signal.SIGQUIT, IMMEDIATE_WITHIN_SECONDS
    yield signal.SIGKILL, IMMEDIATE_WITHIN_SECONDS


def _spawn(layout: Layout, installation: Installation, account: Account, log: int) -> Postmaster:
    program = str(installation.program("postgres"))
    arguments = [program, "-D", str(layout.cluster), "-c", f"config_file={layout.configuration}"]
    process = subprocess.Popen(  # noqa: S603 — our own program and paths, no shell
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=ENVIRONMENT,
        # A session of its own: Ctrl-C reaches Assay alone, which stops the server after its last request.
        start_new_session=True,
        user=account.user,
        group=account.group,
        extra_groups=account.extra_groups,
        umask=0o077,
    )
    return Postmaster(process)


def _becomes_ready(layout: Layout, postmaster: Postmaster) -> bool:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if _is_ready(layout, postmaster.pid):
            return True
        if postmaster.wait(_POLL_SECONDS):
            return False
    raise StartFailed(f"PostgreSQL was not ready within {READY_WITHIN_SECONDS:.0f} s; see {layout.log}")


def _is_ready(layout: Layout, pid: int) -> bool:
    try:
        lines = (layout.cluster / _PID_FILE).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"


def _said(log: Path, *, since: int) -> str:
    with log.open("rb") as file:
        file.seek(since)
        return file.read().decode(errors="replace")


def _remains(layout: Layout, account: Account) -> _Remains:
    import psutil  # noqa: PLC0415 — part of the extra `embedded`

    remains = _Remains([], [])
    title = f"postgres: {cluster_name(layout)}:"
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline() if process.uids().real == account.uid else []
            if _is_postmaster_of(layout.cluster, words):
                remains.postmasters.append(process)
            elif " ".join(words).startswith(title):
                remains.backends.append(process)
    return remains


def _is_postmaster_of(cluster: Path, words: list[str]) -> bool:
    # The command line, since executable and working directory of another user's process are hidden even from
    # root in a container without CAP_SYS_PTRACE.
    return bool(words) and Path(words[0]).name == "postgres" and ("-D", str(cluster)) in pairwise(words)


def _end_all(processes: "list[psutil.Process]", escalation: Iterable[tuple[signal.Signals, float]]) -> None:
    for number, seconds in escalation:
        for process in filter(_lives, processes):
            _signal(process, number)
        if _all_end(processes, seconds):
            return
    pids = ", ".join(str(process.pid) for process in processes if _lives(process))
    raise StartFailed(
        f"an earlier PostgreSQL of this data directory does not end; end its processes {pids} first"
    )


def _all_end(processes: "list[psutil.Process]", within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while any(map(_lives, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _lives(process: "psutil.Process") -> bool:
    import psutil  # noqa: PLC0415 — part of the extra `embedded`

    try:
        # In a container whose first process reaps nobody, the dead remain as zombies.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: "psutil.Process", number: signal.Signals) -> None:
    import psutil  # noqa: PLC0415 — part of the extra `embedded`

    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
