"""Effects that wear off, and experiments that disturb each other."""

import numpy as np
import pytest

from assay.analysis.effects_over_time import Cohort, interactions, novelty
from assay_stats.calibration.acceptance import Kind, acceptance
from assay_stats.moments import Moments


def cohorts(*effects: float) -> list[Cohort]:
    return [Cohort(days, effect, 0.01) for days, effect in enumerate(effects)]


def test_an_effect_that_wears_off_is_a_novelty() -> None:
    trend = novelty(cohorts(5.0, 4.0, 3.0, 2.0))

    assert trend is not None
    assert trend.slope == pytest.approx(-1)
    assert trend.sentence is not None
    assert "fades" in trend.sentence


def test_a_harm_that_wears_off_is_a_novelty_too_and_one_that_deepens_grows() -> None:
    fading, growing = novelty(cohorts(-5.0, -3.0, -1.0)), novelty(cohorts(-1.0, -3.0, -5.0))

    assert fading is not None
    assert growing is not None
    assert "fades" in str(fading.sentence)
    assert "grows" in str(growing.sentence)


def test_a_trend_needs_three_ages_that_can_be_compared() -> None:
    assert novelty(cohorts(1.0, 2.0)) is None
    assert novelty([*cohorts(1.0, 2.0), Cohort(2, 1.0, np.nan), Cohort(3, 1.0, 0.0)]) is None


def test_steady_effects_are_called_trends_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(3)
    called = sum(
        (found := novelty(cohorts(*rng.normal(2.0, 0.1, size=7)))) is not None and found.sentence is not None
        for _ in range(500)
    )

    assert acceptance(Kind.EQUAL, target=0.01, slack=0.002, trials=500, false_alarm=1e-3).accept(called / 500)


def four(change: float) -> Moments:
    means = np.array([[10.0, 10.5], [11.0, 11.5 + change]])
    return Moments.from_summary(np.full((2, 2), 1_000.0), means, np.full((2, 2), 4.0))


def test_an_experiment_that_changes_the_effect_of_another_is_named() -> None:
    additive, disturbing = interactions([("checkout", four(0.0)), ("search", four(2.0))])

    assert additive.sentence is None
    assert additive.change == pytest.approx(0.0)
    assert disturbing.change == pytest.approx(2.0)
    assert disturbing.sentence is not None
    assert "arms of search" in disturbing.sentence


def test_cells_without_units_say_why() -> None:
    empty = Moments(np.zeros((2, 2)), np.full((2, 2), np.nan), np.zeros((2, 2)))

    (found,) = interactions([("checkout", empty)])

    assert found.change is None
    assert found.reason is not None
