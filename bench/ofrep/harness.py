"""An Assay under measurement, with a hundred flags, pinned to the first core."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

from assay.core.embedded import start
from assay_engine.parsing import FORMAT

FLAGS = 100
ENVIRONMENT = "/api/v1/projects/default/environments/production"


@dataclass(frozen=True, slots=True)
class Server:
    """A server process."""

    url: str
    process: int

    def cpu_seconds(self) -> float:
        """Processor time it has used."""
        times = psutil.Process(self.process).cpu_times()
        return times.user + times.system


@contextmanager
def assay(folder: Path) -> Generator[Server]:
    """An Assay with a hundred flags, as `assay up` runs it."""
    folder.chmod(0o755)
    with start(folder / "postgres", durable=False, note="a benchmark") as postgres:
        settings = {
            "ASSAY_DATABASE_URL": postgres.url,
            "ASSAY_WORKER_ENABLED": "false",
            "ASSAY_DELIVERY_RATE_PER_SECOND": "0",
            "ASSAY_LOG_LEVEL": "warning",
        }
        command = ["taskset", "-c", "0", sys.executable, "-m", "assay", "up", "--port", "8392"]
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data")],
            env=os.environ | settings,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        url = "http://127.0.0.1:8392"
        try:
            wait_for(f"{url}/health")
            environment = f"{url}/api/v1/projects/default/environments/production"
            httpx2.post(f"{environment}/ruleset", json=datafile(FLAGS), timeout=30).raise_for_status()
            yield Server(url, process.pid)
        finally:
            process.terminate()
            process.wait()


def datafile(flags: int) -> dict[str, Any]:
    """Flags of mixed shapes: static, one rule, a rollout, five rules and a three-way split."""
    return {"format": FORMAT, "flags": [_flag(number) for number in range(flags)]}


def _flag(number: int) -> dict[str, Any]:
    pro = {"attribute": "plan", "operator": "in", "values": ["pro", "team"]}
    german = {"attribute": "country", "operator": "equals", "values": ["DE"]}
    rule = {"id": "r1", "condition": {"all": [pro, german]}, "serve": {"variant": "on"}}
    thirds = [
        {"low": 0, "high": 3000, "variant": "on"},
        {"low": 3000, "high": 6000, "variant": "off"},
        {"low": 6000, "high": 10000, "variant": "third"},
    ]
    shapes: list[dict[str, Any]] = [
        {"rules": [rule], "fallthrough": {"variant": "off"}},
        {"fallthrough": {"variant": "on"}},
        {"fallthrough": {"split": {"salt": f"s{number}", "ranges": thirds}}},
        {"rules": [{**rule, "id": f"r{i}", "condition": {"all": [_never(i), pro]}} for i in range(5)]
         + [{"id": "last", "serve": {"split": {"salt": f"t{number}", "ranges": thirds}}}]},
    ]  # fmt: skip
    variants = {"on": True, "off": False, "third": True}
    return {"key": f"flag_{number}", "type": "boolean", "variants": variants, **shapes[number % len(shapes)]}


def _never(number: int) -> dict[str, Any]:
    return {"attribute": "age", "operator": "greater", "values": [90 + number]}


def wait_for(url: str) -> None:
    """Waits until something answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx2.get(url)
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answers at {url}")
