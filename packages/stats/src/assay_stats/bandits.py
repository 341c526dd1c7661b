"""Allocation rules of bandits, computed and not sampled: the share each arm should get next.

An allocation that follows the data biases plain averages; `batched_difference` is the inference that stays
valid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.bayesian import best_of
from assay_stats.checks import as_floats, checked_level
from assay_stats.posteriors import Posterior
from assay_stats.results import Direction, Estimate, Result
from assay_stats.tails import Alternative, critical_value, ends, tail
from assay_stats.undefined import Floats, Reason, blank, first_reason, merge_reasons

# The fit is all but reached after three; a limit of steps keeps the digits the same everywhere.
_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation(Result):
    """What each arm should get next; arms along the last axis.

    Attributes:
        share: `(..., n_arms)`, summing to 1.
        chance_best: Posterior probability of being the best, `(..., n_arms)`.
    """

    share: Floats
    chance_best: Floats


def thompson(
    posterior: Posterior, *, floor: float = 0.0, direction: Direction = Direction.HIGHER_IS_BETTER
) -> Allocation:
    """Each arm gets its chance of being the best (Thompson 1933, Biometrika 25:285-294).

    Args:
        posterior: Arms along the last axis.
        floor: Least share of an arm, so that every arm keeps being measured; at most 1 / n_arms.
        direction: Which end is best.
    Raises:
        ValueError: `floor` is negative or above 1 / n_arms.
    Source: Thompson (1933), Biometrika 25:285-294.
    """
    ranking = best_of(posterior, direction=direction)
    return Allocation(
        share=_with_floor(ranking.chance_best, floor),
        chance_best=ranking.chance_best,
        reason_codes=ranking.reason_codes,
    )


def top_two(
    posterior: Posterior,
    *,
    leader_share: float = 0.5,
    floor: float = 0.0,
    direction: Direction = Direction.HIGHER_IS_BETTER,
) -> Allocation:
    """Thompson sampling that keeps comparing the leader with its challengers (Russo 2020, Operations
    Research 68).

    With probability `leader_share` the drawn best arm is played, otherwise the best among draws that name
    another. The expected share is a * (b + (1 - b) * sum over j != i of a_j / (1 - a_j)), with a the chances
    of being best.

    Args:
        posterior: Arms along the last axis, two or more.
        leader_share: Probability to play the first drawn arm, in (0, 1).
        floor: Least share of an arm; at most 1 / n_arms.
        direction: Which end is best.
    Raises:
        ValueError: `leader_share` lies outside (0, 1), or `floor` is negative or above 1 / n_arms.
    Source: Russo (2020), Operations Research 68. Checked against draws.
    """
    checked_level(leader_share, name="leader_share")
    ranking = best_of(posterior, direction=direction)
    chance = ranking.chance_best
    others = np.stack(
        [np.delete(chance, arm, axis=-1).sum(axis=-1) for arm in range(chance.shape[-1])], axis=-1
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where(others > 0, chance / others, 0.0)
        challengers = chance * (odds.sum(axis=-1, keepdims=True) - odds)
        certain = np.any(others == 0, axis=-1, keepdims=True)
        even = np.where(others == 0, 0.0, 1 / max(chance.shape[-1] - 1, 1))
        share = leader_share * chance + (1 - leader_share) * np.where(certain, even, challengers)
    is_single = np.asarray(chance.shape[-1] < 2)  # noqa: PLR2004 — a leader and a challenger
    codes = merge_reasons(first_reason((is_single, Reason.SINGLE_ARM)), ranking.reason_codes)
    share = _with_floor(share / share.sum(axis=-1, keepdims=True), floor)
    return Allocation(share=np.where(is_single, np.nan, share), chance_best=chance, reason_codes=codes)


def batched_difference(
    values: ArrayLike,
    standard_errors: ArrayLike,
    *,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: ArrayLike = 0.0,
) -> Estimate:
    """A difference measured in batches between which the allocation followed the data.

    Within a batch the allocation is fixed, so its standardised difference is standard normal whatever came
    before; their sum over the square root of their number is the test. The estimate weighs batches by 1 /
    standard error. The effect must be the same in all batches.

    Args:
        values: `(..., n_batches)` treatment minus control in each batch alone.
        standard_errors: `(..., n_batches)`.
        level: Coverage.
        alternative: Side that counts as evidence.
        null: The value tested against.
    Raises:
        ValueError: `level` lies outside (0, 1).
    Source: Zhang, Janson and Murphy (2020), Inference for batched bandits, NeurIPS 33.
    """
    d, se, origin, coverage = (
        as_floats(values),
        as_floats(standard_errors),
        as_floats(null),
        checked_level(level),
    )
    codes = first_reason(
        (~(np.isfinite(d) & np.isfinite(se)).all(axis=-1), Reason.NOT_FINITE),
        ((se < 0).any(axis=-1), Reason.NEGATIVE_VARIANCE),
        ((se == 0).any(axis=-1), Reason.ZERO_VARIANCE),
    )
    with np.errstate(all="ignore"):
        weights = 1 / se
        total = weights.sum(axis=-1)
        value = blank((d * weights).sum(axis=-1) / total, codes)
        error = blank(np.sqrt(d.shape[-1]) / total, codes)
        statistic = (value - origin) / error
    normal = as_floats(np.inf)
    lower, upper = ends(value, critical_value(coverage, normal, alternative) * error, alternative)
    return Estimate(
        value=value,
        standard_error=error,
        lower=lower,
        upper=upper,
        level=coverage,
        method="batched difference",
        statistic=statistic,
        degrees_of_freedom=normal,
        p_value=tail(statistic, normal, alternative),
        null=origin,
        alternative=alternative,
        reason_codes=codes,
    )


def batch_errors(variances: ArrayLike, n: ArrayLike) -> Floats:
    """Squared standard errors of two arms' means in each batch, from variances that the batches share.

    An arm that gets few units of a batch has a variance of its own that is small whenever its mean happens
    to be: standardised by it, differences are not standard normal, and summing them over batches adds the
    error up. So a batch's variance is that of both arms together (Zhang, Janson and Murphy 2020, section 3),
    or where that is larger a factor of the batch times a factor of the arm, which fits arms that truly
    scatter differently. The larger of the two errs on the safe side.

    Args:
        variances: `(..., 2, n_batches)` of one unit, by arm.
        n: `(..., 2, n_batches)` units; a batch without units in an arm counts for nothing.
    Returns:
        `(..., 2, n_batches)`; NaN without units.
    Source: Zhang, Janson and Murphy (2020), NeurIPS 33; the factors are the maximum-likelihood fit of normal
        values whose variance is a product, by alternating sums. Checked by simulation.
    """
    variance, units = as_floats(variances), as_floats(n)
    present = (units > 0).all(axis=-2, keepdims=True) & np.isfinite(variance)
    weight = np.where(present, units, 0.0)
    known = np.where(present, variance, 0.0)
    with np.errstate(all="ignore"):
        together = _mean_over(known, weight, axis=-2)
        # Where nothing varies in a batch, what varies in all of them has to do.
        everything = (known * weight).sum(axis=(-2, -1), keepdims=True) / weight.sum(
            axis=(-2, -1), keepdims=True
        )
        together = np.where(together > 0, together, everything)
        by_batch, by_arm = together, np.ones(1)
        for _ in range(_ROUNDS):
            by_arm = _mean_over(known / by_batch, weight, axis=-1)
            by_arm = np.where(by_arm > 0, by_arm, 1.0)
            by_batch = _mean_over(known / by_arm, weight, axis=-2)
            by_batch = np.where(by_batch > 0, by_batch, everything)
        error = np.maximum(together, by_batch * by_arm) / units
    return np.where(units > 0, error, np.nan)


def _mean_over(values: Floats, weight: Floats, *, axis: int) -> Floats:
    return (values * weight).sum(axis=axis, keepdims=True) / weight.sum(axis=axis, keepdims=True)


def _with_floor(share: Floats, floor: float) -> Floats:
    n_arms = share.shape[-1]
    if not 0 <= floor * n_arms <= 1:
        raise ValueError(f"floor must lie between 0 and 1 / {n_arms} for {n_arms} arms; got {floor!r}")
    return floor + (1 - n_arms * floor) * share


__all__ = ["Allocation", "batch_errors", "batched_difference", "thompson", "top_two"]
