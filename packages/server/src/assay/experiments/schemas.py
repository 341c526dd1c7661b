"""What the API takes and gives about experiments."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from assay.experiments.design import MAX_METRICS, Arm, Design, FromExposures, KnownEffect
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name, Outgoing, Text


class ExperimentCreate(Design):
    """A new observed experiment."""

    key: Key
    name: Name
    description: Text = ""


class ExperimentUpdate(Incoming):
    """What may change about an observed experiment; results keep what they were computed with."""

    name: Name | None = None
    description: Text | None = None
    metrics: Annotated[list[Key], Field(max_length=MAX_METRICS)] | None = None
    known_effects: dict[Key, list[KnownEffect]] | None = None


class ExperimentOut(Outgoing):
    """An experiment."""

    key: str
    name: str
    description: str
    arms: list[Arm]
    control: str
    assignments: FromExposures
    metrics: list[str]
    known_effects: dict[str, list[KnownEffect]]
    created_at: datetime
    updated_at: datetime
