"""The result document: the same shape from a file, over HTTP and on the page."""

from typing import Literal

from pydantic import Field

from assay.analysis.plan import Kind
from assay.shared.schema import Outgoing

SCHEMA_VERSION = 1


class Undefined(Outgoing):
    """Why a number could not be computed."""

    reason: str = Field(description="Stable code of the reason.")
    sentence: str


class Estimate(Outgoing):
    """An estimate with its interval, or the reason why there is none."""

    method: str
    estimate: float | None
    low: float | None = Field(
        description="Lower end of the interval; null when it is unbounded or undefined."
    )
    high: float | None = Field(
        description="Upper end of the interval; null when it is unbounded or undefined."
    )
    undefined: Undefined | None


class ArmUnits(Outgoing):
    """How many units an arm has."""

    arm: str
    weight: float
    units: int


class Excluded(Outgoing):
    """What is not in the estimates."""

    in_several_arms: int = Field(description="Units seen in more than one arm.")
    without_unit: int = Field(description="Rows that name no unit.")
    without_arm: int = Field(description="Rows that name no arm.")
    unknown_arms: dict[str, int] = Field(description="Units in arms that the experiment does not have.")


class SampleRatio(Outgoing):
    """Whether the units are split as the weights say."""

    statistic: float | None
    degrees_of_freedom: float | None
    p_value: float | None
    suspicious: bool = Field(description="p below 0.01: find the cause before reading any metric.")
    undefined: Undefined | None


class ArmSummary(Outgoing):
    """One arm of a metric."""

    arm: str
    units: int = Field(description="Units with a value.")
    missing: int = Field(description="Units without one, left out.")
    mean: float | None = Field(description="Mean, share, or for a ratio the ratio of the sums.")
    standard_deviation: float | None


class Comparison(Outgoing):
    """An arm against the control."""

    arm: str
    difference: Estimate = Field(description="Arm minus control, in the metric's own unit.")
    p_value: float | None = Field(description="Of the hypothesis that the difference is 0, two-sided.")
    lift: Estimate = Field(description="Difference over |control|, a share; interval by the delta method.")
    lift_fieller: Estimate = Field(description="The same by Fieller, honest when the control is near 0.")


class MetricResult(Outgoing):
    """One metric: every arm, every comparison."""

    metric: str
    name: str
    kind: Kind
    direction: Literal["increase", "decrease"]
    version: int | None
    arms: list[ArmSummary]
    comparisons: list[Comparison]


class Document(Outgoing):
    """The result of an analysis."""

    schema_version: Literal[1] = 1
    assay_version: str
    unit: str
    control: str
    alpha: float = Field(description="Intervals cover with probability 1 - alpha.")
    arms: list[ArmUnits]
    excluded: Excluded
    sample_ratio: SampleRatio
    metrics: list[MetricResult]
