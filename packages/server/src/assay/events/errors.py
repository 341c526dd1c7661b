"""How a batch of events can be refused as a whole."""

from assay.shared.errors import Invalid


class UnreadableBatch(Invalid):
    """The body is not a JSON array of events."""

    code = "unreadable_batch"


class BatchTooLong(Invalid):
    """The batch holds more events than one request may carry."""

    code = "batch_too_long"
