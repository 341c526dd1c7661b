"""What is read every second while Assay is kept at full load, and the line through it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import linear_regression

import httpx2
from harness import Machine

STATUS = "/api/v1/projects/default/environments/production/events/status"


@dataclass(frozen=True, slots=True)
class Reading:
    """A moment.

    Attributes:
        minute: When.
        mebibytes: Private memory by process.
        buffered: Events that are not sealed.
        lag: Age of the oldest of them, in seconds.
    """

    minute: float
    mebibytes: dict[str, float]
    buffered: int
    lag: float


def read(machine: Machine) -> Reading:
    """How the machine is now."""
    status = httpx2.get(f"http://{machine.host}:{machine.port}{STATUS}", timeout=60).raise_for_status().json()
    memory = {name: size / 2**20 for name, size in machine.private_bytes().items()}
    return Reading(time.monotonic() / 60, memory, int(status["buffered"]), float(status["lag_seconds"] or 0))


def trend(readings: Sequence[Reading], value: Callable[[Reading], float]) -> float:
    """The slope of the least-squares line, per minute."""
    return linear_regression([one.minute for one in readings], [value(one) for one in readings]).slope
