"""What was collected for a plan, before anything is concluded; plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from assay_stats.clusters import ClusterTotals
from assay_stats.estimands import ArmMean
from assay_stats.moments import JointMoments
from assay_stats.undefined import Floats

ADJUSTED = "~adjusted"
"""Ends the key of the moments in which a metric stands together with its covariates."""
OTHER, MISSING = "other", "missing"
VALUE_MARK = "="
"""Begins a label that stands for a value, so that a value called `other` is not mistaken."""

Found = TypeVar("Found")
ByMetric = Mapping[str, Mapping[str, Found]]
"""By the key of a metric, or of a block of moments, and by arm."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """Rows and units that are not in the estimates, by reason."""

    in_several_arms: int = 0
    without_unit: int = 0
    without_arm: int = 0
    unknown_arms: Mapping[str, int] = field(default_factory=dict[str, int])
    without_cluster: int = 0


@dataclass(frozen=True, slots=True)
class Looks:
    """The moments of every block on every day so far.

    Attributes:
        days: `(n_days,)` days since 1970 in UTC, on which a unit entered or did something.
        units: Per arm `(n_days,)` units exposed by the end of each day.
        moments: Per block and arm, of shape `(n_days,)`.
        clusters: Per metric and arm `(n_days, n_clusters)`, where whole clusters were assigned.
    """

    days: Sequence[int]
    units: Mapping[str, Floats]
    moments: Mapping[str, Mapping[str, JointMoments]]
    clusters: ByMetric[ClusterTotals] = field(default_factory=dict[str, Mapping[str, ClusterTotals]])


@dataclass(frozen=True, slots=True)
class QuantileFound:
    """A quantile of one arm, and of how many units."""

    mean: ArmMean
    units: int
    missing: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What the data said about some units: all, or those of one segment.

    Attributes:
        units: Per arm.
        moments: Per block and arm.
        quantiles: Per metric and arm.
        clusters: Per metric and arm `(n_clusters,)`, where whole clusters were assigned.
        cluster_counts: How many clusters have units in each arm.
    """

    units: Mapping[str, int]
    moments: ByMetric[JointMoments] = field(default_factory=dict[str, Mapping[str, JointMoments]])
    quantiles: ByMetric[QuantileFound] = field(default_factory=dict[str, Mapping[str, QuantileFound]])
    clusters: ByMetric[ClusterTotals] = field(default_factory=dict[str, Mapping[str, ClusterTotals]])
    cluster_counts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Segment:
    """The units of one label of a dimension."""

    dimension: str
    label: str
    cut: Cut


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything a document is made from.

    Attributes:
        looks: Per metric.
        failures: What the engine said about metrics it could not compute.
        sql: The query of each metric.
        error_unit: What errors are robust to, in words; None where units were assigned one by one.
    """

    whole: Cut
    excluded: Excluded
    segments: Sequence[Segment] = ()
    looks: Mapping[str, Looks] = field(default_factory=dict[str, Looks])
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    sql: Mapping[str, str] = field(default_factory=dict[str, str])
    error_unit: str | None = None
