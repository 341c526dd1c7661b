"""The variance that one unit contributes: what makes a power calculation for means one for everything."""

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.undefined import Floats


def adjusted_variance(variance: ArrayLike, *, correlation: ArrayLike) -> Floats:
    """Variance per unit after CUPED with covariates whose multiple correlation with the metric is given.

    Args:
        variance: Per unit, any shape, in squared units of the metric.
        correlation: Multiple correlation of the metric with its covariates, in [-1, 1].
    Returns:
        Variance per unit after adjustment, same unit.
    Raises:
        ValueError: A correlation lies beyond ±1.
    Source: Deng, Xu, Kohavi and Walker (2013), WSDM, 123-132.
    """
    rho = as_floats(correlation)
    if not np.all(np.abs(rho) <= 1):
        raise ValueError(f"correlation must lie between -1 and 1; got {correlation!r}")
    return as_floats(variance) * (1 - rho**2)


def proportion_variance(proportion: ArrayLike) -> Floats:
    """Variance per unit of a 0/1 metric.

    Args:
        proportion: Any shape, in [0, 1].
    Returns:
        Variance per unit, at most 1/4.
    Source: The Bernoulli distribution.
    """
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
    """Variance per unit of a ratio of sums, by the delta method (Deng, Knoblich and Lu 2018).

    Args:
        mean_numerator: Per unit, any shape.
        mean_denominator: Per unit, not 0.
        variance_numerator: Per unit.
        variance_denominator: Per unit.
        covariance: Of numerator and denominator within a unit.
    Returns:
        Variance per unit, in squared units of the ratio.
    Source: Deng, Knoblich and Lu (2018), KDD, 233-242, section 3.1.
    """
    y, x = as_floats(mean_numerator), as_floats(mean_denominator)
    ratio = y / x
    spread = as_floats(variance_numerator) - 2 * ratio * as_floats(covariance)
    return (spread + ratio**2 * as_floats(variance_denominator)) / x**2


def quantile_variance(probability: ArrayLike, *, density: ArrayLike) -> Floats:
    """Variance per unit of a sample quantile, from the density of the metric there.

    Args:
        probability: The quantile, in (0, 1), any shape.
        density: Of the metric at that quantile, positive, per unit of the metric.
    Returns:
        Variance per unit, in squared units of the metric.
    Raises:
        ValueError: `probability` lies outside (0, 1), or `density` is not positive.
    Source: Bahadur (1966), Annals of Mathematical Statistics 37:577-580.
    """
    p = checked_level(probability, name="probability")
    return p * (1 - p) / checked_positive(density, name="density") ** 2


def rate_variance(rate: ArrayLike, *, dispersion: ArrayLike = 1.0) -> Floats:
    """Variance per unit of exposure of a count of events; dispersion 1 is Poisson.

    Args:
        rate: Events per unit of exposure, any shape.
        dispersion: Variance over mean of the counts; 1 is Poisson.
    Returns:
        Variance per unit of exposure, in squared events.
    Source: McCullagh and Nelder (1989), Generalized Linear Models, chapter 6.
    """
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
    Returns:
        Variance of a cluster's mean, in squared units of the metric.
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
