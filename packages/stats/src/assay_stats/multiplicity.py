"""Many hypotheses at once: adjusted p-values, and Dunnett's comparisons of many arms with one control.

An adjusted p-value is compared with the family's level. Hypotheses run along the last axis; NaN marks one
that could not be tested, counts for nothing and stays NaN.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import scipy
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level
from assay_stats.moments import Moments
from assay_stats.results import Estimate
from assay_stats.roots import bracketed_root
from assay_stats.tails import Alternative, critical_value, ends
from assay_stats.undefined import Floats, Reason, blank, first_reason, merge_reasons

_NORMAL_NODES = 96
_SCALE_NODES = 64
_FURTHEST_NORMAL = 9.0
_LARGE_SAMPLE = 1e5


def bonferroni(p_values: ArrayLike) -> Floats:
    """Family-wise error under any dependence: p times the number of tests.

    Args:
        p_values: `(..., m)`.
    Returns:
        Adjusted p-values, `(..., m)`, at most 1; NaN where the input is NaN.
    Raises:
        ValueError: A p-value lies outside [0, 1].
    Source: Dunn (1961), JASA 56:52-64. Checked against R 4.2.2 `p.adjust`.
    """
    p = _checked(p_values)
    return np.minimum(p * _tested(p), 1.0)


def holm(p_values: ArrayLike) -> Floats:
    """Family-wise error under any dependence, uniformly more powerful than Bonferroni.

    Args:
        p_values: `(..., m)`.
    Returns:
        Adjusted p-values, `(..., m)`, at most 1; NaN where the input is NaN.
    Raises:
        ValueError: A p-value lies outside [0, 1].
    Source: Holm (1979), Scandinavian Journal of Statistics 6:65-70. Checked against statsmodels 0.15.
    """
    ladder = _Ladder.of(p_values)
    return ladder.restored(np.maximum.accumulate(ladder.p * (ladder.tested - ladder.rank + 1), axis=-1))


def hochberg(p_values: ArrayLike) -> Floats:
    """Family-wise error for independent or positively dependent tests.

    Args:
        p_values: `(..., m)`.
    Returns:
        Adjusted p-values, `(..., m)`, at most 1; NaN where the input is NaN.
    Raises:
        ValueError: A p-value lies outside [0, 1].
    Source: Hochberg (1988), Biometrika 75:800-802. Checked against statsmodels 0.15.
    """
    ladder = _Ladder.of(p_values)
    return ladder.restored(_least_from_above(ladder.p * (ladder.tested - ladder.rank + 1)))


def hommel(p_values: ArrayLike) -> Floats:
    """Family-wise error for independent or positively dependent tests, a little more powerful than Hochberg.

    Args:
        p_values: `(..., m)`.
    Returns:
        Adjusted p-values, `(..., m)`, at most 1; NaN where the input is NaN.
    Raises:
        ValueError: A p-value lies outside [0, 1].
    Source: Hommel (1988), Biometrika 75:383-386; algorithm of Wright (1992), Biometrics 48:1005-1013. Checked
        against statsmodels 0.15.
    """
    p = _checked(p_values)
    adjusted = np.full(p.shape, np.nan)
    for index in np.ndindex(p.shape[:-1]):
        present = ~np.isnan(p[index])
        adjusted[index][present] = _hommel_row(p[index][present])
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """False discovery rate for independent or positively dependent tests.

    Args:
        p_values: `(..., m)`.
    Returns:
        Adjusted p-values, `(..., m)`, at most 1; NaN where the input is NaN.
    Raises:
        ValueError: A p-value lies outside [0, 1].
    Source: Benjamini & Hochberg (1995), JRSS B 57:289-300. Checked against
        `scipy.stats.false_discovery_control`.
    """
    ladder = _Ladder.of(p_values)
    return ladder.restored(_least_from_above(ladder.p * ladder.tested / ladder.rank))


def benjamini_yekutieli(p_values: ArrayLike) -> Floats:
    """False discovery rate under any dependence.

    Args:
        p_values: `(..., m)`.
    Returns:
        Adjusted p-values, `(..., m)`, at most 1; NaN where the input is NaN.
    Raises:
        ValueError: A p-value lies outside [0, 1].
    Source: Benjamini & Yekutieli (2001), Annals of Statistics 29:1165-1188. Checked against
        `scipy.stats.false_discovery_control(method="by")`.
    """
    ladder = _Ladder.of(p_values)
    harmonic = scipy.special.digamma(ladder.tested + 1) + np.euler_gamma
    return ladder.restored(_least_from_above(ladder.p * ladder.tested * harmonic / ladder.rank))


@dataclass(frozen=True, slots=True)
class _Ladder:
    """P-values sorted along the last axis, missing ones last, with what it takes to undo the sorting."""

    p: Floats
    rank: Floats
    tested: Floats
    order: np.ndarray[tuple[int, ...], np.dtype[np.intp]]

    @classmethod
    def of(cls, p_values: ArrayLike) -> "_Ladder":
        p = _checked(p_values)
        order = np.argsort(p, axis=-1)
        rank = np.arange(1.0, p.shape[-1] + 1)
        return cls(np.take_along_axis(p, order, axis=-1), rank, _tested(p), order)

    def restored(self, adjusted: Floats) -> Floats:
        placed = np.empty_like(adjusted)
        np.put_along_axis(placed, self.order, np.minimum(adjusted, 1.0), axis=-1)
        return placed


def _checked(p_values: ArrayLike) -> Floats:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim == 0:
        raise ValueError("give the p-values of the whole family, shape (..., m); got a single number")
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"p-values lie in [0, 1]; got {p[(p < 0) | (p > 1)][0]}")
    return p


def _tested(p: Floats) -> Floats:
    return (~np.isnan(p)).sum(axis=-1, keepdims=True).astype(np.float64)


def _least_from_above(steps: Floats) -> Floats:
    filled = np.where(np.isnan(steps), np.inf, steps)
    least = np.minimum.accumulate(filled[..., ::-1], axis=-1)[..., ::-1]
    return np.where(np.isnan(steps), np.nan, least)


def _hommel_row(p: Floats) -> Floats:
    m = len(p)
    order = np.argsort(p)
    ordered = p[order]
    adjusted = ordered.copy()
    for size in range(m, 1, -1):
        upper = np.arange(m - size + 1, m)
        least = np.min(size * ordered[upper] / (size - m + upper + 1))
        lower = np.arange(m - size + 1)
        adjusted[upper] = np.maximum(adjusted[upper], least)
        adjusted[lower] = np.maximum(adjusted[lower], np.minimum(least, size * ordered[lower]))
    restored = np.empty_like(adjusted)
    restored[order] = adjusted
    return restored


def dunnett(
    control: Moments,
    treatments: Moments,
    *,
    level: float = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Each of several arms against one control, with simultaneous intervals and p-values dual to them.

    Assumes equal variances, which it pools; without that assumption use `welch` and `holm`.

    Args:
        control: Moments of one arm.
        treatments: `(k,)` moments of the others.
        level: Coverage of all intervals together, in (0, 1).
        alternative: The side that counts as evidence.
    Returns:
        One entry per treatment; `p_value` is adjusted for the k comparisons.
    Raises:
        ValueError: `treatments` is not one-dimensional, or `level` outside (0, 1).
    Source: Dunnett (1955), JASA 50:1096-1121, by quadrature. Checked against `multivariate_t` and `dunnett`
        of scipy 1.17.1.
    """
    if len(treatments.shape) != 1:
        raise ValueError(f"treatments must have shape (k,); got {treatments.shape}")
    coverage = checked_level(level)
    codes = merge_reasons(treatments.defects, np.broadcast_to(control.defects, treatments.shape))
    with np.errstate(all="ignore"):
        freedom = as_floats(control.n - 1 + (treatments.n - 1).sum())
        pooled = (control.m2 + treatments.m2.sum()) / freedom
        error = np.sqrt(pooled * (1 / control.n + 1 / treatments.n))
        codes = merge_reasons(codes, first_reason((error == 0, Reason.ZERO_VARIANCE)))
        value = treatments.mean - control.mean
        statistic = blank(value / error, codes)
        loading = np.sqrt(treatments.n / (treatments.n + control.n))
    family = _Family(loading=tuple(loading.tolist()), freedom=float(freedom), alternative=alternative)
    usable = bool((codes == 0).all())
    if usable:
        p_value = np.array([family.tail(float(one)) for one in family.evidence(statistic)])
        half_width = _critical_value(family, float(coverage)) * error
    else:
        p_value, half_width = np.full(treatments.shape, np.nan), np.full(treatments.shape, np.nan)
    lower, upper = ends(value, half_width, alternative)
    return Estimate(
        value=value,
        standard_error=blank(error, codes),
        lower=lower,
        upper=upper,
        level=coverage,
        method="dunnett",
        statistic=statistic,
        degrees_of_freedom=freedom,
        p_value=p_value,
        null=as_floats(0.0),
        alternative=alternative,
        reason_codes=codes,
    )


