"""What the API says about events.

Verdicts are plain dataclasses: there are as many as events, and validating what we made ourselves would take
longer than storing them.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from assay.events.ingest import Verdict
from assay.shared.schema import Incoming, Name, Outgoing


@dataclass(frozen=True, slots=True)
class EventVerdict:
    """What became of one event."""

    id: Annotated[
        str | None, Field(description="The event's identifier, derived from its content when it had none.")
    ]
    verdict: Verdict
    reason: Annotated[str | None, Field(description="Why it was rejected.")]


@dataclass(frozen=True, slots=True)
class BatchOut:
    """What became of the batch; `verdicts` has one entry per item, in order."""

    accepted: int
    repeated: int
    rejected: int
    verdicts: list[EventVerdict]
    clock_ahead_seconds: Annotated[
        float | None,
        Field(description="How far the sender's clock is ahead of ours, if it sent `Assay-Sent-At`."),
    ] = None


class RejectedOut(Outgoing):
    """An item that was refused, as it came."""

    id: uuid.UUID
    received_at: datetime
    event_id: str | None = Field(description="The identifier it came with.")
    reason: str
    body: str = Field(description="What was sent; at most the first 4,096 characters.")
    cut: bool = Field(description="Whether more was sent than is kept; such an item cannot be replayed.")


class ReplayOut(Outgoing):
    """What became of rejected events that were judged again."""

    accepted: int = Field(description="They passed, are stored now and no longer among the rejected.")
    repeated: int = Field(description="They passed and had been stored meanwhile, likewise.")
    rejected: int = Field(description="They are still refused and stay.")


class EventStatusOut(Outgoing):
    """How the events of an environment fare, from the sender to the lake."""

    accepted: int = Field(description="Acknowledged as new.")
    repeated: int = Field(description="Acknowledged as seen before.")
    rejected: int = Field(description="Refused, with reasons.")
    buffered: int = Field(description="In the database, not sealed yet.")
    sealed: int = Field(description="Moved into the lake since the beginning.")
    sealed_repeated: int = Field(description="Found in the lake already when they were to be sealed.")
    rows: int = Field(description="In the lake now.")
    files: int
    bytes: int
    lag_seconds: float | None = Field(description="Age of the oldest event that is not sealed; null: none.")
    ahead: int = Field(description="Events whose sender's clock ran ahead of ours.")
    max_ahead_seconds: float = Field(description="The furthest of them.")
    sealed_at: datetime | None = Field(description="When this environment was sealed last.")
    error: str | None = Field(description="Why sealing does not succeed at the moment.")
    error_at: datetime | None


class ForgetRequest(Incoming):
    """Whose events are to be deleted."""

    unit: Name = Field(description="The unit as events name it, as their unit or among their other units.")


class ForgottenOut(Outgoing):
    """How many rows were deleted, by where they were."""

    assignments: int = Field(0, description="Variants that sticky experiments had kept of the unit.")
    buffered: int
    sealed: int
    rejected: int
