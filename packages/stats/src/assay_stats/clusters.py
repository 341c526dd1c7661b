"""Arms made of whole clusters (cities, classes, households), and few of them: CR2 errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats
from assay_stats.estimands import ArmMean
from assay_stats.frequentist import t_inference
from assay_stats.results import Estimate
from assay_stats.tails import Alternative
from assay_stats.undefined import Codes, Floats, Reason, first_reason, merge_reasons


@dataclass(frozen=True, slots=True, init=False)
class ClusterTotals:
    """The clusters of one arm.

    Attributes:
        sizes: `(..., n_clusters)` units per cluster; positive.
        totals: `(..., n_clusters)` sum of the metric per cluster.
    """

    sizes: Floats
    totals: Floats

    def __init__(self, sizes: ArrayLike, totals: ArrayLike) -> None:
        object.__setattr__(self, "sizes", np.asarray(sizes, dtype=np.float64))
        object.__setattr__(self, "totals", np.asarray(totals, dtype=np.float64))
        if self.sizes.ndim == 0 or self.sizes.shape[-1:] != self.totals.shape[-1:]:
            raise ValueError(
                f"sizes and totals list the same clusters; got {self.sizes.shape} and {self.totals.shape}"
            )

    @property
    def defects(self) -> Codes:
        """Why these clusters cannot carry a standard error."""
        finite = np.isfinite(self.sizes).all(axis=-1) & np.isfinite(self.totals).all(axis=-1)
        return first_reason(
            (~finite, Reason.NOT_FINITE),
            ((self.sizes <= 0).any(axis=-1), Reason.IMPOSSIBLE_COUNT),
            (np.broadcast_to(self.sizes.shape[-1] < 2, finite.shape), Reason.TOO_FEW_CLUSTERS),  # noqa: PLR2004
        )


def cluster_mean(clusters: ClusterTotals) -> ArmMean:
    """Mean per unit of an arm, with the CR2 cluster-robust variance and its own degrees of freedom.

    Args:
        clusters: Of any shape.
    Source: Bell & McCaffrey (2002), Survey Methodology 28:169-181.
    """
    with np.errstate(all="ignore"):
        mean, error, _ = _bias_reduced(clusters)
        trace, square = _working_traces(clusters.sizes)
    freedom = (trace * trace / square)[()]
    return ArmMean(mean[()], error[()], error[()], freedom, clusters.defects)


def cluster_difference(
    control: ClusterTotals,
    treatment: ClusterTotals,
    *,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of means per unit when whole clusters were assigned; sound from a handful of clusters.

    Equals ordinary least squares on an arm indicator with CR2 errors and Satterthwaite degrees of freedom
    under the working model of independent units; closed form, because clusters lie inside arms.

    Args:
        control: Clusters of the control arm.
        treatment: Clusters of the treatment arm.
        null: Difference under the null hypothesis.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Bell & McCaffrey (2002), Survey Methodology 28:169-181; Pustejovsky & Tipton (2018), JBES
        36:672-683. Checked against the matrix formula.
    """
    with np.errstate(all="ignore"):
        (base, base_error, _), (other, other_error, _) = _bias_reduced(control), _bias_reduced(treatment)
        (trace0, square0), (trace1, square1) = (
            _working_traces(control.sizes),
            _working_traces(treatment.sizes),
        )
        freedom = (trace0 + trace1) ** 2 / (square0 + square1)
    return t_inference(
        (other - base)[()],
        (base_error + other_error)[()],
        freedom[()],
        merge_reasons(control.defects, treatment.defects),
        null=null,
        level=level,
        alternative=alternative,
        method="cluster_cr2",
    )


@dataclass(frozen=True, slots=True)
class ClusteredArms:
    """Two arms over the same clusters, each with its share of one CR2 error.

    Attributes:
        control: Its mean per unit; its degrees of freedom are such that the difference has its own.
        treatment: The same of the other arm.
        covariance: Of the two means; 0 where every cluster lies inside one arm.
    """

    control: ArmMean
    treatment: ArmMean
    covariance: Floats


def clustered_arms(control: ClusterTotals, treatment: ClusterTotals) -> ClusteredArms:
    """The means of two arms when clusters may have units in both, as in a switchback of cities.

    Args:
        control: Clusters in an order that both arms share; one without units in this arm has size 0.
        treatment: The same clusters in the other arm.
    Raises:
        ValueError: The arms do not list equally many clusters.
    Source: Bell & McCaffrey (2002), Survey Methodology 28:169-181; Pustejovsky & Tipton (2018), JBES
        36:672-683. Closed form, as all units of a cluster and an arm have one row of the design. Checked
        against the matrix formula; with clusters inside arms it is `cluster_difference`.
    """
    if control.sizes.shape != treatment.sizes.shape:
        raise ValueError(
            f"both arms list the same clusters; got {control.sizes.shape} and {treatment.sizes.shape}"
        )
    with np.errstate(all="ignore"):
        (base, base_scores), (other, other_scores) = _scores(control), _scores(treatment)
        errors = (base_scores**2).sum(axis=-1), (other_scores**2).sum(axis=-1)
        covariance = (base_scores * other_scores).sum(axis=-1)
        freedom = _crossed_freedom(control.sizes, treatment.sizes)
        # What Satterthwaite's formula makes of the two arms is then the freedom of the difference.
        own = freedom * (errors[0] ** 2 + errors[1] ** 2) / (errors[0] + errors[1]) ** 2
    return ClusteredArms(
        ArmMean(base[()], errors[0][()], errors[0][()], own[()], _crossed_defects(control)),
        ArmMean(other[()], errors[1][()], errors[1][()], own[()], _crossed_defects(treatment)),
        covariance[()],
    )


