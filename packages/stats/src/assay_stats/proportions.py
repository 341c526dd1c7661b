"""Two proportions: the Miettinen-Nurminen score test and interval, and exact tests for small counts."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level
from assay_stats.moments import Moments
from assay_stats.results import Estimate
from assay_stats.roots import bracketed_root
from assay_stats.tails import Alternative, critical_value, tail
from assay_stats.undefined import Bools, Codes, Floats, Reason, blank, first_reason, merge_reasons

_NORMAL = as_floats(np.inf)
_INDISTINGUISHABLE = 1e-15
_ROUNDING = 1e-9
_NEWTON_STEPS = 3
_RARE = 1e-3


@dataclass(frozen=True, slots=True, init=False)
class Counts:
    """Successes among the units of an arm, of any shape.

    Attributes:
        successes: Units with the property.
        n: All units.
    """

    successes: Floats
    n: Floats

    def __init__(self, successes: ArrayLike, n: ArrayLike) -> None:
        object.__setattr__(self, "successes", as_floats(successes))
        object.__setattr__(self, "n", as_floats(n))

    @classmethod
    def from_moments(cls, moments: Moments) -> Self:
        """The counts behind the moments of zeros and ones.

        Raises:
            ValueError: The values were not zeros and ones: their variance is not that of a proportion.
        """
        successes = np.rint(moments.total)
        gap = np.abs(moments.m2 - successes * (1 - moments.mean))
        if np.any(gap > _ROUNDING * (1 + moments.n)):
            raise ValueError("these are not moments of zeros and ones; compare their means with welch")
        return cls(successes, moments.n)

    @property
    def share(self) -> Floats:
        """Successes per unit; NaN without units."""
        with np.errstate(all="ignore"):
            return self.successes / self.n

    @property
    def defects(self) -> Codes:
        """Why these counts cannot be used."""
        x, n = self.successes, self.n
        finite = np.isfinite(x + n)
        possible = (x >= 0) & (x <= n) & (x == np.rint(x)) & (n == np.rint(n))
        return first_reason(
            (~finite, Reason.NOT_FINITE), (~possible, Reason.IMPOSSIBLE_COUNT), (n == 0, Reason.EMPTY_ARM)
        )


@dataclass(frozen=True, slots=True)
class _Table:
    """Two arms of counts, broadcast to one shape."""

    x0: Floats
    n0: Floats
    x1: Floats
    n1: Floats

    @property
    def gap(self) -> Floats:
        return self.x1 / self.n1 - self.x0 / self.n0

    @property
    def units(self) -> Floats:
        return self.n0 + self.n1


def two_proportions(
    control: Counts,
    treatment: Counts,
    *,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of two proportions by the score method of Miettinen and Nurminen, test and interval dual.

    The variance is the one of the maximum likelihood proportions restricted to the difference in question,
    times N / (N - 1). It needs no correction at 0 or n successes, where the Wald interval collapses.
    `standard_error` and `statistic` are the ones under `null`; with no success at all, or only successes, the
    statistic is the limit 0 of (0 - D) / se(D).

    Args:
        control: Counts of any shape.
        treatment: Counts that broadcast against them.
        null: Difference under the null hypothesis, in (-1, 1).
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence; a one-sided interval ends at -1 or 1.
    Raises:
        ValueError: `level` outside (0, 1) or `null` outside (-1, 1).
    Source: Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226.
    """
    coverage, against = checked_level(level), _checked_difference(null)
    codes = merge_reasons(control.defects, treatment.defects)
    table = _Table(*np.broadcast_arrays(control.successes, control.n, treatment.successes, treatment.n))
    with np.errstate(all="ignore"):
        gap = table.gap
        standard_error = np.sqrt(_score_variance(table, against))
        distance = gap - against
        at_limit = (standard_error == 0) & (np.abs(distance) < _INDISTINGUISHABLE)
        statistic = np.where(at_limit, 0.0, distance / standard_error)[()]
        critical = critical_value(coverage, _NORMAL, alternative)
        one = np.ones_like(gap)
        lower = -one if alternative is Alternative.LESS else _score_end(table, critical, low=True)
        upper = one if alternative is Alternative.GREATER else _score_end(table, critical, low=False)
    return Estimate(
        value=blank(gap[()], codes),
        standard_error=blank(standard_error[()], codes),
        lower=blank(lower[()], codes),
        upper=blank(upper[()], codes),
        level=coverage,
        method="miettinen_nurminen",
        statistic=blank(statistic, codes),
        degrees_of_freedom=_NORMAL,
        p_value=blank(tail(statistic, _NORMAL, alternative), codes),
        null=against,
        alternative=alternative,
        reason_codes=codes,
    )


