"""The bootstrap, for statistics without a formula, and caps for metrics with heavy tails."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import assert_never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay_stats.checks import as_floats, checked_level, complete_values
from assay_stats.results import Estimate
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats, Reason, first_reason

_LARGEST_BLOCK = 4_000_000

Statistic = Callable[[Floats], Floats]
"""Maps resamples `(n_resamples, n_units, ...)` to one number each, `(n_resamples,)`."""


class CapBasis(StrEnum):
    """Whose quantile the cap is."""

    ALL_UNITS = "all_units"
    POSITIVE_VALUES = "positive_values"


def pooled_cap(arms: Sequence[ArrayLike], quantile: float, *, basis: CapBasis) -> float:
    """The value above which outliers are capped: one type 7 quantile over all arms together.

    A cap per arm would cut a real effect in the tail out of the comparison.

    Args:
        arms: `(n_units,)` values of every arm, missing values excluded.
        quantile: For example 0.999, in (0, 1).
        basis: Whether units without activity count.
    Returns:
        The cap, in the metric's unit.
    Raises:
        ValueError: A value is missing, nothing is left, or `quantile` outside (0, 1).
    Source: Hyndman and Fan (1996), The American Statistician 50:361-365, definition 7.
    """
    share = float(checked_level(quantile, name="quantile"))
    units = np.concatenate([complete_values(arm, name="an arm") for arm in arms])
    match basis:
        case CapBasis.ALL_UNITS:
            kept = units
        case CapBasis.POSITIVE_VALUES:
            kept = units[units > 0]
        case _:
            assert_never(basis)
    if len(kept) == 0:
        raise ValueError(f"there are no values to take a quantile of (basis {basis.value})")
    return float(np.quantile(kept, share))


def winsorised(values: ArrayLike, *, upper: float = np.inf, lower: float = -np.inf) -> Floats:
    """The values with those beyond a cap set to it; missing values stay missing.

    Args:
        values: Of any shape.
        upper: Largest value kept, from `pooled_cap`.
        lower: Smallest value kept.
    Returns:
        The values in their shape, none beyond a cap.
    """
    return np.clip(np.asarray(values, dtype=np.float64), lower, upper)


def mean_statistic(resamples: Floats) -> Floats:
    """The mean of each resample of single values.

    Args:
        resamples: `(n_resamples, n_units)` single values.
    Returns:
        `(n_resamples,)`.
    """
    return resamples.mean(axis=1)


def bootstrap_difference(
    control: ArrayLike,
    treatment: ArrayLike,
    *,
    rng: np.random.Generator,
    statistic: Statistic = mean_statistic,
    n_resamples: int = 9_999,
    null: float = 0.0,
    level: float = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of any statistic, with the percentile interval and the p-value that inverts it exactly.

    Args:
        control: `(n_units, ...)` one row per randomised unit; a user's many values belong to one row.
        treatment: The same of the other arm.
        rng: Source of randomness; equal generators give equal results.
        statistic: What is compared, over a batch of resamples.
        n_resamples: Resamples of each arm; with 9,999 the smallest two-sided p-value is 0.0002.
        null: Difference under the null hypothesis.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Returns:
        `statistic` and `degrees_of_freedom` describe the bootstrap standard error and are not used for the
        p-value.
    Raises:
        ValueError: `level` outside (0, 1), or too few resamples for that level.
    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, sections 13.3 and 15.4.
    """
    coverage = float(checked_level(level))
    outside = (1 - coverage) / 2 if alternative is Alternative.TWO_SIDED else 1 - coverage
    rank = int(outside * (n_resamples + 1) + 1e-9)
    if rank < 1:
        raise ValueError(
            f"{n_resamples} resamples cannot show a level of {level}; take at least {int(1 / outside)}"
        )
    arms = [np.asarray(arm, dtype=np.float64) for arm in (control, treatment)]
    codes = first_reason((min(len(arm) for arm in arms) == 0, Reason.EMPTY_ARM))
    if codes == 0:
        value, draws = _draws(arms, statistic, n_resamples, rng)
        finite = bool(np.isfinite(draws).all() and np.isfinite(value))
        codes = first_reason(
            (not finite, Reason.NOT_FINITE), (finite and np.ptp(draws) == 0, Reason.ZERO_VARIANCE)
        )
    else:
        value, draws = as_floats(np.nan), np.full(n_resamples, np.nan)
    ordered = np.sort(draws) if codes == 0 else np.full(n_resamples, np.nan)
    error = as_floats(ordered.std(ddof=1))
    lower = -np.inf if alternative is Alternative.LESS else ordered[rank - 1]
    upper = np.inf if alternative is Alternative.GREATER else ordered[-rank]
    return Estimate(
        value=value,
        standard_error=error,
        lower=as_floats(lower if codes == 0 else np.nan),
        upper=as_floats(upper if codes == 0 else np.nan),
        level=as_floats(coverage),
        method="bootstrap_percentile",
        statistic=(value - null) / error,
        degrees_of_freedom=as_floats(np.inf),
        p_value=_inverted(ordered, null, alternative) if codes == 0 else as_floats(np.nan),
        null=as_floats(null),
        alternative=alternative,
        reason_codes=codes,
    )


def _draws(
    arms: list[Floats], statistic: Statistic, n_resamples: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    value = statistic(arms[1][None])[0] - statistic(arms[0][None])[0]
    resampled = [_resampled(arm, statistic, n_resamples, rng) for arm in arms]
    return as_floats(value), resampled[1] - resampled[0]


def _resampled(arm: Floats, statistic: Statistic, n_resamples: int, rng: np.random.Generator) -> Floats:
    """In blocks, so that memory stays bounded."""
    block = max(1, _LARGEST_BLOCK // max(1, arm.size))
    parts = [
        statistic(arm[_picks(len(arm), min(block, n_resamples - start), rng)])
        for start in range(0, n_resamples, block)
    ]
    return np.concatenate(parts)


def _picks(n: int, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(0, n, size=(rows, n))


def _inverted(draws: Floats, null: float, alternative: Alternative) -> Floats:
    """The smallest alpha whose percentile interval excludes `null`."""
    total = len(draws) + 1
    below = (float(np.sum(draws <= null)) + 1) / total
    above = (float(np.sum(draws >= null)) + 1) / total
    match alternative:
        case Alternative.GREATER:
            return as_floats(min(1.0, below))
        case Alternative.LESS:
            return as_floats(min(1.0, above))
        case Alternative.TWO_SIDED:
            return as_floats(min(1.0, 2 * min(below, above)))
        case _:
            assert_never(alternative)
