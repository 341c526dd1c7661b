"""Effects that wear off, and experiments that disturb each other."""

import numpy as np
import pytest

from assay.analysis.effects_over_time import Aging, Crossed, change, trend
from assay_stats.calibration.acceptance import Kind, acceptance
from assay_stats.estimands import mean_of
from assay_stats.moments import JointMoments, Moments

ACTIVITY = np.array([5.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0])
STEADY = np.full(7, 0.3)


def arm(
    lift: np.ndarray, rng: np.random.Generator, *, units: int = 2_000, scale: float = 1.0
) -> JointMoments:
    """Units that do less day by day, each with a taste of its own."""
    taste = rng.gamma(4.0, 0.25, size=(units, 1))
    return JointMoments.from_values(scale * rng.poisson(taste * ACTIVITY * (1 + lift)).astype(float))


def aging(lift: np.ndarray, *, seed: int = 1, **more: int) -> Aging:
    rng = np.random.default_rng(seed)
    return Aging(1, arm(np.zeros(7), rng, **more), arm(lift, rng, **more))


def test_a_lift_that_wears_off_is_a_novelty() -> None:
    found = trend(aging(np.linspace(0.8, 0.0, 7)), alpha=0.01, minimum_units=100)

    assert found.finding == "fades"
    assert found.interval is not None
    assert found.interval.upper < 0


def test_a_harm_that_wears_off_is_a_novelty_too_and_one_that_deepens_grows() -> None:
    fading = trend(aging(np.linspace(-0.5, 0.0, 7)), alpha=0.01, minimum_units=100)
    growing = trend(aging(np.linspace(0.0, -0.5, 7)), alpha=0.01, minimum_units=100)

    assert (fading.finding, growing.finding) == ("fades", "grows")


def test_units_that_merely_do_less_as_they_get_older_are_no_novelty() -> None:
    assert trend(aging(STEADY), alpha=0.01, minimum_units=100).finding == "steady"


def test_a_trend_needs_units_and_three_periods_in_which_something_happens() -> None:
    few = trend(aging(STEADY, units=50), alpha=0.01, minimum_units=100)
    rng = np.random.default_rng(2)
    once = JointMoments.from_values(rng.poisson([3.0, 1.0, 0, 0, 0, 0, 0], size=(500, 7)).astype(float))
    short = trend(Aging(1, once, once), alpha=0.01, minimum_units=100)

    assert (few.interval, short.interval) == (None, None)
    assert "fewer than 100 units" in str(few.problem)
    assert "happens on fewer than three days after first exposure" in str(short.problem)


def test_steady_lifts_are_hardly_ever_called_trends_however_often_one_looks() -> None:
    """One experiment read after every 300 units: the promise holds for all looks together."""
    rng = np.random.default_rng(3)
    trials, rang = 60, 0
    for _ in range(trials):
        control, treatment = JointMoments.empty(7), JointMoments.empty(7)
        finding = "steady"
        for _ in range(5):
            control, treatment = (
                control + arm(np.zeros(7), rng, units=300),
                treatment + arm(STEADY, rng, units=300),
            )
            found = trend(Aging(1, control, treatment), alpha=0.05, minimum_units=100).finding
            finding = found if found != "steady" else finding
        rang += finding != "steady"

    assert acceptance(Kind.AT_MOST, target=0.05, slack=0.0, trials=trials, false_alarm=1e-3).accept(
        rang / trials
    )


def crossed(change: float, n: float = 1_000.0) -> Crossed:
    means = np.array([[10.0, 10.5], [11.0, 11.5 + change]])
    cells = Moments.from_summary(np.full((2, 2), n), means, np.full((2, 2), 4.0))
    return Crossed(mean_of(cells), np.full((2, 2), n))


def test_an_experiment_that_changes_the_effect_of_another_is_found() -> None:
    additive, disturbing = (change(crossed(by), alpha=0.01, minimum_units=100) for by in (0.0, 2.0))

    assert additive.finding == "no_difference"
    assert disturbing.finding == "differs"
    assert disturbing.interval is not None
    assert disturbing.interval.value == pytest.approx(2.0)


def test_cells_without_units_say_why() -> None:
    found = change(crossed(2.0, n=20.0), alpha=0.01, minimum_units=100)

    assert (found.interval, found.finding) == (None, "unknown")
    assert "fewer than 100 units" in str(found.problem)
