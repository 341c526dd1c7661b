"""What the API gives about changes."""

from datetime import datetime
from typing import Any

from pydantic import Field

from assay.audit.diff import Kind
from assay.shared.schema import Outgoing


class ChangeOut(Outgoing):
    """One part of a thing, before and after."""

    kind: Kind
    path: list[str] = Field(description="The way to the part: keys, ids of rules, positions in other lists.")
    before: Any = Field(description="Null also where the part did not exist; `kind` tells.")
    after: Any


class AuditEntryOut(Outgoing):
    """A change that was made."""

    at: datetime
    actor: str = Field(description="Who did it; `local` while there are no users.")
    action: str
    subject: str = Field(description="The thing's place below its project, such as `flags/checkout`.")
    note: str
    changes: list[ChangeOut]
