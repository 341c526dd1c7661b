"""An Assay under measurement on a durable PostgreSQL of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from assay.core.embedded import start

HOST, PORT = "127.0.0.1", 8393


@dataclass(frozen=True, slots=True)
class Machine:
    """The processes under measurement."""

    host: str
    port: int
    database_url: str
    process: int
    postgres: int

    def cpu_seconds(self) -> tuple[float, float, float]:
        """Processor time used by Assay, by PostgreSQL with all its processes, and by this one."""
        postmaster = psutil.Process(self.postgres)
        family = [postmaster, *postmaster.children(recursive=True)]
        return _cpu(psutil.Process(self.process)), sum(map(_cpu, family)), _cpu(psutil.Process())


@contextmanager
def assay(folder: Path) -> Generator[Machine]:
    """An Assay as `assay up` runs it, on a PostgreSQL that keeps what it acknowledges."""
    folder.chmod(0o755)
    with start(folder / "postgres", durable=True, note="a benchmark") as postgres:
        settings = {
            "ASSAY_DATABASE_URL": postgres.url,
            "ASSAY_LOG_LEVEL": "warning",
            "ASSAY_WORKER_ENABLED": os.environ.get("ASSAY_WORKER_ENABLED", "false"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "assay", "up", "--port", str(PORT), "--data", str(folder / "data")],
            env=os.environ | settings,
            cwd=folder,
        )
        try:
            _wait_for(f"http://{HOST}:{PORT}/ready")
            yield Machine(HOST, PORT, postgres.url, process.pid, _postmaster(folder / "postgres"))
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


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx2.get(url).is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing answers at {url}")