@dataclass(frozen=True, slots=True)
class _Family:
    """The joint distribution of k comparisons that share a control: one factor, one scale."""

    loading: tuple[float, ...]
    freedom: float
    alternative: Alternative

    def evidence(self, statistic: Floats) -> Floats:
        match self.alternative:
            case Alternative.TWO_SIDED:
                return np.abs(statistic)
            case Alternative.GREATER:
                return statistic
            case Alternative.LESS:
                return -statistic

    def tail(self, limit: float) -> float:
        """Probability that any comparison exceeds `limit`, summed as a tail to keep its digits."""
        scale, weight = _scales(self.freedom)
        return min(1.0, float((weight * self._normal_tails(limit * scale)).sum()))

    def _normal_tails(self, limits: Floats) -> Floats:
        """The same for comparisons of known variance, `(n_limits,)`."""
        far = np.abs(limits)[:, None]
        reach = _FURTHEST_NORMAL + far
        fixed = np.broadcast_to([-4.0, 0.0, 4.0], (limits.size, 3))
        edges = np.sort(np.concatenate([-reach, -far, fixed, far, reach], axis=1), axis=1)
        points, parts = _legendre(_NORMAL_NODES)
        half = np.diff(edges, axis=1) / 2
        shared = edges[:, :-1, None] + half[..., None] * (points + 1)
        density = np.exp(-(shared**2) / 2) / np.sqrt(2 * np.pi)
        exceed = self._any_exceeds(shared[..., None], limits[:, None, None, None])
        return ((density * exceed * parts).sum(axis=-1) * half).sum(axis=-1)

    def _any_exceeds(self, shared: Floats, limits: Floats) -> Floats:
        loading = np.array(self.loading)
        rest, centre = np.sqrt(1 - loading**2), loading * shared
        beyond = scipy.special.ndtr((centre - limits) / rest)
        if self.alternative is Alternative.TWO_SIDED:
            beyond = beyond + scipy.special.ndtr(-(limits + centre) / rest)
        with np.errstate(divide="ignore"):
            return -np.expm1(np.log1p(-np.minimum(beyond, 1.0)).sum(axis=-1))


