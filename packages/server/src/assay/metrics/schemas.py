"""What the API takes and gives about metrics."""

from datetime import datetime

from pydantic import Field

from assay.metrics.definition import Definition, Direction
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name, Outgoing, Text


class MetricCreate(Incoming):
    """A new metric."""

    key: Key
    name: Name
    description: Text = ""
    direction: Direction = Field("increase", description="Which way is better.")
    definition: Definition


class MetricUpdate(Incoming):
    """What may change about a metric; a new definition makes a new version."""

    name: Name | None = None
    description: Text | None = None
    direction: Direction | None = None
    definition: Definition | None = None


class MetricOut(Outgoing):
    """A metric."""

    key: str
    name: str
    description: str
    direction: Direction
    definition: Definition
    version: int
    created_at: datetime
    updated_at: datetime
