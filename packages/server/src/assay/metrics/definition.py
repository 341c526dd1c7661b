"""The kinds of metric, each a small typed value."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, assert_never

from pydantic import Field, model_validator

from assay.metrics.filters import Filtered, Windowed
from assay.shared.schema import Incoming, Name

MAX_STEPS = 10
MAX_DAY = 365

Share = Annotated[float, Field(gt=0, lt=1)]


class Quantity(Filtered):
    """A number per unit from its events: values added up, how many there were, how many different ones."""

    aggregate: Literal["sum", "count", "distinct", "days"] = Field(
        "sum",
        description="Add the values, count the events, count the different values of a property, "
        "or count the days (UTC) with such an event.",
    )
    property: Name | None = Field(
        None,
        description="The property whose numbers are added up or whose different values are counted; "
        "left out, a sum is of the events' values.",
        exclude_if=lambda name: name is None,
    )

    @model_validator(mode="after")
    def _names_what_it_needs(self) -> Self:
        if self.aggregate == "distinct" and self.property is None:
            raise ValueError("name the property whose different values are counted")
        if self.aggregate in {"count", "days"} and self.property is not None:
            raise ValueError(f"{self.aggregate!r} looks at events, not at property {self.property!r}")
        return self


class Winsorised(Incoming):
    """Where extreme numbers of units are cut off, at quantiles of all arms together."""

    cap_quantile: float | None = Field(
        None, gt=0, lt=1, description="Cut values off at this quantile of all arms together, such as 0.999."
    )
    floor_quantile: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Raise values to this quantile of all arms together, such as 0.001.",
        exclude_if=lambda share: share is None,
    )

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.cap_quantile and self.floor_quantile and self.floor_quantile >= self.cap_quantile:
            raise ValueError(
                f"floor_quantile {self.floor_quantile} must be below cap_quantile {self.cap_quantile}"
            )
        return self


class Capped(Winsorised):
    """Where extreme numbers of units are cut off, also at a fixed value, and what no event means."""

    cap_value: float | None = Field(
        None,
        description="Cut values off at this number, in the metric's own unit.",
        exclude_if=lambda value: value is None,
    )
    without_events: Literal["zero", "left_out"] = Field(
        "zero",
        description="What a unit without such an event is: a zero, or not part of the metric.",
        exclude_if=lambda policy: policy == "zero",
    )


class Proportion(Filtered, Windowed):
    """The share of units with at least one such event after their first exposure."""

    kind: Literal["proportion"]


class Mean(Quantity, Windowed, Capped):
    """The mean over all exposed units; a unit without events counts as zero unless it is left out."""

    kind: Literal["mean"]


class Count(Filtered, Windowed, Capped):
    """The mean number of events per unit."""

    kind: Literal["count"]


class Distinct(Filtered, Windowed, Capped):
    """The mean number of different values of a property per unit, or of different days with an event."""

    kind: Literal["distinct"]
    property: Name | None = Field(
        None,
        description="The property whose different values are counted; left out, days (UTC).",
        exclude_if=lambda name: name is None,
    )


class Ratio(Windowed, Winsorised):
    """A sum over a sum, such as revenue per order or clicks per session.

    The unit is still the one that was randomised, and the interval says so (delta method): a `distinct`
    denominator makes sessions, say, the unit of analysis.
    """

    kind: Literal["ratio"]
    numerator: Quantity
    denominator: Quantity
    cap_quantile: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Cut both numbers of a unit off, each at its quantile of all arms together.",
        exclude_if=lambda share: share is None,
    )


class Quantile(Quantity, Windowed):
    """A quantile of the units' numbers, such as the median of what buyers spent."""

    kind: Literal["quantile"]
    quantile: Share
    without_events: Literal["zero", "left_out"] = Field(
        "zero",
        description="What a unit without such an event is: a zero, or not part of the metric.",
        exclude_if=lambda policy: policy == "zero",
    )


class Retention(Filtered):
    """The share of units with such an event between two days after their first exposure.

    Days are 24 hours long and begin with the exposure: from day 1 to day 7 is hour 24 until hour 192.
    """

    kind: Literal["retention"]
    from_day: int = Field(ge=0, le=MAX_DAY, description="First day that counts; day 0 begins with exposure.")
    to_day: int = Field(ge=0, le=MAX_DAY, description="Last day that counts.")

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.from_day > self.to_day:
            raise ValueError(f"from_day {self.from_day} lies after to_day {self.to_day}")
        return self


class Funnel(Incoming):
    """The share of units that took all steps in order, beginning with or after their first exposure.

    A step counts when it happened at the time of the step before or later, later when the same event was a
    step before.
    """

    kind: Literal["funnel"]
    steps: Annotated[list[Filtered], Field(min_length=2, max_length=MAX_STEPS)]
    conversion_hours: Annotated[int | None, Field(ge=1, le=24 * 365)] = Field(
        None,
        description="The last step must happen within this many hours of the first exposure.",
        exclude_if=lambda hours: hours is None,
    )


AnyDefinition = Proportion | Mean | Count | Distinct | Ratio | Quantile | Retention | Funnel
Definition = Annotated[AnyDefinition, Field(discriminator="kind")]
Direction = Literal["increase", "decrease"]


def quantities(definition: AnyDefinition) -> tuple[Quantity, ...]:
    """The numbers per unit that the metric is made of, numerator first; a funnel has none."""
    match definition:
        case Proportion() | Retention() | Count():
            return (_quantity(definition, "count"),)
        case Distinct(property=None):
            return (_quantity(definition, "days"),)
        case Distinct():
            return (_quantity(definition, "distinct", definition.property),)
        case Mean() | Quantile():
            return (_quantity(definition, definition.aggregate, definition.property),)
        case Ratio(numerator=numerator, denominator=denominator):
            return (numerator, denominator)
        case Funnel():
            return ()
        case _:
            assert_never(definition)


def event_names(definition: AnyDefinition) -> Sequence[str]:
    """The names of all events that the metric looks at."""
    parts: Sequence[Filtered] = definition.steps if isinstance(definition, Funnel) else quantities(definition)
    return sorted({part.event for part in parts})


def _quantity(
    events: Filtered,
    aggregate: Literal["sum", "count", "distinct", "days"],
    of: str | None = None,
) -> Quantity:
    return Quantity(event=events.event, filters=events.filters, aggregate=aggregate, property=of)
