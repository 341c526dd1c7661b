"""Sequences that hold at every sample size without any approximation: proportions and quantiles.

Counts of a Bernoulli variable are tested by a beta mixture of likelihood ratios, which is a martingale
whatever the sample size (Robbins 1970, Annals of Mathematical Statistics 41:1397-1409). A quantile is a
statement about such counts: at the true quantile q a share of at least p of the values is at most q (Howard
and Ramdas 2022, Bernoulli 28:1704-1728).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincc, betaln, xlog1py, xlogy

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.results import Interval
from assay_stats.roots import bracketed_root
from assay_stats.sequential.confidence_sequences import tuned_rho_squared
from assay_stats.sequential.mixtures import AlwaysValidEstimate
from assay_stats.tails import Alternative
from assay_stats.undefined import Codes, Floats, Reason, blank, first_reason, merge_reasons

_LEAST_LOG = -700.0


@dataclass(frozen=True, slots=True)
class BetaMixture:
    """The mixture of success probabilities, frozen before the start; (1/2, 1/2) assumes nothing.

    Attributes:
        successes: First parameter, positive.
        failures: Second parameter, positive.
    """

    successes: float = 0.5
    failures: float = 0.5

    def __post_init__(self) -> None:
        checked_positive(self.successes, name="successes")
        checked_positive(self.failures, name="failures")


_JEFFREYS = BetaMixture()


def bernoulli_sequence(
    successes: ArrayLike,
    n: ArrayLike,
    *,
    null: ArrayLike,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
    mixture: BetaMixture = _JEFFREYS,
) -> AlwaysValidEstimate:
    """A proportion with an interval and a test that hold at every sample size, exactly.

    Args:
        successes: Counts so far, any shape.
        n: Trials so far; 0 is allowed and gives the interval [0, 1].
        null: The proportion tested against, in (0, 1).
        level: Coverage over all looks together.
        alternative: One-sided tests mix over the proportions beyond the null only, and so also hold for every
            proportion on its other side.
        mixture: Frozen before the start.
    Raises:
        ValueError: `null` or `level` lies outside (0, 1).
    Source: Robbins (1970); Howard et al. (2021), section 3.
    """
    k, trials, origin, coverage = as_floats(successes), as_floats(n), as_floats(null), checked_level(level)
    checked_level(null, name="null")
    codes = _count_defects(k, trials)
    hits, misses = np.where(codes == 0, k, 0.0), np.where(codes == 0, trials - k, 0.0)
    log_e = _log_evidence(hits, misses, origin, mixture, alternative)
    limit = -np.log(1 - coverage)
    lower = 0.0 if alternative is Alternative.LESS else _lower(hits, misses, limit, mixture, alternative)
    upper = 1.0 if alternative is Alternative.GREATER else _upper(hits, misses, limit, mixture, alternative)
    shape = np.broadcast_shapes(hits.shape, origin.shape, limit.shape)
    with np.errstate(all="ignore"):
        share = np.where(trials > 0, k / trials, np.nan)[()]
    return AlwaysValidEstimate(
        value=blank(share, codes),
        standard_error=as_floats(np.nan),
        lower=blank(np.broadcast_to(lower, shape)[()], codes),
        upper=blank(np.broadcast_to(upper, shape)[()], codes),
        level=coverage,
        method="Bernoulli confidence sequence",
        statistic=as_floats(np.nan),
        degrees_of_freedom=as_floats(np.inf),
        p_value=blank(np.exp(np.minimum(-log_e, 0.0)), codes),
        null=origin,
        alternative=alternative,
        log_e_value=blank(log_e, codes),
        reason_codes=codes,
    )


def bernoulli_difference_sequence(
    control_successes: ArrayLike,
    control_n: ArrayLike,
    treatment_successes: ArrayLike,
    treatment_n: ArrayLike,
    *,
    level: ArrayLike = 0.95,
    mixture: BetaMixture = _JEFFREYS,
) -> Interval:
    """Treatment minus control proportion, exact at every sample size: each arm holds with half the error
    rate.

    Wider than the asymptotic sequence; the one to read while an arm has only a few successes.

    Args:
        control_successes: Counts so far, any shape.
        control_n: Trials so far.
        treatment_successes: Counts so far.
        treatment_n: Trials so far.
        level: Coverage over all looks together.
        mixture: Of both arms, frozen before the start.
    Raises:
        ValueError: `level` lies outside (0, 1).
    Source: Two sequences of Robbins (1970), Annals of Mathematical Statistics 41:1397-1409, joined by the
        union bound.
    """
    coverage = checked_level(level)
    per_arm = 1 - (1 - coverage) / 2
    control = bernoulli_sequence(control_successes, control_n, null=0.5, level=per_arm, mixture=mixture)
    treatment = bernoulli_sequence(treatment_successes, treatment_n, null=0.5, level=per_arm, mixture=mixture)
    return Interval(
        value=treatment.value - control.value,
        standard_error=as_floats(np.nan),
        lower=treatment.lower - control.upper,
        upper=treatment.upper - control.lower,
        level=coverage,
        method="Bernoulli confidence sequence, difference",
        reason_codes=merge_reasons(control.reason_codes, treatment.reason_codes),
    )


def quantile_ranks(
    n: ArrayLike, probability: ArrayLike, *, tuned_for: ArrayLike, level: ArrayLike = 0.95
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which order statistics bound a quantile at every sample size; needs no data.

    Args:
        n: Values so far, any shape.
        probability: The quantile, in (0, 1).
        tuned_for: Number of values at which the interval should be narrowest, frozen before the start.
        level: Coverage over all looks together.
    Returns:
        1-based ranks of the lower and the upper end; 0 and n + 1 where there is none yet.
    Raises:
        ValueError: `probability` or `level` lies outside (0, 1), or `tuned_for` is not positive.
    Source: Howard and Ramdas (2022), Bernoulli 28:1704-1728.
    """
    trials, p = as_floats(n), checked_level(probability, name="probability")
    side = 1 - (1 - checked_level(level)) / 2
    concentration = np.maximum(
        1 / tuned_rho_squared(tuned_for, level=side, alternative=Alternative.GREATER) - 1, 1.0
    )
    trials, p, side, concentration = np.broadcast_arrays(trials, p, side, concentration)
    limit = -np.log(1 - side)
    a, b = p * concentration, (1 - p) * concentration

    def too_few(count: Floats) -> NDArray[np.bool_]:
        return _log_above(trials - count, count, 1 - p, b, a) >= limit

    def too_many(count: Floats) -> NDArray[np.bool_]:
        return _log_above(count, trials - count, p, a, b) >= limit

    lower = _first_count(lambda count: ~too_few(count), trials)
    upper = _first_count(too_many, trials)
    return lower.astype(np.int64)[()], upper.astype(np.int64)[()]


