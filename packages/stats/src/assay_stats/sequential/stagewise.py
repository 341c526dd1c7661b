"""Inference after a group-sequential design has stopped.

Stopping at a high value makes the plain estimate too large and the plain interval too narrow. The stage-wise
ordering calls an outcome more extreme the earlier it crossed (Tsiatis, Rosner and Mehta 1984, Biometrics
40:797-803); its p-value, interval and median-unbiased estimate belong together and need no look after the
last.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtri

from assay_stats.checks import as_floats
from assay_stats.results import Estimate
from assay_stats.roots import bracketed_root
from assay_stats.sequential import brownian
from assay_stats.sequential.brownian import Survivors
from assay_stats.sequential.group_sequential import (
    GroupSequentialPlan,
    boundary,
    chain,
    checked_fractions,
    estimate_defects,
)
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats, blank

_DOUBLINGS = 40
_FARTHEST = 38.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagewiseEstimate(Estimate):
    """The final result of a group-sequential design.

    Attributes:
        value: Median-unbiased estimate.
        observed: The plain estimate at the last look, which overstates an effect that stopped early.
        log_p: Natural logarithm of the p-value.
    """

    observed: Floats
    log_p: Floats

    @property
    def log_p_value(self) -> Floats:
        """Natural logarithm of the p-value; exact where the p-value itself underflows to 0."""
        return self.log_p


def stagewise_estimate(
    value: ArrayLike,
    standard_error: ArrayLike,
    *,
    plan: GroupSequentialPlan,
    fractions: ArrayLike,
    null: ArrayLike = 0.0,
) -> StagewiseEstimate:
    """Stage-wise p-value, interval and median-unbiased estimate of a design that has ended.

    It may have ended by crossing, at its planned end, or early for a reason that did not depend on the data.
    An interval of a two-sided plan excludes `null` exactly when p < 1 - level.

    Args:
        value: `(...)` plain estimate at the last look.
        standard_error: `(...)` its standard error.
        plan: The frozen plan.
        fractions: `(n_looks,)` information fractions of the looks taken; the last is the one where it ended.
        null: The value tested against.
    Returns:
        `value` is median-unbiased: the true effect is as often above as below it.
    Raises:
        ValueError: The fractions are empty, not positive or do not rise.
    Source: Tsiatis, Rosner and Mehta (1984); Jennison and Turnbull (2000), chapter 8. Checked against rpact
    3.3.4.
    """
    looks = checked_fractions(fractions)
    estimate, se, origin = as_floats(value), as_floats(standard_error), as_floats(null)
    codes = estimate_defects(estimate, se)
    shape = np.broadcast_shapes(estimate.shape, se.shape, origin.shape)
    with np.errstate(all="ignore"):
        statistic = np.broadcast_to(blank((estimate - origin) / se, codes), shape)
    unit = math.sqrt(looks[-1]) * se
    ordering = _Ordering.of(plan, looks, np.where(np.isfinite(statistic), statistic, 0.0))
    median, lower, upper = (origin + bound * unit for bound in _bounds(ordering, plan))
    log_p = np.minimum(_log_p(ordering, plan.alternative), 0.0)
    return StagewiseEstimate(
        value=blank(median[()], codes),
        standard_error=blank(se, codes),
        lower=blank(lower[()], codes),
        upper=blank(upper[()], codes),
        level=as_floats(plan.level),
        method=f"group sequential, stage-wise ({type(plan.spending).__name__})",
        statistic=statistic[()],
        degrees_of_freedom=as_floats(np.inf),
        p_value=blank(np.exp(log_p)[()], codes),
        null=origin,
        alternative=plan.alternative,
        observed=estimate,
        log_p=blank(log_p[()], codes),
        reason_codes=codes,
    )


@dataclass(frozen=True, slots=True)
class _Ordering:
    """The looks of one design and where it ended, as the score sees them."""

    looks: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    paths: tuple[Survivors, ...]
    score: Floats

    @classmethod
    def of(cls, plan: GroupSequentialPlan, looks: tuple[float, ...], statistic: Floats) -> "_Ordering":
        score = statistic * math.sqrt(looks[-1])
        earlier = boundary(plan, looks[:-1]) if len(looks) > 1 else None
        root = np.sqrt(looks[:-1])
        upper = () if earlier is None else tuple((earlier.upper * root).tolist())
        lower = () if earlier is None else tuple((earlier.lower * root).tolist())
        # Drifts near the observed statistic must find their surviving paths among the nodes.
        reach = float(np.ceil(12.0 + np.max(np.abs(statistic), initial=0.0)))
        return cls(looks, lower, upper, chain(looks, lower, upper, reach), score)

    def at_least(self, drift: Floats) -> Floats:
        """Probability of an outcome as high or higher in the ordering."""
        return self._tail(brownian.exceedance, self.upper, drift)

    def at_most(self, drift: Floats) -> Floats:
        """Probability of an outcome as low or lower in the ordering."""
        return self._tail(brownian.shortfall, self.lower, drift)

    def _tail(self, leaving: Callable[..., Floats], bounds: tuple[float, ...], drift: Floats) -> Floats:
        total = leaving(self.paths[-1], time=self.looks[-1], bound=self.score, drift=drift)
        for k, bound in enumerate(bounds):
            if np.isfinite(bound):
                total = total + leaving(
                    self.paths[k], time=self.looks[k], bound=np.asarray(bound), drift=drift
                )
        return total


def _log_p(ordering: _Ordering, alternative: Alternative) -> Floats:
    high, low = _log_at_least(ordering), _log_at_most(ordering)
    match alternative:
        case Alternative.TWO_SIDED:
            return np.log(2) + np.minimum(high, low)
        case Alternative.GREATER:
            return high
        case Alternative.LESS:
            return low


def _log_at_least(ordering: _Ordering) -> Floats:
    if len(ordering.looks) == 1:
        return log_ndtr(-ordering.score / math.sqrt(ordering.looks[0]))
    return _logarithm(ordering.at_least(np.zeros(ordering.score.shape)))


def _log_at_most(ordering: _Ordering) -> Floats:
    if len(ordering.looks) == 1:
        return log_ndtr(ordering.score / math.sqrt(ordering.looks[0]))
    return _logarithm(ordering.at_most(np.zeros(ordering.score.shape)))


def _logarithm(probability: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(probability)


def _bounds(ordering: _Ordering, plan: GroupSequentialPlan) -> tuple[Floats, Floats, Floats]:
    """Drifts per planned information: median-unbiased, lower bound, upper bound."""
    edge = ndtri(plan.budget)
    unbounded = np.full(ordering.score.shape, np.inf)
    lower = -unbounded if plan.alternative is Alternative.LESS else _drift_at(ordering, edge)
    upper = unbounded if plan.alternative is Alternative.GREATER else _drift_at(ordering, -edge)
    return _drift_at(ordering, 0.0), lower, upper


def _drift_at(ordering: _Ordering, quantile: float) -> Floats:
    """The drift under which the outcome has this normal quantile in the ordering; rising in `quantile`."""

    def excess(drift: Floats) -> Floats:
        high, low = ordering.at_least(drift), ordering.at_most(drift)
        place = np.where(high < low, ndtri(np.minimum(high, 0.5)), -ndtri(np.minimum(low, 0.5)))
        return np.clip(place, -_FARTHEST, _FARTHEST) - quantile

    guess = ordering.score / ordering.looks[-1]
    width = np.full(guess.shape, 4 / math.sqrt(ordering.looks[-1]))
    low, high = guess - width, guess + width
    for _ in range(_DOUBLINGS):
        too_high, too_low = excess(low) > 0, excess(high) < 0
        if not np.any(too_high | too_low):
            break
        width = 2 * width
        low, high = np.where(too_high, low - width, low), np.where(too_low, high + width, high)
    return bracketed_root(excess, low, high)


__all__ = ["StagewiseEstimate", "stagewise_estimate"]
