"""One PostgreSQL for a whole test run, shared by its processes and ended by the kernel's own book-keeping.

Every process that uses the server holds a shared lock until it ends, however it ends. A guardian process runs
the server and asks for the exclusive lock: it gets it when the last user is gone, and cleans up.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

_GUARDIAN_SPEAKS_WITHIN_SECONDS = 60.0
_users: dict[Path, int] = {}


def shared_test_server(directory: Path) -> str:
    """The URL of a PostgreSQL shared by all processes that name this directory, until the last one ends."""
    directory.mkdir(parents=True, exist_ok=True)
    if directory not in _users:
        _users[directory] = _locked(directory / "users.lock", fcntl.LOCK_SH)
    with _alone(directory / "start.lock"):
        return _url_of_running(directory) or _url_of_started(directory)


def server_of_run(factory: pytest.TempPathFactory) -> str:
    """The URL of the tests' PostgreSQL: the one of ASSAY_TEST_DATABASE_URL, else the wheel's."""
    given = os.environ.get("ASSAY_TEST_DATABASE_URL")
    return given or shared_test_server(run_directory(factory) / "postgres")


def run_directory(factory: pytest.TempPathFactory) -> Path:
    """The temporary directory that all workers of one test run have in common."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def fresh_database(server_url: str, name: str) -> str:
    """The URL of a new, empty database of this name on the server; an older one of the name is dropped."""
    database = sql.Identifier(name)
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
    before, _, options = server_url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


def libpq_url(url: str) -> str:
    """The same URL without the name of SQLAlchemy's driver."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def guard(directory: Path) -> None:
    """Run the server until nobody uses it any more."""
    from assay.core.embedded import start  # noqa: PLC0415 — the guardian alone needs it

    guardian = _locked(directory / "guardian.lock", fcntl.LOCK_EX)
    data = _data_directory(directory)
    try:
        with start(data, durable=False, note="the test suite") as postgres:
            _write_whole(directory / "url", postgres.url)
            users = _locked(directory / "users.lock", fcntl.LOCK_EX)
            (directory / "url").unlink()
    finally:
        shutil.rmtree(data, ignore_errors=True)
        (directory / "data").unlink()
    os.close(guardian)
    os.close(users)


def _data_directory(directory: Path) -> Path:
    """The one a killed guardian left, so that its server is cleared away, else a new one."""
    if (directory / "data").exists():
        return Path((directory / "data").read_text(encoding="utf-8"))
    # Not below pytest's own folders, which are private to root when root runs the tests.
    data = Path(tempfile.mkdtemp(prefix="assay-tests-"))
    _write_whole(directory / "data", str(data))
    return data


def _url_of_running(directory: Path) -> str | None:
    """The URL if a guardian lives; a server without one is left for the next guardian to clear away."""
    with (directory / "guardian.lock").open("ab") as guardian:
        try:
            fcntl.flock(guardian, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return (directory / "url").read_text(encoding="utf-8")
    return None


def _url_of_started(directory: Path) -> str:
    (directory / "url").unlink(missing_ok=True)
    with (directory / "guardian.log").open("wb") as log:
        guardian = subprocess.Popen(
            [sys.executable, __file__, str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + _GUARDIAN_SPEAKS_WITHIN_SECONDS
    while not (directory / "url").exists():
        if guardian.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("no PostgreSQL for the tests: " + (directory / "guardian.log").read_text())
        time.sleep(0.02)
    # It outlives this process on purpose, which Popen would otherwise warn of.
    guardian.returncode = 0
    return (directory / "url").read_text(encoding="utf-8")


def _write_whole(path: Path, content: str) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    unfinished.replace(path)


def _locked(path: Path, kind: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, kind)
    return descriptor


@contextmanager
def _alone(path: Path) -> Generator[None]:
    descriptor = _locked(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    guard(Path(sys.argv[1]))