def quantile_sequence(
    values: ArrayLike, probability: ArrayLike, *, tuned_for: ArrayLike, level: ArrayLike = 0.95
) -> Interval:
    """A quantile with an interval that holds at every sample size, exactly, also with ties.

    Args:
        values: `(n_values,)` one per unit, in any order.
        probability: The quantile, any shape.
        tuned_for: Number of values at which the interval should be narrowest, frozen before the start.
        level: Coverage over all looks together.
    Raises:
        ValueError: `values` is no vector, `probability` or `level` lies outside (0, 1), or `tuned_for` is
            not positive.
    Source: Howard and Ramdas (2022), Bernoulli 28:1704-1728.
    """
    ordered = np.sort(as_floats(values))
    if ordered.ndim != 1:
        raise ValueError(f"values must have shape (n_values,); got {ordered.shape}")
    p = checked_level(probability, name="probability")
    low, high = quantile_ranks(ordered.size, p, tuned_for=tuned_for, level=level)
    padded = np.concatenate([[np.nan], ordered, [np.nan]])
    centre = np.clip(np.ceil(p * ordered.size), 1, max(ordered.size, 1)).astype(np.int64)
    codes = first_reason(
        (np.asarray(ordered.size == 0), Reason.EMPTY_ARM),
        (~np.isfinite(ordered).all(), Reason.NOT_FINITE),
        ((low < 1) | (high > ordered.size), Reason.QUANTILE_OUT_OF_REACH),
    )
    broken = np.isin(codes, [Reason.EMPTY_ARM.code, Reason.NOT_FINITE.code])
    return Interval(
        value=np.where(broken, np.nan, padded[centre])[()],
        standard_error=as_floats(np.nan),
        lower=np.where(broken, np.nan, padded[low])[()],
        upper=np.where(broken, np.nan, padded[np.minimum(high, ordered.size + 1)])[()],
        level=checked_level(level),
        method="quantile confidence sequence",
        reason_codes=codes,
    )