def clustered_difference(
    control: ClusterTotals,
    treatment: ClusterTotals,
    *,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of means per unit when clusters may have units in both arms, with CR2 errors.

    Args:
        control: Clusters in an order that both arms share; one without units in this arm has size 0.
        treatment: The same clusters in the other arm.
        null: Difference under the null hypothesis.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Raises:
        ValueError: `level` outside (0, 1), or the arms do not list equally many clusters.
    Source: As `clustered_arms`.
    """
    arms = clustered_arms(control, treatment)
    with np.errstate(all="ignore"):
        freedom = _crossed_freedom(control.sizes, treatment.sizes)
    return t_inference(
        (arms.treatment.value - arms.control.value)[()],
        (arms.control.squared_error + arms.treatment.squared_error - 2 * arms.covariance)[()],
        freedom[()],
        merge_reasons(arms.control.codes, arms.treatment.codes),
        null=null,
        level=level,
        alternative=alternative,
        method="cluster_cr2",
    )


def design_effect(clusters: ClusterTotals, variance: ArrayLike) -> Floats:
    """How many times the variance of the mean exceeds the one of independent units.

    Args:
        clusters: Of any shape.
        variance: Sample variance of the metric over units.
    Returns:
        A ratio, 1 for independent units; shape of the clusters.
    Source: Kish (1965), Survey Sampling, with the CR2 variance of `cluster_mean`.
    """
    with np.errstate(all="ignore"):
        _, error, units = _bias_reduced(clusters)
        return (error / (as_floats(variance) / units))[()]


def _scores(clusters: ClusterTotals) -> tuple[Floats, Floats]:
    """The mean, and what each cluster adds to its error once leverage is taken out."""
    units: Floats = clusters.sizes.sum(axis=-1)
    mean: Floats = clusters.totals.sum(axis=-1) / units
    residuals = clusters.totals - clusters.sizes * mean[..., None]
    leverage = clusters.sizes / units[..., None]
    return mean, residuals / np.sqrt(1 - leverage) / units[..., None]


def _crossed_freedom(control: Floats, treatment: Floats) -> Floats:
    """Satterthwaite's freedom under independent units: of diag(d) - sum over arms of u u' / n."""
    arms = [(sizes, sizes.sum(axis=-1)) for sizes in (control, treatment)]
    weights = [
        1 / (units[..., None] * np.sqrt(1 - sizes / units[..., None])) * (sizes > 0) for sizes, units in arms
    ]
    own = sum(weight**2 * sizes for weight, (sizes, _) in zip(weights, arms, strict=True))
    lines = [weight * sizes for weight, (sizes, _) in zip(weights, arms, strict=True)]
    trace: Floats = np.sum(own, axis=-1)
    square: Floats = np.sum(np.square(own), axis=-1)
    for line, (_, units) in zip(lines, arms, strict=True):
        trace = trace - (line**2).sum(axis=-1) / units
        square = square - 2 * (own * line**2).sum(axis=-1) / units
        for other, (_, others) in zip(lines, arms, strict=True):
            square = square + (line * other).sum(axis=-1) ** 2 / (units * others)
    return trace * trace / square


def _crossed_defects(clusters: ClusterTotals) -> Codes:
    finite = np.isfinite(clusters.sizes).all(axis=-1) & np.isfinite(clusters.totals).all(axis=-1)
    present = (clusters.sizes > 0).sum(axis=-1)
    return first_reason(
        (~finite, Reason.NOT_FINITE),
        ((clusters.sizes < 0).any(axis=-1), Reason.IMPOSSIBLE_COUNT),
        (present < 2, Reason.TOO_FEW_CLUSTERS),  # noqa: PLR2004 — a spread needs two
    )


def _bias_reduced(clusters: ClusterTotals) -> tuple[Floats, Floats, Floats]:
    units: Floats = clusters.sizes.sum(axis=-1)
    mean: Floats = clusters.totals.sum(axis=-1) / units
    residuals = clusters.totals - clusters.sizes * mean[..., None]
    leverage = clusters.sizes / units[..., None]
    error: Floats = (residuals**2 / (1 - leverage)).sum(axis=-1) / units**2
    return mean, error, units


def _working_traces(sizes: Floats) -> tuple[Floats, Floats]:
    """Trace of the estimator's quadratic form under independent units, and of its square."""
    units: Floats = sizes.sum(axis=-1)
    leverage = sizes / units[..., None]
    inflated = sizes * leverage / (1 - leverage)
    pairs = inflated.sum(axis=-1) ** 2 - (inflated**2).sum(axis=-1)
    return 1 / units, ((sizes**2).sum(axis=-1) + pairs) / units**4
