"""What the API answers to a batch of events.

Plain dataclasses: there are as many verdicts as events, and validating what we made ourselves would take
longer than storing them.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from assay.events.ingest import Verdict


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
