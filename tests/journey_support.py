"""A real Assay in a process of its own, and the players of a real experiment."""

import asyncio
import csv
import json
import math
import os
import re
import socket
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import numpy as np

import support_commands
from assay.cli.client import connected
from support_commands import assay, begun

CONTROL, TREATMENT = "gate_30", "gate_40"
COLUMNS = ("userid", "version", "sum_gamerounds", "retention_1", "retention_7")
METRICS: dict[str, dict[str, Any]] = {
    "retention_1": {"kind": "proportion", "event": "returned_1"},
    "retention_7": {"kind": "proportion", "event": "returned_7"},
    "sum_gamerounds": {"kind": "mean", "event": "rounds"},
    "sum_gamerounds_capped": {"kind": "mean", "event": "rounds", "cap_quantile": 0.999},
}
START_WITHIN_SECONDS = 180.0
SUPPORT_PATH = os.pathsep.join(
    sorted({str(Path(each).parent) for each in (__file__, support_commands.__file__)})
)
"""Where a process of its own finds this module and what it imports."""


@dataclass(frozen=True, slots=True)
class RunningAssay:
    """An `assay up` in a process of its own."""

    url: str
    process: BaseProcess

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        """Ends the process as a power cut would; its PostgreSQL lives on until somebody finds it."""
        self.process.kill()
        self.process.join()

    def stop(self) -> int:
        """Asks it to end and waits; the exit code."""
        self.process.terminate()
        self.process.join(60)
        assert self.process.exitcode is not None, "Assay does not end"
        return self.process.exitcode


@contextmanager
def data_folder() -> Generator[Path, None, None]:
    """A folder that the embedded database's user can reach, which pytest's own are not for root."""
    with tempfile.TemporaryDirectory(prefix="assay-journey-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


@contextmanager
def running_assay(
    data: Path, *, port: int = 0, settings: Mapping[str, str] | None = None
) -> Generator[RunningAssay, None, None]:
    """An Assay that answers, ended with the block; settings by their names in the environment."""
    running = start_assay(data, port=port, settings=settings)
    try:
        yield running
    finally:
        if running.process.is_alive():
            running.stop()


def start_assay(data: Path, *, port: int = 0, settings: Mapping[str, str] | None = None) -> RunningAssay:
    """Starts `assay up` and waits until it answers."""
    log = data.parent / f"assay-{time.monotonic_ns()}.log"
    log.touch()
    process = begun(
        "up", "--data", data, "--port", str(port),
        folder=data.parent, settings={"ASSAY_LOG_LEVEL": "warning"} | dict(settings or {}),
        out=Path(os.devnull), err=log,
    )  # fmt: skip
    return RunningAssay(_announced_url(process, log), process)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def players(rows: int, *, seed: int = 1) -> list[list[str]]:
    """Rows shaped like the real file, for machines that do not have it."""
    rng = np.random.default_rng(seed)
    arms = rng.integers(0, 2, rows)
    rounds = rng.negative_binomial(1, 0.02, rows)
    return [
        [
            str(number),
            (CONTROL, TREATMENT)[arms[number]],
            str(rounds[number]),
            str(bool(rng.random() < 0.45)).upper(),
            str(bool(rng.random() < 0.19)).upper(),
        ]
        for number in range(rows)
    ]


def write_players(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """The rows as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def events_of(path: Path) -> Iterator[dict[str, Any]]:
    """The file as an application would have sent it: an exposure per player, then what the player did."""
    with path.open(newline="", encoding="utf-8") as file:
        for player in csv.DictReader(file):
            unit = player["userid"]
            yield {
                "kind": "exposure", "id": f"{unit}:e", "experiment": "gate", "variant": player["version"],
                "unit": unit, "at": "2026-01-01T00:00:00Z",
            }  # fmt: skip
            yield _did(unit, "rounds", value=float(player["sum_gamerounds"]))
            for day in ("1", "7"):
                if player[f"retention_{day}"] == "TRUE":
                    yield _did(unit, f"returned_{day}", value=None)


def analyze_file(path: Path) -> dict[str, Any]:
    """What `assay analyze` prints about the file."""
    question = ["--unit", "userid", "--variant", "version", "--control", CONTROL]
    metrics = [part for metric in COLUMNS[2:] for part in ("--metric", metric)]
    caps = ["--cap", "sum_gamerounds=0.999"]
    done = assay("analyze", path, "--format", "json", *question, *metrics, *caps)
    done.check_returncode()
    return json.loads(done.stdout)


def register(url: str, *, project: str = "default") -> None:
    """Defines the metrics and the experiment of the file; another project than the default is made."""
    asyncio.run(_register(url, project))


def send(url: str, path: Path, *, project: str = "default") -> None:
    """Streams the file's events."""
    asyncio.run(_send(url, path, project))


def results(url: str, *, project: str = "default") -> dict[str, Any]:
    """Begins an analysis, waits, and reads the document."""
    return asyncio.run(_results(url, project))


def figures(document: dict[str, Any]) -> dict[str, float]:
    """Every figure of a document by its path, metrics by key; NaN for what is undefined.

    Left out are versions, and how far behind the senders were: neither is a finding.
    """
    named = {**document, "metrics": {metric["metric"]: metric for metric in document["metrics"]}}
    return {
        path: value
        for path, value in _numbers("", named)
        if "version" not in path and not path.endswith("/lag_seconds")
    }


def _numbers(path: str, part: Any) -> Iterator[tuple[str, float]]:
    for name, value in _parts(part):
        yield from _numbers(f"{path}/{name}", value)
    if part is None or (isinstance(part, int | float) and not isinstance(part, bool)):
        yield path, math.nan if part is None else float(part)


def _parts(part: Any) -> list[tuple[Any, Any]]:
    if isinstance(part, dict):
        return list(cast("dict[str, Any]", part).items())
    return list(enumerate(cast("list[Any]", part))) if isinstance(part, list) else []


def _did(unit: str, name: str, *, value: float | None) -> dict[str, Any]:
    return {
        "kind": "event", "id": f"{unit}:{name}", "name": name, "unit": unit, "value": value,
        "at": "2026-01-02T00:00:00Z",
    }  # fmt: skip


def _announced_url(process: BaseProcess, log: Path) -> str:
    deadline = time.monotonic() + START_WITHIN_SECONDS
    while time.monotonic() < deadline and process.is_alive():
        if found := re.search(r"answers at (http://\S+)", log.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.02)
    process.kill()
    process.join()
    raise AssertionError("Assay did not start:\n" + log.read_text(encoding="utf-8"))


async def _register(url: str, project: str) -> None:
    async with connected(url) as client:
        if project != "default":
            await client.post("/api/v1/projects", {"key": project, "name": project})
        for key, definition in METRICS.items():
            body = {"key": key, "name": key, "definition": definition}
            await client.post(f"/api/v1/projects/{project}/metrics", body)
        experiment = {
            "key": "gate", "name": "Gate", "arms": [{"key": CONTROL}, {"key": TREATMENT}],
            "control": CONTROL, "metrics": list(METRICS),
        }  # fmt: skip
        await client.post(f"/api/v1/projects/{project}/experiments", experiment)


async def _send(url: str, path: Path, project: str) -> None:
    async with connected(url) as client:
        await client.send(events_of(path), project=project)


async def _results(url: str, project: str) -> dict[str, Any]:
    async with connected(url) as client:
        answer = await client.results(project, "gate", progress=lambda _share, _note: None)
    return answer["document"]
