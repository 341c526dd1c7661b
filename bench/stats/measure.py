"""How fast the comparisons are, beside the peers that are installed, in one run on one machine.

    python bench/stats/measure.py [--check]

With `--check` it exits with 1 when a goal is missed.
"""

import argparse
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from assay_stats import Counts, JointMoments, Moments, cuped_difference, two_proportions, welch

TESTS = 200_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number and what it should be.

    Attributes:
        name: What was measured.
        value: In `unit`.
        unit: Of value and goal.
        goal: None where there is none.
        higher_is_better: Which side of the goal is good.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    higher_is_better: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the goal, if any, is reached."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.higher_is_better else self.value <= self.goal


def seconds(action: Callable[[], object], *, calls: int = 1, rounds: int = 7) -> float:
    """Best processor time of one call."""
    return min(timeit.repeat(action, number=calls, repeat=rounds, timer=time.process_time)) / calls


def seconds_to_run(code: str, *, rounds: int = 7) -> float:
    """Best time in which a new interpreter runs `code`, less the time of an empty one."""

    def once(program: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return time.perf_counter() - start

    return min(once(code) for _ in range(rounds)) - min(once("") for _ in range(rounds))


def _some_moments(rng: np.random.Generator) -> Moments:
    n = rng.integers(50, 1_000, size=TESTS).astype(np.float64)
    return Moments(n, rng.normal(size=TESTS), n * rng.gamma(2.0, 0.5, size=TESTS))


def _some_counts(rng: np.random.Generator, size: int) -> Counts:
    return Counts(rng.binomial(1_000, 0.1, size=size), np.full(size, 1_000))


def _some_joint_moments(rng: np.random.Generator, size: int) -> JointMoments:
    x = rng.normal(size=size)
    comoments = np.stack([np.stack([2 + x**2, x], -1), np.stack([x, np.ones(size)], -1)], -2) * 999
    return JointMoments(np.full(size, 1_000), rng.normal(size=(size, 2)), comoments)


def vectorised() -> list[Figure]:
    """Many hypotheses in one call."""
    rng = np.random.default_rng(1)
    first, second = _some_moments(rng), _some_moments(rng)
    counts = _some_counts(rng, 20_000), _some_counts(rng, 20_000)
    joint = _some_joint_moments(rng, 20_000), _some_joint_moments(rng, 20_000)
    return [
        Figure("Welch, vectorised", TESTS / seconds(lambda: welch(first, second)), "tests/s", 1e6, True),
        Figure("Miettinen-Nurminen, vectorised", 2e4 / seconds(lambda: two_proportions(*counts)), "tests/s"),
        Figure("CUPED per arm, vectorised", 2e4 / seconds(lambda: cuped_difference(*joint)), "tests/s"),
    ]


def scalar() -> list[Figure]:
    """One hypothesis per call."""
    first, second = Moments.from_summary(100, 1.0, 2.0), Moments.from_summary(120, 1.2, 2.5)
    shares = Counts(100, 1_000), Counts(120, 1_000)
    return [
        Figure("Welch, scalar", 1e6 * seconds(lambda: welch(first, second), calls=5_000), "µs", 20),
        Figure(
            "Miettinen-Nurminen, scalar", 1e6 * seconds(lambda: two_proportions(*shares), calls=100), "µs"
        ),
    ]


def imports() -> list[Figure]:
    """What a program pays before its first number; scipy.special is loaded by the first test."""
    used = "from assay_stats import Moments, welch; m = Moments(10, 1.0, 9.0); welch(m, m)"
    return [
        Figure("import assay_stats", seconds_to_run("import assay_stats"), "s", 0.3),
        Figure("import assay_stats and one test", seconds_to_run(used), "s"),
        Figure("import numpy", seconds_to_run("import numpy"), "s"),
        Figure("import numpy, scipy.special", seconds_to_run("import numpy, scipy.special"), "s"),
    ]


def peers() -> list[Figure]:
    """The same test through other packages."""
    return [*_scipy(), *_tea_tasting()]


def _scipy() -> list[Figure]:
    taken = seconds(
        lambda: stats.ttest_ind_from_stats(1.0, 1.4, 100, 1.2, 1.5, 120, equal_var=False), calls=100
    )
    return [Figure("peer: scipy ttest_ind_from_stats, scalar", 1e6 * taken, "µs")]


def _tea_tasting() -> list[Figure]:
    try:
        import tea_tasting  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  # may be absent
        import tea_tasting.aggr  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  # may be absent
    except ImportError:
        return []
    metric = tea_tasting.Mean("y")
    arms = [
        tea_tasting.aggr.Aggregates(count_=n, mean_={"y": mean}, var_={"y": variance}, cov_={})
        for n, mean, variance in ((100, 1.0, 2.0), (120, 1.2, 2.5))
    ]
    taken = seconds(lambda: metric.analyze_aggregates(*arms), calls=50)
    return [Figure("peer: tea-tasting Mean, scalar", 1e6 * taken, "µs")]


def main() -> int:
    """Print every figure; 1 when a goal was to be checked and is missed."""
    parser = argparse.ArgumentParser(description="Measure assay_stats.")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    options = parser.parse_args()
    figures = [*vectorised(), *scalar(), *imports(), *peers()]
    for figure in figures:
        goal = "" if figure.goal is None else f"goal {figure.goal:,.10g}{'' if figure.is_met else '  MISSED'}"
        print(f"{figure.name:44} {figure.value:14,.6g} {figure.unit:8} {goal}")
    return int(options.check and not all(figure.is_met for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
