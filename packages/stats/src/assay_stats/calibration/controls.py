"""Methods that are wrong on purpose: the suite is worth nothing unless it notices each of them."""

import numpy as np
from scipy.special import ndtri

from assay_stats.bayesian import bayesian_normal
from assay_stats.calibration.acceptance import Kind
from assay_stats.calibration.adaptive import adaptive_batches, greedily
from assay_stats.calibration.claims import Claim, Rng, at_any, in_blocks
from assay_stats.calibration.fixed import covers
from assay_stats.calibration.looking import stopped_looks
from assay_stats.calibration.raw_values import by_cap_per_arm, capped_heavy_tails
from assay_stats.calibration.worlds import normal, scores, sessions
from assay_stats.frequentist import welch
from assay_stats.moments import Moments
from assay_stats.posteriors import normal_posterior
from assay_stats.sequential.group_sequential import GroupSequentialPlan, boundary
from assay_stats.sequential.spending import Pocock
from assay_stats.srm import sample_ratio
from assay_stats.undefined import Bools

_ALPHA = 0.05
_TWENTY = np.arange(1.0, 21.0)
_FIVE = np.arange(1, 6) / 5
_DRIFT = 2.5


def _lift_without_the_error_of_the_baseline(count: int, rng: Rng) -> Bools:
    control, treatment = normal(rng, count, 100, mean=1.0, sd=1.5), normal(rng, count, 100, mean=1.5, sd=1.5)
    found = welch(control, treatment)
    return (found.lower / control.mean <= 0.5) & (found.upper / control.mean >= 0.5)  # noqa: PLR2004 — the lift


def _sessions_as_if_independent(count: int, rng: Rng) -> Bools:
    arms = [sessions(rng, count, 500) for _ in range(2)]
    totals = [arm.n[:, None] * arm.means for arm in arms]
    counted = [Moments.from_counts(total[:, 1], np.rint(total[:, 0])) for total in totals]
    return welch(*counted).p_value < _ALPHA


def _fixed_test_at_20_looks(count: int, rng: Rng) -> Bools:
    statistics = scores(rng, count, _TWENTY) * np.sqrt(_TWENTY)
    return at_any(np.abs(statistics) > -ndtri(_ALPHA / 2))


def _sample_ratio_at_100_looks(count: int, rng: Rng) -> Bools:
    counts = np.cumsum(rng.multinomial(50, [0.5, 0.5], (count, 100)), axis=1)
    return at_any(sample_ratio(counts, [1, 1]).p_value < 0.01)  # noqa: PLR2004 — the level


def _clusters_as_if_independent(count: int, rng: Rng) -> Bools:
    arms = [normal(rng, count, 200, mean=rng.normal(0.0, 0.3, (count, 5)).mean(axis=1)) for _ in range(2)]
    return welch(*arms).p_value < _ALPHA


def _riders_of_windows_as_if_independent(count: int, rng: Rng) -> Bools:
    arms = [normal(rng, count, 500, mean=rng.normal(0.0, 0.3, (count, 10)).mean(axis=1)) for _ in range(2)]
    return welch(*arms).p_value < _ALPHA


def _normal_instead_of_t(count: int, rng: Rng) -> Bools:
    found = welch(normal(rng, count, 6), normal(rng, count, 6))
    return np.abs(found.statistic) > -ndtri(_ALPHA / 2)


def _spending_as_nominal_level(count: int, rng: Rng) -> Bools:
    fractions = np.arange(1, 29) / 28
    spent = 2 * boundary(GroupSequentialPlan(), fractions).spent
    statistics = scores(rng, count, fractions) * np.sqrt(fractions)
    return at_any(np.abs(statistics) > -ndtri(spent / 2))


def _bayes_at_20_looks(count: int, rng: Rng) -> Bools:
    posterior = normal_posterior(scores(rng, count, _TWENTY), 1 / np.sqrt(_TWENTY))
    return at_any(bayesian_normal(posterior).chance_to_beat >= 1 - _ALPHA)


def _plain_estimate_after_stopping(count: int, rng: Rng) -> Bools:
    values = scores(rng, count, _FIVE, effect=_DRIFT)
    design = boundary(GroupSequentialPlan(spending=Pocock()), _FIVE)
    stops = stopped_looks(design, values * np.sqrt(_FIVE))
    return values[np.arange(count), stops] < _DRIFT


def _plain_means_under_greed(count: int, rng: Rng) -> Bools:
    """Equal arms: the plain mean of an arm that is fed only while it leads lies below the truth too often."""
    return adaptive_batches(rng, count, greedily).pooled[:, 0] < 0


def _credible_under_a_wrong_prior(count: int, rng: Rng) -> Bools:
    posterior = normal_posterior(rng.normal(1.0, 0.5, count), 0.5)
    return covers(bayesian_normal(posterior, level=0.9), 1.0)


def _cap_per_arm(count: int, rng: Rng) -> Bools:
    return capped_heavy_tails(count, rng, by_cap_per_arm)


NEGATIVE_CONTROLS = tuple(
    Claim(
        name=name,
        family="negative controls",
        kind=kind,
        target=target,
        replications=r,
        simulate=in_blocks(simulate, size),
        must_fail=True,
    )
    for name, kind, target, r, size, simulate in (
        (
            "lift interval divided by the control mean",
            Kind.EQUAL,
            0.95,
            100_000,
            20_000,
            _lift_without_the_error_of_the_baseline,
        ),
        ("sessions analysed as if independent", Kind.EQUAL, 0.05, 20_000, 1_000, _sessions_as_if_independent),
        ("fixed test read at 20 looks", Kind.AT_MOST, 0.05, 20_000, 5_000, _fixed_test_at_20_looks),
        (
            "chi-square sample ratio read at 100 looks",
            Kind.AT_MOST,
            0.01,
            10_000,
            2_000,
            _sample_ratio_at_100_looks,
        ),
        (
            "clusters analysed as if independent",
            Kind.AT_MOST,
            0.05,
            20_000,
            20_000,
            _clusters_as_if_independent,
        ),
        (
            "riders of 20 switched windows analysed as if independent",
            Kind.AT_MOST,
            0.05,
            20_000,
            20_000,
            _riders_of_windows_as_if_independent,
        ),
        ("normal quantile for 6 units per arm", Kind.EQUAL, 0.05, 100_000, 20_000, _normal_instead_of_t),
        (
            "cumulative spending used as nominal level",
            Kind.AT_MOST,
            0.05,
            40_000,
            5_000,
            _spending_as_nominal_level,
        ),
        ("chance to beat of 95 % read at 20 looks", Kind.AT_MOST, 0.05, 20_000, 5_000, _bayes_at_20_looks),
        (
            "plain estimate after stopping as median-unbiased",
            Kind.EQUAL,
            0.5,
            100_000,
            5_000,
            _plain_estimate_after_stopping,
        ),
        (
            "plain means under greedy allocation as median-unbiased",
            Kind.EQUAL,
            0.5,
            100_000,
            5_000,
            _plain_means_under_greed,
        ),
        ("heavy tails, a cap per arm", Kind.EQUAL, 0.05, 20_000, 500, _cap_per_arm),
        ("90 % interval sold as 95 %", Kind.EQUAL, 0.95, 40_000, 20_000, _credible_under_a_wrong_prior),
    )
)

__all__ = ["NEGATIVE_CONTROLS"]
