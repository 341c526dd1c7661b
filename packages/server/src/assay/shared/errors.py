"""The ways a request can fail; the edge alone turns them into status codes."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class Detail(NamedTuple):
    """One of several things that are wrong: where, and what."""

    where: str
    message: str


class AssayError(Exception):
    """A failure with a sentence for people and a stable code for programs."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, value: object = None, details: Sequence[Detail] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.details = tuple(details)


class NotFound(AssayError):
    """The thing does not exist, or the caller may not see it."""

    code = "not_found"


class Conflict(AssayError):
    """The state of things does not allow this; nothing has been changed."""

    code = "conflict"


class Invalid(AssayError):
    """The input is wrong; the message names the value and the way out."""

    code = "invalid"


class Denied(AssayError):
    """The caller may see the thing but not do this to it."""

    code = "denied"


class Stale(AssayError):
    """The thing has changed since the caller read it; nothing has been changed."""

    code = "stale"


class ConditionMissing(AssayError):
    """The caller must say which version of the thing the change is meant for."""

    code = "condition_missing"
