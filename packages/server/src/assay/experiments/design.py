"""The parts of an observed experiment and how they must fit together."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name

MAX_ARMS = 20
MAX_METRICS = 100

VariantName = Annotated[Name, Field(max_length=100)]


class Arm(Incoming):
    """A variant and the weight it was assigned with; weights are relative to their sum."""

    key: VariantName = Field(description="The variant as it stands in the exposures.")
    name: Name | None = None
    weight: float = Field(1.0, ge=0, le=1e9, description="Relative weight of assignment; 0 expects no units.")


class FromExposures(Incoming):
    """Assignments are the exposure events that name this experiment, in one environment."""

    source: Literal["exposures"]
    environment: Key = "production"


class FromTable(Incoming):
    """Assignments are the rows of a table with the role `variant`, on a connection of the project."""

    source: Literal["table"]
    table: Key
    unit: Key | None = Field(
        default=None, description="The kind of unit, for a table that identifies several."
    )
    environment: Key = Field(
        default="production", description="Whose events are read for metrics without a source."
    )


Assignments = Annotated[FromExposures | FromTable, Field(discriminator="source")]


class KnownEffect(Incoming):
    """An effect known in advance, from a simulation or an earlier experiment, drawn beside the estimate."""

    difference: float = Field(description="Treatment minus control, in the metric's own unit.")
    arm: VariantName


class Design(Incoming):
    """Arms, control, metrics and the source of assignments."""

    arms: Annotated[list[Arm], Field(min_length=2, max_length=MAX_ARMS)]
    control: VariantName = Field(description="Key of the arm the others are compared with.")
    assignments: Assignments = FromExposures(source="exposures")
    metrics: Annotated[list[Key], Field(max_length=MAX_METRICS, description="Keys of the metrics to read.")]
    known_effects: Annotated[dict[Key, list[KnownEffect]], Field(max_length=MAX_METRICS)] = Field(
        default_factory=dict[Key, list[KnownEffect]]
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        keys = [arm.key for arm in self.arms]
        _require_unique("arm", keys)
        _require_unique("metric", self.metrics)
        if self.control not in keys:
            raise ValueError(f"control {self.control!r} is not an arm; the arms are {', '.join(keys)}")
        if sum(arm.weight > 0 for arm in self.arms) < 1:
            raise ValueError("every weight is 0; give at least one arm a positive weight")
        named = {effect.arm for effects in self.known_effects.values() for effect in effects}
        if strange := sorted(named - set(keys)):
            raise ValueError(f"known effect: {strange[0]!r} is not an arm; the arms are {', '.join(keys)}")
        return self


def _require_unique(what: str, keys: list[str]) -> None:
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"{what} {repeated[0]!r} is listed more than once")
