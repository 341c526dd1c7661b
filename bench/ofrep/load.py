"""Requests per second of remote evaluation beside a bare ASGI floor, one worker on one core.

Run: `uv run python bench/ofrep/load.py`; it needs `wrk` and two cores. The server is pinned to the first,
`wrk` to the second. Floor and Assay are measured in turns, so that a busy machine slows both.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import Server, assay, wait_for

ROUNDS = 3
SECONDS = 4
CONNECTIONS = 32
HERE = Path(__file__).parent
CONTEXT = {
    "targetingKey": "user-4711", "plan": "pro", "country": "DE", "age": 34, "email": "a@acme.com",
    "beta": True, "version": "2.4.1", "spend": 129.5, "language": "de", "device": "ios", "tags": ["a", "b"],
    "company": "acme",
}  # fmt: skip
PATHS = {"single": "/ofrep/v1/evaluate/flags/flag_0", "bulk": "/ofrep/v1/evaluate/flags"}
TARGETS = {"single": 25_000, "bulk": 9_000}


def main() -> None:
    """Measures and prints a table."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with (
        tempfile.TemporaryDirectory() as folder,
        floor() as floor_server,
        assay(Path(folder)) as assay_server,
    ):
        print(f"{'':8}{'per second':>20}{'per CPU-second':>28}{'share':>8}{'p99 ms':>8}{'target':>9}")
        print(f"{'':8}{'floor':>10}{'Assay':>10}{'floor':>14}{'Assay':>14}")
        for name, path in PATHS.items():
            rounds = [(loaded(floor_server, path), loaded(assay_server, path)) for _ in range(ROUNDS)]
            bare, ours = (median([each[side] for each in rounds]) for side in (0, 1))
            print(
                f"{name:8}{bare.rate:10,.0f}{ours.rate:10,.0f}{bare.per_cpu_second:14,.0f}"
                f"{ours.per_cpu_second:14,.0f}{ours.per_cpu_second / bare.per_cpu_second:8.2f}"
                f"{ours.p99_milliseconds:8.2f}{TARGETS[name]:9,}"
            )


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did; the figure per CPU-second does not suffer from a busy machine."""

    rate: float
    per_cpu_second: float
    p99_milliseconds: float


def loaded(server: Server, path: str) -> Load:
    """What the server does under `wrk`."""
    before, begun = server.cpu_seconds(), time.perf_counter()
    rate, p99 = wrk(server.url + path)
    share = (server.cpu_seconds() - before) / (time.perf_counter() - begun)
    return Load(rate, rate / share, p99)


def median(loads: list[Load]) -> Load:
    """The median of each figure."""
    return Load(
        statistics.median(each.rate for each in loads),
        statistics.median(each.per_cpu_second for each in loads),
        statistics.median(each.p99_milliseconds for each in loads),
    )


def wrk(url: str) -> tuple[float, float]:
    """Requests per second and the 99th percentile in milliseconds."""
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            'wrk.method = "POST"\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
            f"wrk.body = {json.dumps(json.dumps({'context': CONTEXT}))}\n"
        )
        script.flush()
        done = subprocess.run(
            [*command, "-s", script.name, url], capture_output=True, text=True, check=True
        ).stdout
    assert "Non-2xx" not in done, done
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", done)
    assert rate is not None
    assert tail is not None
    return float(rate[1]), float(tail[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[tail[2]]


@contextmanager
def floor() -> Generator[Server]:
    """The bare application under the same server."""
    command = [
        "taskset", "-c", "0", sys.executable, "-m", "uvicorn", "floor:app", "--app-dir", str(HERE),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
        "--port", "8391",
    ]  # fmt: skip
    process = subprocess.Popen(command)
    url = "http://127.0.0.1:8391"
    try:
        wait_for(url + PATHS["single"])
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
