"""Quantiles: exact for one sample, outer intervals for a difference, users as units when they repeat."""

import numpy as np
import pytest

from assay_stats import Reason, delta_lift, quantile, quantile_difference, quantile_of

HUNDRED = np.arange(1.0, 101.0)


def test_the_quantile_interval_is_that_of_the_binomial() -> None:
    # R 4.2.2: qbinom(.025, 100, .9) = 84 and qbinom(.975, 100, .9) = 95; ranks 84 and 96 cover at least 95 %.
    interval = quantile(HUNDRED, 0.9)

    assert (interval.lower, interval.upper) == (84, 96)


def test_the_quantile_is_type_seven() -> None:
    # R 4.2.2: quantile(c(1, 2, 4, 8, 16, 32, 64), c(.9, .33), type = 7)
    values = [1.0, 2, 4, 8, 16, 32, 64]

    assert quantile(values, 0.9).value == pytest.approx(44.8)
    assert quantile(values, 0.33).value == pytest.approx(3.96)


def test_an_exact_interval_covers_at_least_its_level() -> None:
    rng = np.random.default_rng(3)
    draws = np.sort(rng.exponential(size=(4_000, 40)), axis=1)
    interval = quantile(np.arange(1.0, 41.0), 0.75)
    low, high = int(interval.lower) - 1, int(interval.upper) - 1
    truth = np.log(4)

    covered = ((draws[:, low] <= truth) & (truth <= draws[:, high])).mean()

    assert 0.945 < covered < 0.985


@pytest.mark.parametrize("q", [0.01, 0.99])
def test_a_quantile_beyond_the_units_is_out_of_reach(q: float) -> None:
    interval = quantile(np.arange(20.0), q)

    assert interval.reason is Reason.QUANTILE_OUT_OF_REACH
    assert np.isnan([interval.lower, interval.upper]).all()
    assert np.isfinite(interval.value)


def test_no_units_have_no_quantile() -> None:
    assert quantile([], 0.5).reason is Reason.EMPTY_ARM
    assert quantile_of([], 0.5).codes == Reason.EMPTY_ARM.code


def test_the_standard_error_is_the_outer_interval_over_two_z() -> None:
    # n = 100, q = 0.5: reach 1.96 * 0.05 = 0.098, so ranks floor(40.2) = 40 and ceil(59.8) = 60.
    arm = quantile_of(HUNDRED, 0.5)

    assert np.sqrt(arm.squared_error) == pytest.approx(20 / (2 * 1.959963984540054))


def test_the_error_of_a_median_matches_theory() -> None:
    # The variance of a sample median of an exponential is q (1 - q) / (n f(median)^2) = 1 / n.
    values = np.random.default_rng(5).exponential(size=20_000)

    assert quantile_of(values, 0.5).squared_error == pytest.approx(1 / 20_000, rel=0.2)


def test_a_difference_of_quantiles_adds_both_errors() -> None:
    result = quantile_difference(HUNDRED, HUNDRED + 10, 0.5)

    assert result.value == pytest.approx(10)
    assert result.standard_error == pytest.approx(np.sqrt(2) * 20 / (2 * 1.959963984540054))


def test_repeated_users_count_as_users() -> None:
    users = np.random.default_rng(7).exponential(size=500)
    values, owner = np.repeat(users, 10), np.repeat(np.arange(500), 10)

    naive, clustered = quantile_of(values, 0.5), quantile_of(values, 0.5, clusters=owner)

    assert clustered.squared_error / naive.squared_error == pytest.approx(10, rel=0.02)
    assert clustered.degrees_of_freedom == 499


def test_users_with_one_value_each_are_independent_values() -> None:
    naive, clustered = quantile_of(HUNDRED, 0.5), quantile_of(HUNDRED, 0.5, clusters=np.arange(100))

    assert clustered.squared_error == pytest.approx(naive.squared_error, rel=0.02)


def test_one_user_is_too_few_clusters() -> None:
    result = quantile_difference(HUNDRED, HUNDRED, 0.5, control_clusters=np.zeros(100))

    assert result.reason is Reason.TOO_FEW_CLUSTERS


def test_a_quantile_among_ties_has_no_scale() -> None:
    assert quantile_difference(np.zeros(100), np.zeros(100), 0.5).reason is Reason.ZERO_VARIANCE


def test_a_difference_out_of_reach_says_so() -> None:
    assert quantile_difference(HUNDRED, HUNDRED, 0.999).reason is Reason.QUANTILE_OUT_OF_REACH


def test_quantiles_have_lifts() -> None:
    lift = delta_lift(quantile_of(HUNDRED, 0.5), quantile_of(1.2 * HUNDRED, 0.5))

    assert lift.value == pytest.approx(0.2)


def test_every_value_has_a_user() -> None:
    with pytest.raises(ValueError, match="each of the 100 values"):
        quantile_of(HUNDRED, 0.5, clusters=[1, 2])


@pytest.mark.parametrize("q", [0.0, 1.0, 99])
def test_a_quantile_is_a_share(q: float) -> None:
    with pytest.raises(ValueError, match="q must lie strictly between 0 and 1"):
        quantile(HUNDRED, q)