def _checked_difference(null: ArrayLike) -> Floats:
    value = as_floats(null)
    if not np.all(np.abs(value) < 1):
        raise ValueError(f"a difference of proportions lies in (-1, 1); got null={null!r}")
    return value


def _score_variance(table: _Table, gap: Floats) -> Floats:
    rare, gap = _by_rarer_outcome(table, gap)
    p0 = _restricted_share(rare, gap)
    p1 = np.clip(p0 + gap, 0.0, 1.0)
    variance = p1 * (1 - p1) / rare.n1 + p0 * (1 - p0) / rare.n0
    return variance * rare.units / (rare.units - 1)


def _by_rarer_outcome(table: _Table, gap: Floats) -> tuple[_Table, Floats]:
    """The same table with failures counted where they are rarer: shares near 0 have digits to spare."""
    flip = 2 * (table.x0 + table.x1) > table.units
    x0, x1 = np.where(flip, table.n0 - table.x0, table.x0), np.where(flip, table.n1 - table.x1, table.x1)
    return _Table(x0, table.n0, x1, table.n1), np.where(flip, -gap, gap)


def _restricted_share(table: _Table, gap: Floats) -> Floats:
    """Maximum likelihood share of the control arm when the shares differ by `gap`: root of a cubic."""
    units = table.units
    successes = table.x0 + table.x1
    square = ((table.n1 + 2 * table.n0) * gap - units - successes) / units
    linear = ((table.n0 * gap - units - 2 * table.x0) * gap + successes) / units
    constant = table.x0 / units * gap * (1 - gap)
    root = _middle_root(square, linear, constant)
    # A share that is small beside the trigonometric root's error of 1e-8 starts from the quadratic instead.
    start = np.where(root < _RARE, _larger_quadratic_root(square, linear, constant), root)
    root = _polished(start, square, linear, constant)
    return np.clip(root, np.maximum(0.0, -gap), np.minimum(1.0, 1 - gap))


def _middle_root(square: Floats, linear: Floats, constant: Floats) -> Floats:
    third = square / 3
    radius = np.sqrt(np.maximum(third * third - linear / 3, 0.0))
    offset = third**3 - third * linear / 2 + constant / 2
    signed = np.where(offset < 0, -radius, radius)
    cosine = np.where(radius > 0, np.clip(offset / signed**3, -1.0, 1.0), 1.0)
    return 2 * signed * np.cos((np.pi + np.arccos(cosine)) / 3) - third


def _larger_quadratic_root(square: Floats, linear: Floats, constant: Floats) -> Floats:
    """Root of the cubic without its cubic term; `square` is negative. The form without cancellation."""
    root = np.sqrt(np.maximum(linear * linear - 4 * square * constant, 0.0))
    below = np.where(root > linear, 2 * constant / (root - linear), 0.0)
    return np.where(linear > 0, -(linear + root) / (2 * square), below)


def _polished(root: Floats, square: Floats, linear: Floats, constant: Floats) -> Floats:
    """Newton steps: in large samples the trigonometric root has few digits, its cosine being near 1."""
    for _ in range(_NEWTON_STEPS):
        value = ((root + square) * root + linear) * root + constant
        step = value / ((3 * root + 2 * square) * root + linear)
        root = np.where(np.isfinite(step) & (np.abs(step) < 1), root - step, root)
    return root


def _score_end(table: _Table, critical: Floats, *, low: bool) -> Floats:
    """The difference at which the score statistic reaches the critical value, below or above the estimate."""
    side = 1.0 if low else -1.0

    def excess(gap: Floats) -> Floats:
        return side * (table.gap - gap) - critical * np.sqrt(_score_variance(table, gap))

    return bracketed_root(excess, np.full(table.gap.shape, -side), _beside(table, critical, side))


def _beside(table: _Table, critical: Floats, side: float) -> Floats:
    # Where the estimate has no variance it solves the equation itself; the end sought is about
    # critical² / units away, so start at a thousandth of that.
    flat: Bools = _score_variance(table, table.gap) == 0
    return table.gap - side * np.where(flat, 1e-3 * critical**2 / table.units, 0.0)
