"""What the API takes and gives about metrics."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from assay.metrics.definition import Definition, Direction
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name, Outgoing, Text

MAX_TAGS = 20


def _distinct(tags: list[str]) -> list[str]:
    return sorted(set(tags))


Tag = Annotated[Name, Field(max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_distinct)]
Owner = Annotated[Text, Field(max_length=200, description="Who answers for the metric.")]
Source = Annotated[
    Key | None, Field(description="The source whose events are measured; null is what was sent to Assay.")
]


class Margin(Incoming):
    """How much worse a guardrail may be before it counts as harmed."""

    kind: Literal["relative", "absolute"] = Field(
        description="A share of the control, or a number in the metric's own unit."
    )
    value: float = Field(gt=0, description="Largest tolerated loss: 0.02 is two percent when relative.")


class MetricCreate(Incoming):
    """A new metric."""

    key: Key
    name: Name
    description: Text = ""
    direction: Direction = Field("increase", description="Which way is better.")
    definition: Definition
    margin: Margin | None = Field(None, description="Makes the metric a guardrail with this margin.")
    owner: Owner = ""
    tags: Tags = Field(default_factory=list[str])
    source: Source = None


class MetricUpdate(Incoming):
    """What may change about a metric; another definition, margin or source makes a new version."""

    name: Name | None = None
    description: Text | None = None
    direction: Direction | None = None
    definition: Definition | None = None
    margin: Margin | None = Field(None, description="null takes the margin away.")
    owner: Owner | None = None
    tags: Tags | None = None
    source: Source = None


class MetricOut(Outgoing):
    """A metric."""

    key: str
    name: str
    description: str
    direction: Direction
    definition: Definition
    margin: Margin | None = None
    owner: str = ""
    tags: list[str] = Field(default_factory=list[str])
    source: str | None = None
    version: int
    created_at: datetime
    updated_at: datetime
