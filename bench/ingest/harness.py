"""An Assay under measurement on a durable PostgreSQL of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from assay.core.embedded import start

HOST, PORT = "127.0.0.1", 8393


@dataclass(frozen=True, slots=True)
class Machine:
    """The processes under measurement.

    Attributes:
        worker: The process that seals, None when nothing is sealed.
    """

    host: str
    port: int
    database_url: str
    process: int
    postgres: int
    worker: int | None

    def cpu_seconds(self) -> tuple[float, float, float]:
        """Processor time used by Assay, by PostgreSQL with all its processes, and by this one."""
        return _cpu(psutil.Process(self.process)), sum(map(_cpu, self._postgres())), _cpu(psutil.Process())

    def private_bytes(self) -> dict[str, int]:
        """Memory that would be free if the process ended: Assay, its worker, PostgreSQL's processes together.

        Not the resident size: each process of PostgreSQL has all shared buffers in it that it ever touched.
        """
        found = {"server": _private(psutil.Process(self.process))}
        if self.worker is not None:
            found["worker"] = _private(psutil.Process(self.worker))
        return found | {"postgres": sum(map(_private, self._postgres()))}

    def _postgres(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self.postgres)
        return [postmaster, *postmaster.children(recursive=True)]


@contextmanager
def assay(folder: Path, *, seals: bool = False) -> Generator[Machine]:
    """An Assay as `assay up` runs it, on a PostgreSQL that keeps what it acknowledges.

    Args:
        seals: Whether an `assay worker` beside it seals.
    """
    folder.chmod(0o755)
    with start(folder / "postgres", durable=True, note="a benchmark") as postgres, ExitStack() as stack:
        settings = {
            "ASSAY_DATABASE_URL": postgres.url,
            "ASSAY_DATA_DIRECTORY": str(folder / "data"),
            "ASSAY_LOG_LEVEL": "warning",
            "ASSAY_WORKER_ENABLED": "false",
        }
        server = stack.enter_context(_running(folder, settings, "up", "--port", str(PORT)))
        _wait_for(f"http://{HOST}:{PORT}/ready")
        worker = stack.enter_context(_running(folder, settings, "worker")) if seals else None
        postmaster = _postmaster(folder / "postgres")
        yield Machine(HOST, PORT, postgres.url, server.pid, postmaster, worker and worker.pid)


@contextmanager
def _running(
    folder: Path, settings: Mapping[str, str], *arguments: str
) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "assay", *arguments],
        env=os.environ | settings,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _postmaster(directory: Path) -> int:
    (pid_file,) = directory.rglob("postmaster.pid")
    return int(pid_file.read_text(encoding="utf-8").splitlines()[0])


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # With those who have ended: a backend that goes takes its figures with it.
    return times.user + times.system + times.children_user + times.children_system


def _private(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().uss
    except psutil.NoSuchProcess:
        return 0


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            if httpx2.get(url).is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing answers at {url}")
