"""A standalone Spark on this machine: a master and workers in processes that end with the block."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

READY_WITHIN_SECONDS = 60.0
WORKERS = 2


@contextmanager
def standalone_cluster(folder: Path) -> Generator[str]:
    """The address of a master that has all its workers."""
    port, page = _free_port(), _free_port()
    master = f"spark://127.0.0.1:{port}"
    at = ["--host", "127.0.0.1"]
    with ExitStack() as running:
        running.enter_context(
            _daemon("master.Master", [*at, "--port", str(port), "--webui-port", str(page)], folder / "master")
        )
        for number in range(WORKERS):
            place = folder / f"worker-{number}"
            limits = ["--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(place)]
            running.enter_context(_daemon("worker.Worker", [*at, *limits, master], place))
        _wait_for_workers(page, folder)
        yield master


@contextmanager
def _daemon(name: str, arguments: Sequence[str], folder: Path) -> Generator[None]:
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [_spark_home() / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "SPARK_HOME": str(_spark_home()), "SPARK_LOCAL_IP": "127.0.0.1"},
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_workers(page: int, folder: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if _alive_workers(page) == WORKERS:
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*/log")))
    raise AssertionError(f"Spark did not start:\n{logs}")


def _alive_workers(page: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/", timeout=2) as answer:
            state: dict[str, Any] = json.load(answer)
    except (OSError, json.JSONDecodeError):
        # While it starts, another page may answer at the same address.
        return 0
    return sum(worker["state"] == "ALIVE" for worker in state["workers"])


def _spark_home() -> Path:
    found = find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
