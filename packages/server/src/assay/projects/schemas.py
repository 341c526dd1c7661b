"""What the API takes and gives about projects."""

from datetime import datetime

from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name, Outgoing


class ProjectCreate(Incoming):
    """A new project; it begins with the environment `production`."""

    key: Key
    name: Name


class ProjectUpdate(Incoming):
    """What may change about a project."""

    name: Name


class ProjectOut(Outgoing):
    """A project."""

    key: str
    name: str
    created_at: datetime
    updated_at: datetime


class EnvironmentCreate(Incoming):
    """A new environment."""

    key: Key
    name: Name


class EnvironmentOut(Outgoing):
    """An environment."""

    key: str
    name: str
    revision: int
    created_at: datetime
    updated_at: datetime
