"""Quantiles of a metric and their difference, also when users contribute many values each."""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from assay_stats.checks import as_floats, checked_level, complete_values
from assay_stats.estimands import ArmMean
from assay_stats.frequentist import difference
from assay_stats.results import Estimate, Interval
from assay_stats.tails import Alternative
from assay_stats.undefined import Codes, Floats, Reason, blank, first_reason

_NORMAL_95 = 1.959963984540054
_RANKS_EITHER_SIDE = 8.0


def quantile(values: ArrayLike, q: float, *, level: float = 0.95) -> Interval:
    """A quantile of one sample with its exact, distribution-free interval from order statistics.

    Args:
        values: `(n_units,)` independent values.
        q: Share of units below, in (0, 1).
        level: Coverage, at least, in (0, 1).
    Returns:
        The type 7 quantile; undefined ends where too few units lie beyond it for that level.
    Raises:
        ValueError: A value is missing, `q` or `level` outside (0, 1).
    Source: David & Nagaraja (2003), Order Statistics, section 7.1.
    """
    ordered, share = np.sort(complete_values(values, name="values")), _checked_share(q)
    coverage = checked_level(level)
    low, high = _exact_ranks(len(ordered), share, float(coverage))
    codes = first_reason(
        (len(ordered) == 0, Reason.EMPTY_ARM), (low < 1 or high > len(ordered), Reason.QUANTILE_OUT_OF_REACH)
    )
    ends = (ordered[low - 1], ordered[high - 1]) if codes == 0 else (np.nan, np.nan)
    nothing = as_floats(np.nan)
    return Interval(
        value=as_floats(np.quantile(ordered, share)) if len(ordered) else nothing,
        standard_error=blank(np.sqrt(_outer_error(ordered, share)), codes) if codes == 0 else nothing,
        lower=as_floats(ends[0]),
        upper=as_floats(ends[1]),
        level=coverage,
        method="order_statistics",
        reason_codes=codes,
    )


def quantile_of(values: ArrayLike, q: float, *, clusters: ArrayLike | None = None) -> ArmMean:
    """A quantile of one arm as an estimate that differences and lifts accept.

    The standard error is that of the outer interval: order statistics at q +- z sqrt(q (1 - q) / n), over
    2 z. When users contribute several values it is inflated by the square root of the variance of the share
    below the quantile with users as units over the variance without.

    Args:
        values: `(n_values,)`.
        q: Share of values below, in (0, 1).
        clusters: `(n_values,)` identity of the user of each value; None when each value is a user.
    Raises:
        ValueError: A value is missing, `q` outside (0, 1), or `clusters` of another length.
    Source: Deng, Knoblich & Lu (2018), KDD, section 4.2; Liu, Sun, Varshney & Xu (2019), "Large-Scale Online
        Experimentation with Quantile Metrics", arXiv:1903.08762.
    """
    units, share = complete_values(values, name="values"), _checked_share(q)
    ordered = np.sort(units)
    codes = _reach(len(ordered), share)
    if codes != 0:
        undefined = as_floats(np.nan)
        value = as_floats(np.quantile(ordered, share)) if len(ordered) else undefined
        return ArmMean(value, undefined, undefined, undefined, codes)
    value = as_floats(np.quantile(ordered, share))
    error, freedom = _outer_error(ordered, share), as_floats(np.inf)
    if clusters is not None:
        inflation, freedom, codes = _cluster_inflation(
            units <= value, _checked_clusters(clusters, len(units))
        )
        error = error * inflation
    return ArmMean(value, error, error, freedom, codes)


def quantile_difference(
    control: ArrayLike,
    treatment: ArrayLike,
    q: float,
    *,
    control_clusters: ArrayLike | None = None,
    treatment_clusters: ArrayLike | None = None,
    null: float = 0.0,
    level: float = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of a quantile between two arms.

    Args:
        control: `(n_control,)` values.
        treatment: `(n_treatment,)` values.
        q: Share of values below, in (0, 1).
        control_clusters: User of each control value when users contribute several.
        treatment_clusters: User of each treatment value.
        null: Difference under the null hypothesis.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Raises:
        ValueError: as `quantile_of`, and `level` outside (0, 1).
    Source: as `quantile_of`.
    """
    return difference(
        quantile_of(control, q, clusters=control_clusters),
        quantile_of(treatment, q, clusters=treatment_clusters),
        null=null,
        level=level,
        alternative=alternative,
        method="quantile_outer",
    )


def _checked_share(q: float) -> float:
    return float(checked_level(q, name="q"))


def _checked_clusters(clusters: ArrayLike, n: int) -> NDArray[np.intp]:
    owners = np.asarray(clusters)
    if owners.shape != (n,):
        raise ValueError(f"clusters must name the user of each of the {n} values; got shape {owners.shape}")
    return np.unique(owners, return_inverse=True)[1]


def _exact_ranks(n: int, q: float, level: float) -> tuple[int, int]:
    """The ranks l and u, from 1, for which P(l <= Binomial(n, q) < u) is at least `level`, equal tails."""
    reach = _RANKS_EITHER_SIDE * np.sqrt(n * q * (1 - q)) + _RANKS_EITHER_SIDE
    below = np.arange(max(0, int(n * q - reach)), min(n, int(n * q + reach)) + 1, dtype=np.float64)
    outside = (1 - level) / 2
    at_most = scipy.special.bdtr(below, n, q)
    more = scipy.special.bdtrc(below, n, q)
    low = int(np.sum(at_most <= outside)) + int(below[0])
    high = int(below[0]) + int(np.sum(more > outside)) + 1
    return low, high


def _outer_ranks(n: int, q: float) -> tuple[int, int]:
    reach = _NORMAL_95 * np.sqrt(q * (1 - q) / n)
    return int(np.floor(n * (q - reach))), int(np.ceil(n * (q + reach)))


def _reach(n: int, q: float) -> Codes:
    if n == 0:
        return first_reason((True, Reason.EMPTY_ARM))
    low, high = _outer_ranks(n, q)
    return first_reason((low < 1 or high > n, Reason.QUANTILE_OUT_OF_REACH))


def _outer_error(ordered: Floats, q: float) -> Floats:
    low, high = _outer_ranks(len(ordered), q)
    within = ordered[min(high, len(ordered)) - 1] - ordered[max(low, 1) - 1]
    return as_floats((within / (2 * _NORMAL_95)) ** 2)


def _cluster_inflation(below: NDArray[np.bool_], owner: NDArray[np.intp]) -> tuple[Floats, Floats, Codes]:
    """Variance of the share below the quantile with users as units, over the one with values as units."""
    sizes = np.bincount(owner).astype(np.float64)
    users = float(len(sizes))
    if users < 2:  # noqa: PLR2004 — a variance needs two
        nothing = as_floats(np.nan)
        return nothing, nothing, first_reason((True, Reason.TOO_FEW_CLUSTERS))
    residuals = np.bincount(owner, weights=below) - below.mean() * sizes
    by_user = (residuals**2).sum() * users / (users - 1)
    by_value = below.mean() * (1 - below.mean()) * len(below)
    return as_floats(by_user / by_value), as_floats(users - 1), first_reason()
