"""The kinds of metric, each a small typed value."""

from typing import Annotated, Literal

from pydantic import Field

from assay.shared.schema import Incoming, Name


class Quantity(Incoming):
    """A number per unit, made from its events: their values added up, or how many there were."""

    event: Name = Field(description="Name of the event.")
    aggregate: Literal["sum", "count"] = Field("sum", description="Add the values, or count the events.")


class Proportion(Incoming):
    """The share of units with at least one such event after their first exposure."""

    kind: Literal["proportion"]
    event: Name


class Mean(Quantity):
    """The mean over all exposed units; a unit without events counts as zero."""

    kind: Literal["mean"]
    cap_quantile: float | None = Field(
        None, gt=0, lt=1, description="Cut values off at this quantile of all arms together, such as 0.999."
    )


class Ratio(Incoming):
    """A sum over a sum, such as revenue per order; the unit is still the one that was randomised."""

    kind: Literal["ratio"]
    numerator: Quantity
    denominator: Quantity


Definition = Annotated[Proportion | Mean | Ratio, Field(discriminator="kind")]
Direction = Literal["increase", "decrease"]


def quantities(definition: Proportion | Mean | Ratio) -> tuple[Quantity, ...]:
    """The numbers per unit that the metric needs, numerator first."""
    match definition:
        case Proportion(event=event):
            return (Quantity(event=event, aggregate="count"),)
        case Mean():
            return (Quantity(event=definition.event, aggregate=definition.aggregate),)
        case Ratio(numerator=numerator, denominator=denominator):
            return (numerator, denominator)
