"""Two Poisson rates: events per unit of exposure (time at risk, sessions, users)."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level
from assay_stats.frequentist import Lift
from assay_stats.results import Estimate
from assay_stats.roots import bracketed_root
from assay_stats.tails import Alternative, critical_value, tail
from assay_stats.undefined import Bools, Codes, Floats, Reason, blank, first_reason, merge_reasons

_NORMAL = as_floats(np.inf)


@dataclass(frozen=True, slots=True, init=False)
class EventCounts:
    """Events and the exposure in which they fell, of any shape.

    Attributes:
        events: Whole numbers.
        exposure: In any unit common to both arms; positive.
    """

    events: Floats
    exposure: Floats

    def __init__(self, events: ArrayLike, exposure: ArrayLike) -> None:
        object.__setattr__(self, "events", as_floats(events))
        object.__setattr__(self, "exposure", as_floats(exposure))

    @property
    def defects(self) -> Codes:
        """Why these counts cannot be used."""
        x, exposure = self.events, self.exposure
        possible = (x >= 0) & (x == np.rint(x)) & (exposure >= 0)
        return first_reason(
            (~np.isfinite(x + exposure), Reason.NOT_FINITE),
            (~possible, Reason.IMPOSSIBLE_COUNT),
            (exposure == 0, Reason.EMPTY_ARM),
        )


@dataclass(frozen=True, slots=True)
class _Pair:
    x0: Floats
    t0: Floats
    x1: Floats
    t1: Floats

    @property
    def gap(self) -> Floats:
        return self.x1 / self.t1 - self.x0 / self.t0


def poisson_difference(
    control: EventCounts,
    treatment: EventCounts,
    *,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of two Poisson rates by the score method, test and interval dual.

    The variance is the one of the maximum likelihood rates restricted to the difference in question.
    `standard_error` and `statistic` are those under `null`; without any event the statistic is its limit 0.
    Counts that scatter more than Poisson (several per user) need `welch` or `ratio_difference`.

    Args:
        control: Counts of any shape.
        treatment: Counts that broadcast against them.
        null: Difference under the null hypothesis, in events per exposure.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226, section 3. Checked against
        statsmodels 0.15 `test_poisson_2indep(compare="diff", method="score")`.
    """
    coverage, against = checked_level(level), as_floats(null)
    codes = merge_reasons(control.defects, treatment.defects)
    pair = _Pair(*np.broadcast_arrays(control.events, control.exposure, treatment.events, treatment.exposure))
    with np.errstate(all="ignore"):
        gap = pair.gap
        standard_error = np.sqrt(_score_variance(pair, against))
        distance = gap - against
        statistic = np.where((standard_error == 0) & (distance == 0), 0.0, distance / standard_error)[()]
        critical = critical_value(coverage, _NORMAL, alternative)
        infinite = np.full_like(gap, np.inf)
        lower = -infinite if alternative is Alternative.LESS else _score_end(pair, critical, side=1.0)
        upper = infinite if alternative is Alternative.GREATER else _score_end(pair, critical, side=-1.0)
    return Estimate(
        value=blank(gap[()], codes),
        standard_error=blank(standard_error[()], codes),
        lower=blank(lower[()], codes),
        upper=blank(upper[()], codes),
        level=coverage,
        method="poisson_score",
        statistic=blank(statistic, codes),
        degrees_of_freedom=_NORMAL,
        p_value=blank(tail(statistic, _NORMAL, alternative), codes),
        null=against,
        alternative=alternative,
        reason_codes=codes,
    )


def poisson_lift(
    control: EventCounts,
    treatment: EventCounts,
    *,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Lift:
    """Relative change of a Poisson rate with the exact conditional interval of the rate ratio.

    Given all events, those of the treatment are binomial; the Clopper-Pearson limits of their share become
    limits of the ratio. Coverage is at least `level`.

    Args:
        control: Counts of any shape.
        treatment: Counts that broadcast against them.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that the interval is open to; a one-sided interval ends at -1 or inf.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Przyborowski & Wilenski (1940), Biometrika 31:313-323. Checked against R `poisson.test`.
    """
    coverage = checked_level(level)
    pair = _Pair(*np.broadcast_arrays(control.events, control.exposure, treatment.events, treatment.exposure))
    outside = (1 - coverage) / 2 if alternative is Alternative.TWO_SIDED else 1 - coverage
    codes = merge_reasons(
        control.defects,
        treatment.defects,
        first_reason((pair.x0 + pair.x1 == 0, Reason.NO_EVENTS), (pair.x0 == 0, Reason.ZERO_BASELINE)),
    )
    with np.errstate(all="ignore"):
        exposures = pair.t0 / pair.t1
        ratio = pair.x1 / pair.x0 * exposures
        low = _odds_at(outside, pair.x1, pair.x0 + 1) * exposures - 1
        low = np.where((pair.x1 == 0) | (alternative is Alternative.LESS), -1.0, low)
        high = exposures / _odds_at(outside, pair.x0, pair.x1 + 1) - 1
        high = np.where(alternative is Alternative.GREATER, np.inf, high)
        error = np.sqrt(ratio * (exposures + ratio) / pair.x0)
    return Lift(
        value=blank((ratio - 1)[()], codes),
        standard_error=blank(error[()], codes),
        lower=blank(low[()], codes),
        upper=blank(high[()], codes),
        level=coverage,
        method="exact_conditional",
        baseline_cv=blank((1 / np.sqrt(np.maximum(pair.x0, 1.0)))[()], codes),
        reason_codes=codes,
    )


def _odds_at(probability: Floats, a: Floats, b: Floats) -> Floats:
    """Quantile of a beta distribution as odds."""
    share: Floats = np.asarray(scipy.special.betaincinv(a, b, probability), dtype=np.float64)
    return share / (1 - share)


def _score_variance(pair: _Pair, gap: Floats) -> Floats:
    exposure = pair.t0 + pair.t1
    linear = exposure * gap - pair.x0 - pair.x1
    root = np.sqrt(np.maximum(linear * linear + 4 * exposure * pair.x0 * gap, 0.0))
    # Of the two forms of the positive root, the one without cancellation.
    rate = np.where(linear > 0, 2 * pair.x0 * gap / (linear + root), (root - linear) / (2 * exposure))
    rate = np.maximum(rate, np.maximum(0.0, -gap))
    return rate / pair.t0 + (rate + gap) / pair.t1


def _score_end(pair: _Pair, critical: Floats, *, side: float) -> Floats:
    """The difference at which the score statistic reaches the critical value."""
    per_event = critical**2 * (1 / pair.t0 + 1 / pair.t1)
    rates = pair.x0 / pair.t0 + pair.x1 / pair.t1
    reach = per_event + np.sqrt(per_event * per_event + 4 * per_event * rates)
    flat: Bools = pair.x0 + pair.x1 == 0

    def excess(gap: Floats) -> Floats:
        return side * (pair.gap - gap) - critical * np.sqrt(_score_variance(pair, gap))

    # Without events the estimate itself solves the equation; start just beside it.
    near = pair.gap - side * np.where(flat, 1e-3 * per_event, 0.0)
    return bracketed_root(excess, pair.gap - side * reach, near)
