"""The server that a whole test run shares."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from assay.core.embedded import holder_of

from .support import lives, one

SUPPORT = Path(__file__).parents[2] / "support_postgres.py"
USE = """
import importlib.util, pathlib, sys, time
spec = importlib.util.spec_from_file_location("support_postgres", sys.argv[1])
support = importlib.util.module_from_spec(spec)
spec.loader.exec_module(support)
url = support.shared_test_server(pathlib.Path(sys.argv[2]))
own = support.fresh_database(url, "test_" + sys.argv[3])
print(support.libpq_url(url), support.libpq_url(own), flush=True)
time.sleep(600)
"""


class User:
    """A process that uses the shared server until it is killed."""

    def __init__(self, directory: Path, name: str) -> None:
        command = [sys.executable, "-c", USE, str(SUPPORT), str(directory), name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def urls(self) -> list[str]:
        """The URL of the shared server, and that of the own database."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def kill(self) -> None:
        """End without a word."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def users(directory: Path, *names: str) -> Generator[list[User]]:
    with ExitStack() as stack:
        started = [User(directory, name) for name in names]
        for user in started:
            stack.callback(user.kill)
        yield started


def guardian_of(url: str) -> int:
    data = Path(url.partition("host=")[2].partition("/postgres/run")[0])
    holder = holder_of(data)
    assert holder is not None
    return holder.pid


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_processes_share_one_server_until_the_last_ends(folder: Path) -> None:
    with users(folder, "a", "b") as (first, second):
        (url, own), (same, other) = first.urls(), second.urls()
        guardian = guardian_of(url)

        assert url == same
        assert [one(database, "SELECT current_database()") for database in (own, other)] == [
            "test_a",
            "test_b",
        ]
        first.kill()
        assert one(url, "SELECT 1") == 1
        assert lives(guardian)

    wait_until_gone(guardian)


def test_a_run_that_follows_a_killed_one_starts_anew(folder: Path) -> None:
    with users(folder, "a") as [first]:
        url = first.urls()[0]
        guardian = guardian_of(url)
        os.kill(guardian, signal.SIGKILL)
        wait_until_gone(guardian)

    with users(folder, "b") as [second]:
        url = second.urls()[0]
        assert one(url, "SELECT 1") == 1
        guardian = guardian_of(url)

    wait_until_gone(guardian)
    assert not (folder / "data").exists()
