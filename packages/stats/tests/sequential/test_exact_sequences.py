"""Proportions and quantiles that hold at every sample size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln

from assay_stats.sequential.confidence_sequences import tuned_rho_squared
from assay_stats.sequential.exact_sequences import (
    BetaMixture,
    bernoulli_difference_sequence,
    bernoulli_sequence,
    quantile_difference_sequence,
    quantile_ranks,
    quantile_sequence,
)
from assay_stats.tails import Alternative
from assay_stats.undefined import Reason

counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def expected_e_value(
    n: int, truth: float, null: float, alternative: Alternative, mixture: BetaMixture
) -> float:
    """The mean evidence after n trials, summed over all outcomes."""
    successes = np.arange(n + 1)
    log_e = bernoulli_sequence(successes, n, null=null, alternative=alternative, mixture=mixture).log_e_value
    log_binomial = -np.log(n + 1) - betaln(n - successes + 1, successes + 1)
    log_mass = log_binomial + successes * math.log(truth) + (n - successes) * math.log1p(-truth)
    return float(np.sum(np.exp(log_mass + log_e)))


@pytest.mark.parametrize("n", [1, 7, 200])
@pytest.mark.parametrize("null", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("alternative", Alternative)
def test_the_evidence_against_the_truth_has_mean_one(n: int, null: float, alternative: Alternative) -> None:
    mean = expected_e_value(n, null, null, alternative, BetaMixture(0.7, 2.0))

    assert mean == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize("truth", [0.05, 0.2, 0.29])
def test_one_sided_evidence_also_holds_for_every_proportion_on_the_other_side(truth: float) -> None:
    assert expected_e_value(50, truth, 0.3, Alternative.GREATER, BetaMixture()) <= 1
    assert expected_e_value(50, 1 - truth, 0.7, Alternative.LESS, BetaMixture()) <= 1


def test_one_sided_evidence_mixes_over_the_proportions_beyond_the_null() -> None:
    k, n, null = 14, 20, 0.4
    weight, _ = quad(lambda p: p, null, 1)
    looked = bernoulli_sequence(
        k, n, null=null, alternative=Alternative.GREATER, mixture=BetaMixture(2.0, 1.0)
    )
    mixed, _ = quad(lambda p: p * (p / null) ** k * ((1 - p) / (1 - null)) ** (n - k), null, 1)

    assert math.exp(looked.log_e_value) == pytest.approx(mixed / weight)


@pytest.mark.parametrize("alternative", Alternative)
@given(observed=counts, null=st.floats(0.01, 0.99))
def test_the_p_value_is_dual_to_the_interval(
    alternative: Alternative, observed: tuple[int, int], null: float
) -> None:
    k, n = observed
    looked = bernoulli_sequence(k, n, null=null, alternative=alternative)

    excludes = bool(looked.lower > null or looked.upper < null)
    assert excludes == bool(looked.p_value < 0.05) or looked.p_value == pytest.approx(0.05, rel=1e-6)
    assert 0 <= looked.lower <= looked.upper <= 1


@given(counts, st.floats(0.01, 0.99))
def test_successes_and_failures_are_mirror_images(observed: tuple[int, int], null: float) -> None:
    k, n = observed
    plain = bernoulli_sequence(k, n, null=null, alternative=Alternative.GREATER)
    mirrored = bernoulli_sequence(n - k, n, null=1 - null, alternative=Alternative.LESS)

    assert mirrored.log_e_value == pytest.approx(plain.log_e_value, rel=1e-7, abs=1e-9)
    assert mirrored.upper == pytest.approx(1 - plain.lower, abs=1e-9)


def test_no_trials_say_nothing_and_no_failures_keep_an_honest_lower_end() -> None:
    looked = bernoulli_sequence([0, 0, 30], [0, 30, 30], null=0.5)

    assert looked.p_value[0] == 1
    assert (looked.lower[0], looked.upper[0]) == (0, 1)
    assert looked.lower[1] == 0
    assert 0.05 < looked.upper[1] < 0.4
    assert looked.upper[2] == 1


def test_a_billion_trials_keep_the_interval_narrow_and_around_the_share() -> None:
    looked = bernoulli_sequence(2e7, 1e9, null=0.5)

    assert looked.lower < 0.02 < looked.upper
    assert looked.upper - looked.lower < 6e-5
    assert looked.log_p_value < -1e8


def test_counts_that_cannot_be_are_not_computed() -> None:
    looked = bernoulli_sequence([5, -1, 1.5, np.nan], [4, 4, 4, 4], null=0.5)

    assert looked.reasons.tolist() == [Reason.IMPOSSIBLE_COUNT] * 3 + [Reason.NOT_FINITE]
    assert np.isnan(looked.upper).all()


@pytest.mark.parametrize("alternative", Alternative)
def test_under_an_uneven_mixture_too_both_ends_are_where_the_evidence_suffices(
    alternative: Alternative,
) -> None:
    mixture = BetaMixture(1.0, 9.0)
    looked = bernoulli_sequence(7, 60, null=0.5, alternative=alternative, mixture=mixture)

    for end in {float(looked.lower), float(looked.upper)} - {0.0, 1.0}:
        at_end = bernoulli_sequence(7, 60, null=end, alternative=alternative, mixture=mixture)
        assert at_end.p_value == pytest.approx(0.05, rel=1e-6)


def test_each_proportion_of_a_difference_holds_with_half_the_error_rate() -> None:
    before = bernoulli_sequence(100, 1_000, null=0.5, level=0.975)
    after = bernoulli_sequence(160, 1_200, null=0.5, level=0.975)

    looked = bernoulli_difference_sequence(100, 1_000, 160, 1_200, level=0.95)

    assert looked.lower == after.lower - before.upper
    assert looked.upper == after.upper - before.lower


def test_the_difference_of_two_proportions_contains_what_both_arms_allow() -> None:
    looked = bernoulli_difference_sequence(100, 1_000, 160, 1_000)

    assert looked.value == pytest.approx(0.06)
    assert -0.03 < looked.lower < 0.06 < looked.upper < 0.15


def test_ranks_need_no_data_and_close_in_on_the_quantile() -> None:
    lower, upper = quantile_ranks([5, 100, 10_000, 1_000_000], 0.5, tuned_for=10_000)

    assert (lower[0], upper[0]) == (0, 6)
    assert np.all(lower[1:] / np.array([100, 1e4, 1e6]) < 0.5)
    share = (upper - lower)[1:] / np.array([100, 1e4, 1e6])
    assert np.all(np.diff(share) < 0)
    assert share[-1] < 0.01


def test_each_end_of_a_rank_interval_is_a_one_sided_test_at_half_the_error_rate() -> None:
    n, p = 300, 0.8
    weight = 1 / float(tuned_rho_squared(200, level=0.975, alternative=Alternative.GREATER)) - 1
    mixture = BetaMixture(p * weight, (1 - p) * weight)
    counts_below = np.arange(n + 1)

    too_few = bernoulli_sequence(counts_below, n, null=p, alternative=Alternative.LESS, mixture=mixture)
    too_many = bernoulli_sequence(counts_below, n, null=p, alternative=Alternative.GREATER, mixture=mixture)
    lower, upper = quantile_ranks(n, p, tuned_for=200, level=0.95)
    assert lower == np.argmax(too_few.p_value > 0.025)
    assert upper == np.argmax(too_many.p_value <= 0.025)


@given(st.integers(1, 3_000), st.floats(0.02, 0.98))
def test_ranks_of_mirrored_quantiles_are_mirror_images(n: int, probability: float) -> None:
    lower, upper = quantile_ranks(n, probability, tuned_for=500)
    mirrored_lower, mirrored_upper = quantile_ranks(n, 1 - probability, tuned_for=500)

    assert abs(mirrored_lower - (n + 1 - upper)) <= 1
    assert abs(mirrored_upper - (n + 1 - lower)) <= 1


def test_a_quantile_too_far_out_says_which_end_is_missing() -> None:
    looked = quantile_sequence(np.arange(40.0), [0.5, 0.99], tuned_for=100)

    assert looked.reasons.tolist() == [None, Reason.QUANTILE_OUT_OF_REACH]
    assert np.isfinite(looked.lower[1])
    assert np.isnan(looked.upper[1])


def test_ties_are_covered() -> None:
    looked = quantile_sequence(np.repeat([0.0, 5.0], [900, 100]), 0.5, tuned_for=1_000)

    assert (looked.lower, looked.value, looked.upper) == (0, 0, 0)


def test_no_values_and_missing_values_have_no_quantile() -> None:
    assert quantile_sequence([], 0.5, tuned_for=10).reason is Reason.EMPTY_ARM
    assert quantile_sequence([1.0, np.nan], 0.5, tuned_for=10).reason is Reason.NOT_FINITE


def test_the_difference_of_two_quantiles_moves_with_a_shift() -> None:
    values = np.random.default_rng(5).normal(size=4_000)
    looked = quantile_difference_sequence(values, values + 1, 0.5, tuned_for=4_000)

    assert looked.value == pytest.approx(1.0)
    assert looked.lower < 1 < looked.upper
    assert looked.lower > 0.5


def test_each_quantile_of_a_difference_holds_with_half_the_error_rate() -> None:
    control, treatment = np.random.default_rng(6).normal(size=(2, 900))
    before, after = (quantile_sequence(arm, 0.25, tuned_for=900, level=0.975) for arm in (control, treatment))

    looked = quantile_difference_sequence(control, treatment, 0.25, tuned_for=900, level=0.95)

    assert looked.lower == after.lower - before.upper
    assert looked.upper == after.upper - before.lower


def test_a_mixture_without_mass_is_refused() -> None:
    with pytest.raises(ValueError, match="failures must be positive"):
        BetaMixture(1.0, 0.0)
