"""How a batch of events can be refused as a whole."""

from assay.shared.errors import AssayError, Denied, Invalid


class UnreadableBatch(Invalid):
    """The body is not a JSON array of events."""

    code = "unreadable_batch"


class BatchTooLong(Invalid):
    """The batch holds more events than one request may carry."""

    code = "batch_too_long"


class TooMuchWaiting(AssayError):
    """More waits for the database than this process takes on."""

    code = "too_much_waiting"


class UnreadableEncoding(Invalid):
    """The body is not compressed the way its headers say."""

    code = "unreadable_encoding"


class UnknownEncoding(AssayError):
    """The body is compressed or written in a way that is not read here."""

    code = "unknown_encoding"


class TooLarge(AssayError):
    """The body is larger than a body may be, once it is no longer compressed."""

    code = "too_large"


class UnknownKey(AssayError):
    """The presented key opens nothing."""

    code = "unknown_key"


class ServerKeyNeeded(Denied):
    """A key that lives in browsers may send events, not read them."""

    code = "server_key_needed"
