"""Tail probabilities and quantiles of the t and normal distributions, without cancellation.

A p-value is always the survival function of the statistic: `1 - cdf` is 0 from |t| = 8.3 on.
"""

from enum import StrEnum
from typing import assert_never

import numpy as np
import scipy

from assay_stats.undefined import Floats

_LOG_2 = float(np.log(2.0))
_FRACTION_STEPS = 60
NEARLY_UNDERFLOWN = 1e-290
"""Below this a probability is better kept as its logarithm."""


class Alternative(StrEnum):
    """The side of the null value that counts as evidence."""

    TWO_SIDED = "two-sided"
    GREATER = "greater"
    LESS = "less"

    @property
    def mirrored(self) -> "Alternative":
        """The same claim about the negated quantity."""
        return _MIRRORED[self]


_MIRRORED = {
    Alternative.TWO_SIDED: Alternative.TWO_SIDED,
    Alternative.GREATER: Alternative.LESS,
    Alternative.LESS: Alternative.GREATER,
}


def tail(statistic: Floats, degrees_of_freedom: Floats, alternative: Alternative) -> Floats:
    """The p-value of a statistic that is t distributed under the null; df = inf is the normal."""
    match alternative:
        case Alternative.TWO_SIDED:
            return 2 * scipy.special.stdtr(degrees_of_freedom, -np.abs(statistic))
        case Alternative.GREATER:
            return scipy.special.stdtr(degrees_of_freedom, -statistic)
        case Alternative.LESS:
            return scipy.special.stdtr(degrees_of_freedom, statistic)
        case _:
            assert_never(alternative)


def critical_value(level: Floats, degrees_of_freedom: Floats, alternative: Alternative) -> Floats:
    """Half an interval's width in standard errors: the t quantile at (1 + level) / 2, or level one-sided."""
    alpha = 1 - level
    outside = alpha / 2 if alternative is Alternative.TWO_SIDED else alpha
    return -scipy.special.stdtrit(degrees_of_freedom, outside)


def ends(
    value: Floats,
    half_width: Floats,
    alternative: Alternative,
    *,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Floats, Floats]:
    """Lower and upper end of the interval dual to the test of `alternative`."""
    unbounded = half_width * 0
    lower = limits[0] + unbounded if alternative is Alternative.LESS else value - half_width
    upper = limits[1] + unbounded if alternative is Alternative.GREATER else value + half_width
    return lower, upper


def log_tail(statistic: Floats, degrees_of_freedom: Floats, alternative: Alternative) -> Floats:
    """Natural logarithm of `tail`, finite where the p-value underflows."""
    match alternative:
        case Alternative.TWO_SIDED:
            return _LOG_2 + _log_lower_tail(-np.abs(statistic), degrees_of_freedom)
        case Alternative.GREATER:
            return _log_lower_tail(-statistic, degrees_of_freedom)
        case Alternative.LESS:
            return _log_lower_tail(statistic, degrees_of_freedom)
        case _:
            assert_never(alternative)


def _log_lower_tail(statistic: Floats, degrees_of_freedom: Floats) -> Floats:
    with np.errstate(all="ignore"):
        plain = scipy.special.stdtr(degrees_of_freedom, statistic)
        deep = np.where(
            np.isinf(degrees_of_freedom),
            scipy.special.log_ndtr(statistic),
            _log_deep_t_tail(statistic, degrees_of_freedom),
        )
        return np.where(plain > NEARLY_UNDERFLOWN, np.log(plain), deep)[()]


def _log_deep_t_tail(statistic: Floats, degrees_of_freedom: Floats) -> Floats:
    """Log of I_x(df/2, 1/2) / 2 by the continued fraction of DLMF 8.17.22, fast in the tail."""
    a, b = degrees_of_freedom / 2, 0.5
    odds = statistic * statistic / degrees_of_freedom
    x = 1 / (1 + odds)
    front = -a * np.log1p(odds) + b * np.log(odds * x) - np.log(a) - scipy.special.betaln(a, b)
    return front - np.log(_incomplete_beta_fraction(a, b, x)) - _LOG_2


def _incomplete_beta_fraction(a: Floats, b: float, x: Floats) -> Floats:
    fraction = np.ones_like(a + x)
    for m in range(_FRACTION_STEPS, 0, -1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1))
        fraction = 1 + odd / (1 + even / fraction)
    return fraction
