"""What the API answers to a batch of events.

Plain dataclasses: there are as many verdicts as events, and validating what we made ourselves would take
longer than storing them.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from assay.events.ingest import Verdict
from assay.shared.schema import Outgoing


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
