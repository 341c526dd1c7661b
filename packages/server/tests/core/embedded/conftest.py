"""Data directories outside pytest's own, which are closed to PostgreSQL's user when root runs the tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from assay.core.embedded import start

from .support import HOLD, Hold


@contextmanager
def _temporary_folder() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="assay-t-")).resolve()
    try:
        yield folder
    finally:
        _kill_servers_below(folder)
        shutil.rmtree(folder)


def _kill_servers_below(folder: Path) -> None:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(word.startswith(f"{folder}/") for word in process.cmdline()):
                process.kill()
                process.wait(5)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, private to this user."""
    with _temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def used() -> Iterator[Path]:
    """A data directory in which PostgreSQL has run, for tests that leave it able to run."""
    with _temporary_folder() as folder:
        start(folder, durable=False).stop()
        yield folder


@pytest.fixture
def spare(folder: Path, used: Path) -> Path:
    """A copy of such a directory, for tests that break it."""
    subprocess.run(["cp", "-a", f"{used}/.", folder], check=True)
    return folder


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Another process that runs PostgreSQL in a data directory, with the process ids it prints."""
    with ExitStack() as stack:

        def holding(
            data: Path, note: str = "", *, script: str = HOLD
        ) -> tuple[subprocess.Popen[bytes], list[int]]:
            command = [sys.executable, "-c", script, str(data), note]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            words = (line.split() for line in process.stdout)
            return process, next(
                [int(pid) for pid in line] for line in words if line and all(word.isdigit() for word in line)
            )

        yield holding


@pytest.fixture
def as_root() -> None:
    """Only for what root alone can do."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
