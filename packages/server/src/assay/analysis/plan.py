"""What is to be computed, frozen before any data is read."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric is, which decides how it is tested."""

    PROPORTION = "proportion"
    MEAN = "mean"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """An arm and the weight it was assigned with, None when the weights are not known to differ."""

    key: str
    weight: float


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """A metric over columns of the unit table: one number per unit, or two for a ratio."""

    key: str
    name: str
    kind: Kind
    columns: tuple[str, ...]
    direction: str = "increase"
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the digits of a result, besides the data."""

    unit: str
    control: str
    arms: tuple[ArmPlan, ...]
    metrics: tuple[MetricPlan, ...]
    alpha: float = 0.05
