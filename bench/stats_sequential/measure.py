"""What sequential, Bayesian and planning methods cost, and the calibration suite at scale 0.1.

Usage: `python bench/stats_sequential/measure.py [--json FILE]`. Times are CPU time of this process, the
least of some repetitions. A boundary is solved anew each time: the fractions differ in the ninth digit.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay_stats.bayesian import bayesian_difference, best_of
from assay_stats.calibration import run
from assay_stats.posteriors import NormalPosterior, beta_posterior
from assay_stats.power import GroupSequentialTest, inflation_factor
from assay_stats.sequential import (
    GroupSequentialPlan,
    asymptotic_confidence_sequence,
    boundary,
    repeated_estimate,
    stagewise_estimate,
)

PLAN = GroupSequentialPlan()
REPETITIONS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One measured call."""

    name: str
    seconds: float
    goal_seconds: float | None = None


def looks(count: int, repetition: int) -> tuple[float, ...]:
    """Equal looks, a little different in every repetition so that no cache answers."""
    return tuple((np.arange(1, count + 1) / count * (1 - 1e-9 * repetition)).tolist())


def least(call: Callable[[int], object]) -> float:
    """The least CPU time of some calls, after one that warms up."""
    call(0)
    taken: list[float] = []
    for repetition in range(1, REPETITIONS + 1):
        began = time.process_time()
        call(repetition)
        taken.append(time.process_time() - began)
    return min(taken)


def rows() -> list[Row]:
    """All measurements."""
    z = np.random.default_rng(0).normal(size=1_000_000)
    arms = NormalPosterior(np.linspace(0, 1, 10), np.ones(10))
    hits = beta_posterior(np.arange(100, 200), 1_000)
    calls: list[tuple[str, float | None, Callable[[int], object]]] = [
        ("boundary, 5 looks", None, lambda r: boundary(PLAN, looks(5, r))),
        ("boundary, 28 looks", 0.05, lambda r: boundary(PLAN, looks(28, r))),
        ("boundary, 90 looks", None, lambda r: boundary(PLAN, looks(90, r))),
        ("boundary and power solve, 28 looks", 0.2, lambda r: _inflation(looks(28, 100 + r))),
        ("repeated interval and p-value, 5 looks", None, lambda r: _repeated(looks(5, 200 + r))),
        ("repeated interval and p-value, 28 looks", None, lambda r: _repeated(looks(28, 200 + r))),
        ("stage-wise inference, 5 looks", None, lambda r: _stagewise(looks(5, 300 + r))),
        ("confidence sequence, 1e6 at once", 1.0, lambda _: _sequence(z)),
        ("best of 10 normal arms", None, lambda _: best_of(arms)),
        ("100 beta comparisons with intervals", None, lambda _: bayesian_difference(hits, hits)),
    ]
    return [
        *(Row(name, least(call), goal) for name, goal, call in calls),
        Row("calibration suite at scale 0.1", _calibration(), 20.0),
        Row("import assay_stats.sequential and power", _import_seconds()),
    ]


def _inflation(fractions: tuple[float, ...]) -> object:
    return inflation_factor(GroupSequentialTest(fractions=fractions))


def _repeated(fractions: tuple[float, ...]) -> object:
    return repeated_estimate(2.2, 1.0, plan=PLAN, fractions=fractions)


def _stagewise(fractions: tuple[float, ...]) -> object:
    return stagewise_estimate(2.2, 1.0, plan=PLAN, fractions=fractions)


def _sequence(values: NDArray[np.float64]) -> object:
    return asymptotic_confidence_sequence(values, 1.0, 1_000.0, rho_squared=1e-3)


def _calibration() -> float:
    began = time.process_time()
    report = run(scale=0.1)
    assert report.passed, report.to_text()
    return time.process_time() - began


def _import_seconds() -> float:
    code = """
import time
began = time.process_time()
import assay_stats.power, assay_stats.sequential
print(time.process_time() - began)
"""
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    return min(float(output) for output in outputs)


def main() -> None:
    """Prints a table; goals that are missed are marked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    measured = rows()
    for row in measured:
        goal = "" if row.goal_seconds is None else f"goal {row.goal_seconds * 1e3:,.0f} ms"
        missed = row.goal_seconds is not None and row.seconds > row.goal_seconds
        print(f"{row.name:45} {row.seconds * 1e3:12,.2f} ms  {goal}{'  MISSED' if missed else ''}")
    if arguments.json:
        arguments.json.write_text(
            json.dumps([asdict(row) for row in measured], indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
