"""What is to be computed, frozen before any data is read."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from assay.analysis.methods import Bayesian, Reading, Role, Schedule
from assay.metrics.definition import Quantity
from assay.metrics.filters import Filtered

TOP_VALUES = 10
DECIDES_LATER = ("alpha", "reading", "schedule", "power", "overlapping", "view", "exploration", "balanced")
"""Parts of a plan by which nothing else is collected."""
DEFAULT_READING = Reading()


class Kind(StrEnum):
    """What a metric is, which decides how it is tested."""

    PROPORTION = "proportion"
    MEAN = "mean"
    COUNT = "count"
    DISTINCT = "distinct"
    RATIO = "ratio"
    QUANTILE = "quantile"
    RETENTION = "retention"
    FUNNEL = "funnel"

    @property
    def is_share(self) -> bool:
        """Whether the metric is a share of units, which reads as a percentage."""
        return self in {Kind.PROPORTION, Kind.RETENTION, Kind.FUNNEL}


class DoubleExposure(StrEnum):
    """What becomes of a unit that was seen in several arms."""

    LEAVE_OUT = "leave_out"
    FIRST_ARM = "first_arm"


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """An arm and the weight it was assigned with, None when the weights are not known to differ."""

    key: str
    weight: float


@dataclass(frozen=True, slots=True)
class MarginPlan:
    """How much worse a guardrail may be, as a share of the control or in the metric's own unit."""

    value: float
    is_relative: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Hours since the first exposure in which events count: from the first, up to but not with the second."""

    from_hours: int = 0
    to_hours: int | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A number per unit, made from its events; a unit without any has 0.

    Attributes:
        column: Its name in the unit table.
        made_of: What is added up or counted; for a funnel its steps, which make 1 where all were taken.
        source: Key of the table of events, None for the built-in one.
    """

    column: str
    made_of: Quantity | tuple[Filtered, ...]
    window: Window = Window()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """What becomes of a number before it is a metric: a share, cut off at its ends, or missing.

    Attributes:
        column: Its name in the unit table.
        number: The column it is made from.
        is_share: Whether it is 1 where the number is positive, else 0.
        cap_value: Largest value kept.
        cap_quantile: The same as a quantile of all arms together.
        floor_quantile: Smallest value kept, likewise.
        counted_by: A column that is 0 where the unit has no value; None when every unit has one.
    """

    column: str
    number: str
    is_share: bool = False
    cap_value: float | None = None
    cap_quantile: float | None = None
    floor_quantile: float | None = None
    counted_by: str | None = None


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """A metric over columns of the unit table: one number per unit, or two for a ratio.

    Attributes:
        covariates: Columns known before exposure that adjust it; two for a ratio, as its own.
        quantile: The share of units below, for a quantile.
        role: What it is for; None where nobody has said.
        smallest_effect: The smallest effect worth finding, positive.
        is_effect_relative: Whether that is a share of the control.
        is_exploratory: Whether it was not planned before the start, in this role.
    """

    key: str
    name: str
    kind: Kind
    columns: tuple[str, ...]
    direction: str = "increase"
    version: int | None = None
    covariates: tuple[str, ...] = ()
    quantile: float | None = None
    margin: MarginPlan | None = None
    role: Role | None = None
    smallest_effect: float | None = None
    is_effect_relative: bool = True
    is_exploratory: bool = False


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something known of a unit when it was first exposed, to cut results by.

    Attributes:
        key: The property of the exposure, or the column of a file.
        top: How many of the most frequent values stand alone; the rest is `other`.
    """

    key: str
    top: int = TOP_VALUES


@dataclass(frozen=True, slots=True)
class Overlapping:
    """Another experiment that may have met the same units.

    Attributes:
        arms: Keys of its arms without the control's.
    """

    key: str
    control: str
    arms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Switching:
    """Windows of time in which clusters are assigned anew; a unit of analysis is a cluster in one window.

    Attributes:
        minutes: Length of a window.
        anchor: When a window begins; others before and after it.
        block: Windows in a row that are balanced among themselves.
        burn_in_minutes: How much of a window's begin is left out, so that the one before has worn off.
        until: Windows that end later are left out, as they are not over yet.
    """

    minutes: int
    anchor: datetime
    block: int = 1
    burn_in_minutes: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clustering:
    """Units that were not assigned one by one.

    Attributes:
        kind: What was assigned, as exposures name it among their other units; in a switchback it may be the
            unit of an event itself.
        switching: None where a cluster keeps its arm.
    """

    kind: str
    switching: Switching | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What happened between two moves of a bandit's weights.

    Attributes:
        epoch: Number of the first epoch in it.
        weights: In the order of the plan's arms.
    """

    epoch: int
    began_at: datetime
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Batching:
    """The batches of a bandit, first to last.

    Attributes:
        least_units: Units an arm must have in a batch for the batch to count in a comparison.
    """

    batches: tuple[Batch, ...]
    least_units: int


