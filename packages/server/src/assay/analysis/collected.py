"""What was collected for a plan, before anything is concluded; plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

from assay_stats.clusters import ClusterTotals
from assay_stats.estimands import ArmMean
from assay_stats.moments import JointMoments
from assay_stats.undefined import Floats

ADJUSTED = "~adjusted"
"""Ends the key of the moments in which a metric stands together with its covariates."""
OTHER, MISSING = "other", "missing"
VALUE_MARK = "="
"""Begins a label that stands for a value, so that a value called `other` is not mistaken."""

SegmentKind = Literal["value", "other", "missing"]
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
class Batches:
    """One arm in each batch.

    Attributes:
        moments: `(..., n_batches)`.
        units: `(..., n_batches)` first exposed in each, with a value or not.
        least: Units that both arms of a batch must have for it to count.
    """

    moments: JointMoments
    units: Floats
    least: int


@dataclass(frozen=True, slots=True)
class Looks:
    """The moments of every block on every day so far.

    Attributes:
        days: `(n_days,)` days since 1970 in UTC, on which a unit entered or did something.
        units: Per arm `(n_days,)` units exposed by the end of each day.
        moments: Per block and arm, of shape `(n_days,)`.
        clusters: Per metric and arm `(n_days, n_clusters)`, where whole clusters were assigned.
        batches: Per metric and arm `(n_days, n_batches)`, of a bandit.
        batch_units: Per arm `(n_days, n_batches)` units first exposed in each batch.
    """

    days: Sequence[int]
    units: Mapping[str, Floats]
    moments: Mapping[str, Mapping[str, JointMoments]]
    clusters: ByMetric[ClusterTotals] = field(default_factory=dict[str, Mapping[str, ClusterTotals]])
    batches: ByMetric[Batches] = field(default_factory=dict[str, Mapping[str, Batches]])
    batch_units: Mapping[str, Floats] = field(default_factory=dict[str, Floats])


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
        batches: Per metric and arm `(n_batches,)`, of a bandit.
        batch_units: Per arm `(n_batches,)` units first exposed in each batch.
    """

    units: Mapping[str, int]
    moments: ByMetric[JointMoments] = field(default_factory=dict[str, Mapping[str, JointMoments]])
    quantiles: ByMetric[QuantileFound] = field(default_factory=dict[str, Mapping[str, QuantileFound]])
    clusters: ByMetric[ClusterTotals] = field(default_factory=dict[str, Mapping[str, ClusterTotals]])
    cluster_counts: Mapping[str, int] = field(default_factory=dict[str, int])
    batches: ByMetric[Batches] = field(default_factory=dict[str, Mapping[str, Batches]])
    batch_units: Mapping[str, Floats] = field(default_factory=dict[str, Floats])


@dataclass(frozen=True, slots=True)
class Segment:
    """The units of one label of a dimension."""

    dimension: str
    label: str
    cut: Cut


@dataclass(frozen=True, slots=True)
class Ages:
    """What units did in each of the periods after their first exposure, of those seen in all of them.

    Attributes:
        days: Length of a period.
        periods: How many.
        moments: Per metric and arm, a column per period, or for a ratio two.
    """

    days: int
    periods: int
    moments: ByMetric[JointMoments]


@dataclass(frozen=True, slots=True)
class Met:
    """The units that were in another experiment too.

    Attributes:
        experiment: Its key.
        cells: By its arm.
    """

    experiment: str
    cells: Mapping[str, Cut]


@dataclass(frozen=True, slots=True)
class Disturbances:
    """What may make effects differ from what they will be: time since exposure, and other experiments.

    Attributes:
        met: The overlapping experiments with the most units in common.
        others: Units in common with the rest of them, which are not looked at more closely.
        failure: What the engine said when this could not be collected.
    """

    ages: Sequence[Ages] = ()
    met: Sequence[Met] = ()
    others: Mapping[str, int] = field(default_factory=dict[str, int])
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """How events of one kind and name have come in.

    Attributes:
        kind: `exposure` or `event`.
        late: Events that came more than a day after they happened.
        last_at: When the newest happened.
        received_at: When the last one came in; None where nobody kept that.
    """

    kind: str
    name: str
    events: int
    late: int
    last_at: datetime | None
    received_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How the events of an experiment have come in, and what was lost on the way.

    Attributes:
        rejected: Refused events that name the experiment or one of its events, of those that are kept.
        rejected_reason: Of the newest of them.
        lag_seconds: Age of the oldest event of the environment that is not sealed.
        problem: Why sealing does not succeed at the moment.
    """

    arrived: Sequence[Arrived]
    rejected: Mapping[str, int] = field(default_factory=dict[str, int])
    rejected_reason: str | None = None
    lag_seconds: float | None = None
    problem: str | None = None


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


def kind_of(label: str) -> SegmentKind:
    """What a label of a segment stands for."""
    return "other" if label == OTHER else "missing" if label == MISSING else "value"


def value_of(label: str) -> str | None:
    """The value that a label stands for; None for the rest and for none."""
    return label.removeprefix(VALUE_MARK) if label.startswith(VALUE_MARK) else None
