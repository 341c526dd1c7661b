"""The variance that one unit contributes: what makes a power calculation for means one for everything."""

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.undefined import Floats


def adjusted_variance(variance: ArrayLike, *, correlation: ArrayLike) -> Floats:
    """Variance per unit after CUPED with covariates whose multiple correlation with the metric is given."""
    rho = as_floats(correlation)
    if not np.all(np.abs(rho) <= 1):
        raise ValueError(f"correlation must lie between -1 and 1; got {correlation!r}")
    return as_floats(variance) * (1 - rho**2)


def proportion_variance(proportion: ArrayLike) -> Floats:
    """Variance per unit of a 0/1 metric."""
    p = as_floats(proportion)
    return p * (1 - p)


def ratio_variance(
    mean_numerator: ArrayLike,
    mean_denominator: ArrayLike,
    *,
    variance_numerator: ArrayLike,
    variance_denominator: ArrayLike,
    covariance: ArrayLike,
) -> Floats:
    """Variance per unit of a ratio of sums, by the delta method (Deng, Knoblich and Lu 2018)."""
    y, x = as_floats(mean_numerator), as_floats(mean_denominator)
    ratio = y / x
    spread = as_floats(variance_numerator) - 2 * ratio * as_floats(covariance)
    return (spread + ratio**2 * as_floats(variance_denominator)) / x**2


def quantile_variance(probability: ArrayLike, *, density: ArrayLike) -> Floats:
    """Variance per unit of a sample quantile, from the density of the metric there."""
    p = checked_level(probability, name="probability")
    return p * (1 - p) / checked_positive(density, name="density") ** 2


def rate_variance(rate: ArrayLike, *, dispersion: ArrayLike = 1.0) -> Floats:
    """Variance per unit of exposure of a count of events; dispersion 1 is Poisson."""
    return as_floats(rate) * as_floats(dispersion)


def cluster_variance(
    variance: ArrayLike, *, size: ArrayLike, correlation: ArrayLike, size_cv: ArrayLike = 0.0
) -> Floats:
    """Variance of a cluster's mean, to be used with clusters as the units: n counts clusters.

    Args:
        variance: Per unit.
        size: Mean units per cluster.
        correlation: Between two units of one cluster.
        size_cv: Coefficient of variation of the cluster sizes.
    Source: Eldridge, Ashby and Kerry (2006), International Journal of Epidemiology 35:1292-1300.
    """
    m, icc, cv = as_floats(size), as_floats(correlation), as_floats(size_cv)
    return as_floats(variance) * (1 + ((1 + cv**2) * m - 1) * icc) / m


__all__ = [
    "adjusted_variance",
    "cluster_variance",
    "proportion_variance",
    "quantile_variance",
    "rate_variance",
    "ratio_variance",
]
