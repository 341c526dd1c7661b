"""Poisson rates by score and by the exact conditional interval."""

import numpy as np
import pytest

from assay_stats import Alternative, EventCounts, Reason, poisson_difference, poisson_lift

CONTROL, TREATMENT = EventCounts(30, 100), EventCounts(60, 150)


@pytest.mark.parametrize(
    ("null", "statistic"),
    # statsmodels 0.15.0: test_poisson_2indep(60, 150, 30, 100, value=null, compare="diff", method="score")
    [(0.0, 1.290994448735806), (0.05, 0.656270806977851), (0.2, -1.3395875177469247)],
)
def test_score_statistics_agree_with_statsmodels(null: float, statistic: float) -> None:
    assert poisson_difference(CONTROL, TREATMENT, null=null).statistic == pytest.approx(statistic, rel=1e-12)


def test_the_score_interval_ends_where_the_score_test_turns() -> None:
    result = poisson_difference(CONTROL, TREATMENT)

    for end in (result.lower, result.upper):
        assert poisson_difference(CONTROL, TREATMENT, null=end).p_value == pytest.approx(0.05, rel=1e-9)


def test_without_events_the_interval_still_has_a_width() -> None:
    result = poisson_difference(EventCounts(0, 100), EventCounts(0, 150))

    assert (result.value, result.statistic, result.p_value) == (0, 0, 1)
    # By hand: the restricted rate of the other arm is 0, so D^2 = z^2 D / exposure.
    assert result.upper == pytest.approx(1.959963984540054**2 / 150, rel=1e-9)
    assert result.lower == pytest.approx(-(1.959963984540054**2) / 100, rel=1e-9)


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (EventCounts(3, 0), Reason.EMPTY_ARM),
        (EventCounts(-1, 10), Reason.IMPOSSIBLE_COUNT),
        (EventCounts(1.5, 10), Reason.IMPOSSIBLE_COUNT),
        (EventCounts(np.nan, 10), Reason.NOT_FINITE),
    ],
)
def test_impossible_rates_say_so(control: EventCounts, reason: Reason) -> None:
    result = poisson_difference(control, TREATMENT)

    assert result.reason is reason
    assert np.isnan([result.p_value, result.lower, result.upper]).all()


def test_one_sided_rate_intervals_are_open() -> None:
    assert poisson_difference(CONTROL, TREATMENT, alternative=Alternative.GREATER).upper == np.inf
    assert poisson_difference(CONTROL, TREATMENT, alternative=Alternative.LESS).lower == -np.inf


def test_rate_lifts_agree_with_r() -> None:
    # R 4.2.2: poisson.test(c(60, 30), c(150, 100))
    lift = poisson_lift(CONTROL, TREATMENT)

    assert lift.value == pytest.approx(1.33333333333333348 - 1)
    assert lift.lower == pytest.approx(0.84659542722193204 - 1, rel=1e-12)
    assert lift.upper == pytest.approx(2.14114974599932850 - 1, rel=1e-12)


def test_no_events_in_the_treatment_bound_the_lift_from_above() -> None:
    # R 4.2.2: poisson.test(c(0, 5), c(150, 100))
    lift = poisson_lift(EventCounts(5, 100), EventCounts(0, 150))

    assert (lift.value, lift.lower) == (-1, -1)
    assert lift.upper == pytest.approx(0.72751940345503063 - 1, rel=1e-12)


def test_no_events_in_the_control_have_no_lift() -> None:
    lifts = poisson_lift(EventCounts(0, 100), EventCounts([3, 0], 150))

    assert lifts.reasons.tolist() == [Reason.ZERO_BASELINE, Reason.NO_EVENTS]
    assert np.isnan(lifts.upper).all()


def test_one_sided_rate_lifts_spend_all_alpha_on_one_side() -> None:
    wide = poisson_lift(CONTROL, TREATMENT, level=0.9)
    above = poisson_lift(CONTROL, TREATMENT, level=0.95, alternative=Alternative.GREATER)
    below = poisson_lift(CONTROL, TREATMENT, level=0.95, alternative=Alternative.LESS)

    assert (above.lower, above.upper) == (pytest.approx(wide.lower), np.inf)
    assert (below.lower, below.upper) == (-1, pytest.approx(wide.upper))