@dataclass(frozen=True, slots=True)
class BalancedBefore:
    """A salt that was searched for."""

    tried: int
    score: float
    threshold: float
    covariates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the digits of a result, besides the data.

    Attributes:
        numbers: What is made from events, each once however many metrics use it; empty for a table of units.
        measures: What becomes of the numbers.
        segments: Dimensions the results are also cut by.
        strata: The segment within which arms are compared, then averaged (post-stratification).
        has_looks: Whether the estimate of every day so far is wanted too.
        reading: When claims are made and by which method; its alpha is the one of claims.
        schedule: Of a planned experiment.
        power: Probability with which the smallest effects were to be found.
        until: The end of what is read, None for all there is.
        overlapping: Experiments whose arms may change the effects.
        view: The prior of a Bayesian view beside the claims.
        exploration: How it departs from what was planned, as sentences; empty for the planned reading.
        clustering: Where whole clusters were assigned.
        balanced: Where the salt was searched for.
        batching: Of a bandit.
    """

    unit: str
    control: str
    arms: tuple[ArmPlan, ...]
    metrics: tuple[MetricPlan, ...]
    alpha: float = 0.05
    experiment: str | None = None
    numbers: tuple[Number, ...] = ()
    measures: tuple[Measure, ...] = ()
    segments: tuple[Dimension, ...] = ()
    strata: str | None = None
    double_exposure: DoubleExposure = DoubleExposure.LEAVE_OUT
    has_looks: bool = False
    reading: Reading = DEFAULT_READING
    schedule: Schedule | None = None
    power: float = 0.8
    until: datetime | None = None
    overlapping: tuple[Overlapping, ...] = ()
    view: Bayesian | None = None
    exploration: tuple[str, ...] = ()
    clustering: Clustering | None = None
    balanced: BalancedBefore | None = None
    batching: Batching | None = None

    @property
    def sources(self) -> frozenset[str]:
        """Keys of the tables it reads beside the events."""
        return frozenset(number.source for number in self.numbers if number.source is not None)

    @property
    def days_tell_all(self) -> bool:
        """Whether all moments follow from what each day adds: nothing needs the units side by side."""
        return (
            self.has_looks
            and bool(self.metrics)
            and not self.segments
            and all(metric.quantile is None for metric in self.metrics)
            and all(each.cap_quantile is None and each.floor_quantile is None for each in self.measures)
        )

    def only(self, metric: MetricPlan) -> "Plan":
        """The part of the plan that this metric needs."""
        return self.of((metric,))

    def without(self, keys: Collection[str]) -> "Plan":
        """The part of the plan that the metrics of other keys need."""
        return self.of(tuple(metric for metric in self.metrics if metric.key not in keys)) if keys else self

    def of(self, metrics: tuple[MetricPlan, ...]) -> "Plan":
        """The part of the plan that these metrics need, as they are given."""
        wanted = {column for metric in metrics for column in (*metric.columns, *metric.covariates)}
        measures = tuple(measure for measure in self.measures if measure.column in wanted)
        columns = {measure.number for measure in measures} | {measure.counted_by for measure in measures}
        numbers = tuple(number for number in self.numbers if number.column in columns)
        return replace(self, metrics=metrics, measures=measures, numbers=numbers)

    @property
    def digest(self) -> str:
        """A short name for what is collected: two plans of one name read the same numbers from the data.

        Alpha, margins, directions and names only decide what is made of them.
        """
        collected = {
            **asdict(self),
            "metrics": [(metric.key, metric.columns, metric.covariates) for metric in self.metrics],
            **dict.fromkeys(DECIDES_LATER),
        }
        text = json.dumps(collected, default=_plain, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _plain(value: object) -> Mapping[str, Any] | str:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a plan holds {type(value).__name__}")
