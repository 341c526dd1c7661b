"""Parts of the document about effects that are not the same everywhere: segments, time, other experiments."""

from typing import Literal

from pydantic import Field

from assay.shared.schema import Outgoing


class SegmentEffect(Outgoing):
    """The effect on the units of one segment, as seen and as believed."""

    kind: Literal["value", "other", "missing"]
    value: str | None
    control_units: int
    arm_units: int
    estimate: float | None = Field(description="As seen: arm minus control among these units alone.")
    low: float | None
    high: float | None
    shrunken: float | None = Field(
        description="Drawn towards the mean of all segments as far as its noise demands; null for segments "
        "that are too small to be compared."
    )
    shrunken_low: float | None
    shrunken_high: float | None


class Heterogeneity(Outgoing):
    """Whether the effect differs between the segments of a dimension: one test, and no claim beyond it."""

    dimension: str
    metric: str
    arm: str
    basis: Literal["plain", "adjusted"] = Field(description="Which estimates are compared.")
    segments: list[SegmentEffect]
    statistic: float | None = Field(description="Cochran's Q.")
    degrees_of_freedom: float | None
    p_value: float | None
    adjusted_p_value: float | None = Field(
        description="Corrected (Holm) over all dimensions, goals and arms; for one look."
    )
    finding: Literal["differs", "chance", "unknown"]
    sentence: str
    problem: str | None = Field(description="Why there is nothing to be said.")


class AgeEffect(Outgoing):
    """The lift in one period after the first exposure."""

    from_day: int = Field(description="Days since the first exposure; 0 is its day.")
    to_day: int
    lift: float | None = Field(description="A share of the control in the same period.")
    standard_error: float | None


class Novelty(Outgoing):
    """Whether the lift changes with the time since first exposure, on units seen in every period."""

    metric: str
    arm: str
    days_per_period: int
    control_units: int
    arm_units: int
    effects: list[AgeEffect]
    slope: float | None = Field(description="Change of the lift per day.")
    low: float | None
    high: float | None
    level: float = Field(description="Coverage at all looks together, corrected for all such trends.")
    p_value: float | None = Field(description="Valid at all looks together, not corrected.")
    finding: Literal["fades", "grows", "steady", "unknown"]
    sentence: str
    problem: str | None = Field(description="Why there is nothing to be said.")


class Cell(Outgoing):
    """The units of one arm here and one arm there."""

    arm: str
    other_arm: str
    units: int
    value: float | None = Field(description="What they scored on the metric.")


class Interaction(Outgoing):
    """Whether another experiment changes the effect of this one."""

    experiment: str = Field(description="The other one.")
    other_arm: str
    metric: str
    arm: str
    cells: list[Cell]
    change: float | None = Field(
        description="Effect among units of the other's arm less that among units of its control, in the "
        "metric's own unit."
    )
    low: float | None
    high: float | None
    level: float = Field(description="Coverage at all looks together, corrected for all pairs.")
    p_value: float | None = Field(description="Valid at all looks together, not corrected.")
    finding: Literal["differs", "no_difference", "unknown"]
    sentence: str
    problem: str | None = Field(description="Why there is nothing to be said.")


class SharedUnits(Outgoing):
    """How many units another experiment has in common with this one."""

    experiment: str
    units: int
    is_tested: bool = Field(description="Among those with the most units in common, which are tested.")
