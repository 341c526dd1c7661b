"""Conditions on single events: a closed set of operators over an event's value and properties."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from assay.shared.schema import Incoming, Name

MAX_FILTERS = 20
MAX_MEMBERS = 1000

Figure = Annotated[float, Field(strict=False)]
PropertyName = Annotated[
    Name | None, Field(description="Name of the property; left out, the event's own value.")
]


class Comparison(Incoming):
    """The number compares so; an event without a number there does not match."""

    property: PropertyName = None

    operator: Literal["less", "at_most", "greater", "at_least"]
    value: Figure


class Equality(Incoming):
    """The text, number or truth value is this one, or is there and is another."""

    property: PropertyName = None

    operator: Literal["equals", "not_equals"]
    value: bool | Figure | Name


class Membership(Incoming):
    """The text or number is one of these, or is there and is none of them."""

    property: PropertyName = None

    operator: Literal["in", "not_in"]
    values: Annotated[list[Figure | Name], Field(min_length=1, max_length=MAX_MEMBERS)]


class Wording(Incoming):
    """The text contains this, begins or ends with it; capitals count."""

    property: Name
    operator: Literal["contains", "starts_with", "ends_with"]
    value: Name


class Presence(Incoming):
    """The event has the property, or has it not; a null is none."""

    property: PropertyName = None

    operator: Literal["present", "absent"]


Filter = Annotated[Comparison | Equality | Membership | Wording | Presence, Field(discriminator="operator")]


class Filtered(Incoming):
    """Events of one name, perhaps only those that match every filter."""

    event: Name = Field(description="Name of the event.")
    filters: Annotated[list[Filter], Field(max_length=MAX_FILTERS)] = Field(
        default_factory=list[Filter],
        description="Conditions an event must all meet.",
        exclude_if=lambda filters: not filters,
    )


class Windowed(Incoming):
    """When an event counts, in hours since the unit's first exposure; time zones play no part."""

    delay_hours: Annotated[int | None, Field(ge=1, le=24 * 365)] = Field(
        None, description="Events earlier than this do not count.", exclude_if=lambda hours: hours is None
    )
    conversion_hours: Annotated[int | None, Field(ge=1, le=24 * 365)] = Field(
        None,
        description="Events from this on do not count; left out, all later ones do.",
        exclude_if=lambda hours: hours is None,
    )
    lookback_hours: Annotated[int | None, Field(ge=1, le=24 * 365)] = Field(
        None,
        description="The same number in these hours before the first exposure adjusts it (CUPED).",
        exclude_if=lambda hours: hours is None,
    )

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.delay_hours and self.conversion_hours and self.delay_hours >= self.conversion_hours:
            raise ValueError(
                f"nothing can count from hour {self.delay_hours} until hour {self.conversion_hours}; "
                "conversion_hours must be the larger one"
            )
        return self
