"""What the API answers to a batch of events."""

from pydantic import Field

from assay.events.ingest import Verdict
from assay.shared.schema import Outgoing


class EventVerdict(Outgoing):
    """What became of one event."""

    id: str | None = Field(description="The event's identifier, derived from its content when it had none.")
    verdict: Verdict
    reason: str | None = Field(description="Why it was rejected.")


class BatchOut(Outgoing):
    """What became of the batch; `verdicts` has one entry per item, in order."""

    accepted: int
    repeated: int
    rejected: int
    verdicts: list[EventVerdict]
