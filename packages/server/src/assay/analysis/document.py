"""The result document: the same shape from a file, over HTTP and on the page."""

from datetime import date
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

    in_several_arms: int = Field(
        description="Units seen in more than one arm; in none of them, or in their first as the plan says."
    )
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
    mean: float | None = Field(description="Mean, share, quantile, or for a ratio the ratio of the sums.")
    standard_deviation: float | None


class Adjusted(Outgoing):
    """The comparison after what was known before exposure is taken out of it."""

    method: str
    difference: Estimate
    p_value: float | None
    lift: Estimate
    variance_reduction: float | None = Field(
        description="Share of the variance of the unadjusted difference that is gone; negative when it grew."
    )


class MarginTest(Outgoing):
    """Whether a guardrail is worse by less than its margin, one-sided."""

    kind: Literal["relative", "absolute"]
    margin: float
    p_value: float | None = Field(
        description="Of the hypothesis that the arm is worse by the margin or more."
    )
    is_within: bool | None = Field(description="p below alpha; null when it cannot be computed.")
    undefined: Undefined | None


class Look(Outgoing):
    """The difference as it stood at the end of a day.

    No p-value: read day after day, a test for one look errs far more often than it says.
    """

    day: date = Field(description="Ends at midnight UTC.")
    control_units: int
    arm_units: int
    estimate: float | None
    standard_error: float | None
    adjusted_estimate: float | None = None
    adjusted_standard_error: float | None = None


class Comparison(Outgoing):
    """An arm against the control."""

    arm: str
    difference: Estimate = Field(description="Arm minus control, in the metric's own unit.")
    p_value: float | None = Field(description="Of the hypothesis that the difference is 0, two-sided.")
    lift: Estimate = Field(description="Difference over |control|, a share; interval by the delta method.")
    lift_fieller: Estimate = Field(description="The same by Fieller, honest when the control is near 0.")
    adjusted: Adjusted | None = Field(
        None, description="Beside the plain estimate when the metric has covariates or the plan has strata."
    )
    margin: MarginTest | None = Field(None, description="For a guardrail.")
    looks: list[Look] = Field(default_factory=list[Look], description="Every day so far, oldest first.")


class Failure(Outgoing):
    """Why a metric has no result while others have."""

    sentence: str = Field(description="What the engine said.")


class MetricResult(Outgoing):
    """One metric: every arm, every comparison."""

    metric: str
    name: str
    kind: Kind
    direction: Literal["increase", "decrease"]
    version: int | None
    arms: list[ArmSummary]
    comparisons: list[Comparison]
    failure: Failure | None = Field(None, description="Then there are no arms and no comparisons.")
    sql: str | None = Field(None, description="The query that computes the metric, in the engine's words.")


class SegmentMetric(Outgoing):
    """One metric within a segment."""

    metric: str
    arms: list[ArmSummary]
    comparisons: list[Comparison]


class SegmentResult(Outgoing):
    """The units of one value of a dimension, as it was at their first exposure."""

    dimension: str
    kind: Literal["value", "other", "missing"] = Field(
        description="One of the most frequent values, all the rarer ones, or no value."
    )
    value: str | None
    arms: list[ArmUnits]
    metrics: list[SegmentMetric]


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
    segments: list[SegmentResult] = Field(
        default_factory=list[SegmentResult],
        description="The same cut by dimensions. Many cuts find something by chance alone.",
    )
    plan: str | None = Field(
        None, description="Digest of what was collected; equal plans read equal numbers."
    )