def quantile_difference_sequence(
    control: ArrayLike,
    treatment: ArrayLike,
    probability: ArrayLike,
    *,
    tuned_for: ArrayLike,
    level: ArrayLike = 0.95,
) -> Interval:
    """Treatment minus control quantile, exact at every sample size: each arm holds with half the error rate.

    Args:
        control: `(n_control,)` one value per unit.
        treatment: `(n_treatment,)` one value per unit.
        probability: The quantile, any shape.
        tuned_for: Values per arm at which the interval should be narrowest, frozen before the start.
        level: Coverage over all looks together.
    Raises:
        ValueError: An arm is no vector, `probability` or `level` lies outside (0, 1), or `tuned_for` is not
            positive.
    Source: Howard and Ramdas (2022), Bernoulli 28:1704-1728, per arm, joined by the union bound.
    """
    coverage = checked_level(level)
    per_arm = 1 - (1 - coverage) / 2
    before = quantile_sequence(control, probability, tuned_for=tuned_for, level=per_arm)
    after = quantile_sequence(treatment, probability, tuned_for=tuned_for, level=per_arm)
    return Interval(
        value=after.value - before.value,
        standard_error=as_floats(np.nan),
        lower=after.lower - before.upper,
        upper=after.upper - before.lower,
        level=coverage,
        method="quantile confidence sequence, difference",
        reason_codes=merge_reasons(before.reason_codes, after.reason_codes),
    )


def _count_defects(successes: Floats, n: Floats) -> Codes:
    return first_reason(
        (~(np.isfinite(successes) & np.isfinite(n)), Reason.NOT_FINITE),
        ((successes < 0) | (successes > n) | (successes % 1 != 0) | (n % 1 != 0), Reason.IMPOSSIBLE_COUNT),
    )


def _log_evidence(
    hits: Floats, misses: Floats, p: Floats, mixture: BetaMixture, alternative: Alternative
) -> Floats:
    a, b = mixture.successes, mixture.failures
    match alternative:
        case Alternative.TWO_SIDED:
            return _log_mixture(hits, misses, p, a, b)
        case Alternative.GREATER:
            return _log_above(hits, misses, p, a, b)
        case Alternative.LESS:
            return _log_above(misses, hits, 1 - p, b, a)


def _log_mixture(hits: Floats, misses: Floats, p: Floats, a: Floats | float, b: Floats | float) -> Floats:
    return betaln(a + hits, b + misses) - betaln(a, b) - xlogy(hits, p) - xlog1py(misses, -p)


def _log_above(hits: Floats, misses: Floats, p: Floats, a: Floats | float, b: Floats | float) -> Floats:
    """Evidence that the success probability exceeds p, mixing over (p, 1) only."""
    with np.errstate(divide="ignore"):
        share = np.log(betaincc(a + hits, b + misses, p)) - np.log(betaincc(a, b, p))
    return _log_mixture(hits, misses, p, a, b) + share


def _lower(
    hits: Floats, misses: Floats, limit: Floats, mixture: BetaMixture, alternative: Alternative
) -> Floats:
    """The proportion below the observed one at which the evidence just reaches the limit."""
    hits, misses, limit = np.broadcast_arrays(hits, misses, limit)
    with np.errstate(all="ignore"):
        observed = np.where(hits > 0, np.log(hits / (hits + misses)), _LEAST_LOG)
    top = np.minimum(observed, -1e-16)

    def surplus(log_p: Floats) -> Floats:
        return limit - _log_evidence(hits, misses, np.exp(log_p), mixture, alternative)

    return np.where(hits > 0, np.exp(bracketed_root(surplus, np.full(top.shape, _LEAST_LOG), top)), 0.0)


def _upper(
    hits: Floats, misses: Floats, limit: Floats, mixture: BetaMixture, alternative: Alternative
) -> Floats:
    swapped = BetaMixture(mixture.failures, mixture.successes)
    return 1 - _lower(misses, hits, limit, swapped, alternative.mirrored)


def _first_count(holds: Callable[[Floats], NDArray[np.bool_]], n: Floats) -> Floats:
    """The smallest count in 0..n at which a condition that stays true once true holds; n + 1 for none."""
    low, high = np.zeros(n.shape), n + 1.0
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        found = holds(np.minimum(middle, n)) & (middle <= n)
        low, high = np.where(found | (low >= high), low, middle + 1), np.where(found, middle, high)
    return low


__all__ = [
    "BetaMixture",
    "bernoulli_difference_sequence",
    "bernoulli_sequence",
    "quantile_difference_sequence",
    "quantile_ranks",
    "quantile_sequence",
]