@lru_cache(maxsize=256)
def _critical_value(family: _Family, level: float) -> float:
    """Standard errors between an estimate and an end of its simultaneous interval."""

    def excess(limit: Floats) -> Floats:
        return np.array([family.tail(float(one)) - (1 - level) for one in np.atleast_1d(limit)])

    freedom, side = as_floats(family.freedom), family.alternative
    alone = float(critical_value(as_floats(level), freedom, side))
    bound = float(critical_value(as_floats(1 - (1 - level) / len(family.loading)), freedom, side))
    return float(bracketed_root(excess, np.array([min(alone, bound) - 1e-6]), np.array([bound + 1e-6]))[0])


@lru_cache(maxsize=256)
def _scales(freedom: float) -> tuple[Floats, Floats]:
    """Nodes and weights of the pooled standard deviation over the true one."""
    if freedom > _LARGE_SAMPLE:
        return np.ones(1), np.ones(1)
    half = freedom / 2
    points, parts = _legendre(_SCALE_NODES)
    # Uniform nodes in probability would starve the tail; the density over a wide range does not.
    widest = 10 / np.sqrt(2 * freedom)
    low, high = max(1e-12, 1 - widest), 1 + widest + 4 / freedom
    nodes = low + (high - low) * (points + 1) / 2
    logs = (freedom - 1) * np.log(nodes) - half * nodes**2 + half * np.log(half) - scipy.special.gammaln(half)
    weights = 2 * np.exp(logs) * parts / 2 * (high - low)
    return nodes, weights / weights.sum()


@cache
def _legendre(n: int) -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(n)
