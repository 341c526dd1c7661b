"""Posteriors, comparisons and the error rates of Bayesian stopping rules."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc, betaln, ndtr, ndtri
from scipy.stats import multivariate_normal

from assay_stats.bayesian import (
    ChanceRule,
    LossRule,
    bayesian_difference,
    bayesian_normal,
    best_of,
    peeking_error_rates,
    stacked,
)
from assay_stats.posteriors import (
    BetaPrior,
    GammaPrior,
    NormalPosterior,
    NormalPrior,
    beta_posterior,
    gamma_posterior,
    normal_posterior,
)
from assay_stats.results import Direction
from assay_stats.undefined import Reason

LOWER = Direction.LOWER_IS_BETTER
trials = st.integers(0, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def chance_by_closed_sum(a0: int, b0: int, a1: int, b1: int) -> float:
    """P(B1 > B0) for whole parameters: Miller (2015), Formulas for Bayesian A/B testing."""
    i = np.arange(a1)
    return float(
        np.sum(np.exp(betaln(a0 + i, b0 + b1) - np.log(b1 + i) - betaln(1 + i, b1) - betaln(a0, b0)))
    )


@pytest.mark.parametrize(
    ("k0", "n0", "k1", "n1"), [(0, 10, 3, 10), (100, 1000, 130, 1000), (3, 4, 2, 50), (900, 950, 10, 11)]
)
def test_the_chance_to_beat_is_the_closed_sum(k0: int, n0: int, k1: int, n1: int) -> None:
    compared = bayesian_difference(beta_posterior(k0, n0), beta_posterior(k1, n1))

    expected = chance_by_closed_sum(1 + k0, 1 + n0 - k0, 1 + k1, 1 + n1 - k1)
    assert compared.chance_to_beat == pytest.approx(expected, rel=1e-9)
    assert compared.chance_to_beat + compared.chance_to_lose == pytest.approx(1.0)


@given(trials, trials)
@settings(max_examples=60, deadline=None)
def test_the_two_losses_differ_by_the_difference_of_the_means(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    compared = bayesian_difference(beta_posterior(*before), beta_posterior(*after))

    assert compared.loss_if_kept - compared.loss_if_shipped == pytest.approx(compared.value, abs=1e-9)
    assert compared.lower <= compared.upper


def test_the_expected_loss_is_the_size_biased_identity() -> None:
    k0, n0, k1, n1 = 120, 1000, 131, 1000
    compared = bayesian_difference(beta_posterior(k0, n0), beta_posterior(k1, n1))

    # Stucchio (2015): E[p * 1(p > q)] is the mean times the chance with one more success.
    a0, b0, a1, b1 = 1 + k0, 1 + n0 - k0, 1 + k1, 1 + n1 - k1
    lost = a0 / (a0 + b0) * chance_by_closed_sum(a1, b1, a0 + 1, b0) - a1 / (a1 + b1) * (
        1 - chance_by_closed_sum(a0, b0, a1 + 1, b1)
    )
    assert compared.loss_if_shipped == pytest.approx(lost, rel=1e-7)


def test_rates_of_events_have_a_closed_chance() -> None:
    prior = GammaPrior(0.5, 1e-3)
    control, treatment = gamma_posterior(12, 100, prior=prior), gamma_posterior(25, 150, prior=prior)
    compared = bayesian_difference(control, treatment)

    share = control.rate / (control.rate + treatment.rate)
    assert compared.chance_to_beat == pytest.approx(betainc(12.5, 25.5, share), rel=1e-9)


def test_a_chance_far_in_the_tail_keeps_its_digits() -> None:
    compared = bayesian_difference(beta_posterior(900, 1000), beta_posterior(100, 1000))

    assert compared.chance_to_beat == pytest.approx(chance_by_closed_sum(901, 101, 101, 901), rel=1e-6)
    assert 0 < compared.chance_to_beat < 1e-250
    assert compared.chance_to_lose == 1


def test_a_billion_trials_agree_with_the_normal_limit() -> None:
    n, p0, p1 = 1e9, 0.02, 0.02001
    compared = bayesian_difference(beta_posterior(n * p0, n), beta_posterior(n * p1, n))

    se = math.sqrt((p0 * (1 - p0) + p1 * (1 - p1)) / n)
    assert compared.chance_to_beat == pytest.approx(ndtr((p1 - p0) / se), rel=1e-4)
    assert compared.upper - compared.value == pytest.approx(1.959964 * se, rel=1e-3)


def test_arms_of_very_different_size_keep_an_exact_interval() -> None:
    narrow, wide = beta_posterior(5e8, 1e9), beta_posterior(6, 10)
    compared = bayesian_difference(narrow, wide)

    assert compared.lower == pytest.approx(wide.quantile(np.asarray(0.025)) - 0.5, abs=1e-4)
    assert compared.upper == pytest.approx(wide.quantile(np.asarray(0.975)) - 0.5, abs=1e-4)


@given(st.floats(-30, 30), st.floats(1e-3, 1e3))
def test_normal_losses_are_positive_and_differ_by_the_mean(distance: float, sd: float) -> None:
    compared = bayesian_normal(normal_posterior(distance * sd, sd))

    assert compared.loss_if_shipped > 0
    assert compared.loss_if_kept > 0
    assert compared.loss_if_kept - compared.loss_if_shipped == pytest.approx(
        compared.value, rel=1e-9, abs=1e-12 * sd
    )


def test_a_loss_far_in_the_tail_follows_its_asymptote() -> None:
    compared = bayesian_normal(normal_posterior(30.0, 1.0))

    density = math.exp(-450) / math.sqrt(2 * math.pi)
    assert compared.loss_if_shipped == pytest.approx(density / 30**2 * (1 - 3 / 30**2 + 15 / 30**4), rel=1e-6)


def test_two_normal_arms_by_quadrature_are_the_closed_form() -> None:
    control, treatment = (
        NormalPosterior(np.asarray(1.0), np.asarray(0.3)),
        NormalPosterior(np.asarray(1.4), np.asarray(0.1)),
    )
    compared = bayesian_difference(control, treatment)
    closed = bayesian_normal(NormalPosterior(np.asarray(0.4), np.asarray(math.hypot(0.3, 0.1))))

    for name in ("chance_to_beat", "loss_if_shipped", "loss_if_kept", "lower", "upper"):
        assert getattr(compared, name) == pytest.approx(getattr(closed, name), rel=1e-8), name


def test_a_prior_pulls_and_a_flat_one_does_not() -> None:
    flat = normal_posterior(2.0, 1.0)
    pulled = normal_posterior(2.0, 1.0, prior=NormalPrior(0.0, 1.0))

    assert (flat.mean, flat.sd) == (2.0, 1.0)
    assert (pulled.mean, pulled.sd) == (pytest.approx(1.0), pytest.approx(math.sqrt(0.5)))


def test_a_prior_counts_by_its_precision() -> None:
    # By hand: precisions 1/4 of the prior at 10 and 1 of the estimate 0 add to 5/4; the mean is 2.5 / 1.25.
    posterior = normal_posterior(0.0, 1.0, prior=NormalPrior(10.0, 2.0))

    assert posterior.mean == pytest.approx(2.0)
    assert posterior.sd == pytest.approx(math.sqrt(0.8))


@given(st.lists(trials, min_size=2, max_size=5))
@settings(max_examples=40, deadline=None)
def test_chances_add_up_and_the_best_mean_loses_least(arms: list[tuple[int, int]]) -> None:
    ranking = best_of(stacked(*(beta_posterior(*arm) for arm in arms)))

    assert ranking.chance_best.sum() == pytest.approx(1.0)
    assert np.all(ranking.expected_loss >= 0)
    best = np.argmax(ranking.mean)
    assert ranking.expected_loss[best] == pytest.approx(ranking.expected_loss.min(), abs=1e-9)
    assert ranking.expected_loss - ranking.expected_loss[best] == pytest.approx(
        ranking.mean[best] - ranking.mean, abs=1e-8
    )


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5))
@settings(max_examples=40, deadline=None)
def test_negating_the_metric_and_the_direction_changes_nothing(means: list[float]) -> None:
    sd = np.linspace(0.5, 1.5, len(means))
    plain = best_of(NormalPosterior(np.array(means), sd))
    flipped = best_of(NormalPosterior(-np.array(means), sd), direction=LOWER)

    assert flipped.chance_best == pytest.approx(plain.chance_best, abs=1e-12)
    assert flipped.expected_loss == pytest.approx(plain.expected_loss, abs=1e-12)


def test_lower_is_better_for_probabilities_is_higher_is_better_for_failures() -> None:
    hits, n = np.array([30, 45, 60]), 400
    lowest = best_of(beta_posterior(hits, n), direction=LOWER)
    highest = best_of(beta_posterior(n - hits, n))

    assert lowest.chance_best == pytest.approx(highest.chance_best, rel=1e-9)
    assert lowest.chance_best[0] > 0.9


def test_a_comparison_turned_by_direction_swaps_both_ends_and_both_losses() -> None:
    compared = bayesian_difference(beta_posterior(10, 100), beta_posterior(15, 100))
    turned = compared.as_benefit(LOWER)
    swapped = bayesian_difference(beta_posterior(15, 100), beta_posterior(10, 100))

    for name in ("value", "lower", "upper", "chance_to_beat", "loss_if_shipped", "loss_if_kept"):
        assert getattr(turned, name) == pytest.approx(getattr(swapped, name), rel=1e-7), name


def test_many_comparisons_at_once_are_the_numbers_of_each_alone() -> None:
    hits = np.array([3, 40, 77])
    together = bayesian_difference(beta_posterior(hits, 100), beta_posterior(hits + 5, 100))

    for k, count in enumerate(hits):
        alone = bayesian_difference(beta_posterior(count, 100), beta_posterior(count + 5, 100))
        assert together.chance_to_beat[k] == pytest.approx(alone.chance_to_beat, rel=1e-12)
        assert together.lower[k] == pytest.approx(alone.lower, rel=1e-9)


def test_impossible_counts_have_no_posterior() -> None:
    compared = bayesian_difference(beta_posterior([5, 3], [4, 4]), beta_posterior(1, 4))

    assert compared.reasons.tolist() == [Reason.IMPOSSIBLE_COUNT, None]
    assert np.isnan([compared.chance_to_beat[0], compared.lower[0], compared.loss_if_kept[0]]).all()
    assert np.isfinite([compared.chance_to_beat[1], compared.lower[1], compared.loss_if_kept[1]]).all()


def test_no_spread_is_said_and_not_computed() -> None:
    compared = bayesian_normal(normal_posterior([1.0, np.nan], [0.0, 1.0]))

    assert compared.reasons.tolist() == [Reason.ZERO_VARIANCE, Reason.NOT_FINITE]
    assert np.isnan(compared.chance_to_beat).all()


@pytest.mark.parametrize(
    "prior", [lambda: NormalPrior(sd=0.0), lambda: BetaPrior(0.0, 1.0), lambda: GammaPrior(1.0, np.inf)]
)
def test_a_prior_that_is_none_is_refused(prior: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="prior needs"):
        prior()


def test_one_look_at_95_percent_with_a_flat_prior_errs_in_5_percent() -> None:
    rates = peeking_error_rates(ChanceRule(0.95), [0.7])

    assert rates.at_the_end == pytest.approx(0.05, rel=1e-12)


def test_twenty_looks_at_95_percent_err_far_more_often_and_a_prior_helps() -> None:
    se = 1 / np.sqrt(np.arange(1, 21))
    flat = peeking_error_rates(ChanceRule(0.95), se)
    sceptical = peeking_error_rates(ChanceRule(0.95), se, prior=NormalPrior(0.0, 0.1))

    assert flat.at_the_end > 0.2
    assert sceptical.at_the_end < 0.05
    assert np.all(np.diff(flat.shipped) > 0)


@pytest.mark.parametrize(("threshold", "looks"), [(0.95, 5), (0.975, 5), (0.95, 20)])
def test_the_error_rate_of_a_peeked_rule_is_the_multivariate_normal_integral(
    threshold: float, looks: int
) -> None:
    n = np.arange(1, looks + 1)
    rates = peeking_error_rates(ChanceRule(threshold), 1 / np.sqrt(n))

    # scipy 1.17.1: the integral of Genz and Bretz.
    correlation = np.sqrt(np.minimum.outer(n, n) / np.maximum.outer(n, n))
    never = multivariate_normal.cdf(np.full(looks, ndtri(threshold)), cov=correlation, maxpts=400_000, rng=4)
    assert rates.at_the_end == pytest.approx(1 - never, abs=2e-4)


def test_a_loss_rule_ships_more_often_the_larger_the_loss_allowed() -> None:
    se = 1 / np.sqrt(np.arange(1, 11))
    shipped = [
        peeking_error_rates(LossRule(loss), se, effect=[-0.2, 0.0, 0.5]).at_the_end
        for loss in (0.001, 0.01, 0.1)
    ]

    assert np.all(np.diff(shipped, axis=0) > 0)
    assert np.all(np.diff(shipped, axis=1) > 0)


def test_a_loss_rule_ships_where_the_expected_loss_equals_its_threshold() -> None:
    sd = np.array([0.2, 1.0, 5.0])
    edge = LossRule(0.05).standardised(sd) * sd

    assert bayesian_normal(NormalPosterior(edge, sd)).loss_if_shipped == pytest.approx(0.05, rel=1e-9)
