"""Decides, without any I/O, what becomes of each item of a batch."""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from assay.events.wire import AnyEvent, Exposure, Malformed

# In JSON, where an even number of backslashes before it would make it plain text.
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Verdict(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Row:
    """An acceptable event, as it will be stored."""

    event_id: str
    kind: str
    name: str
    unit: str
    at: datetime
    variant: str | None
    value: float | None
    properties: str | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """An item that is not stored, and why."""

    event_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """The batch in its order: what may be stored, and what may not."""

    items: tuple[Row | Rejection, ...]

    @property
    def rows(self) -> list[Row]:
        """The distinct storable rows; the first of equal identifiers wins."""
        distinct: dict[str, Row] = {}
        for item in self.items:
            if isinstance(item, Row):
                distinct.setdefault(item.event_id, item)
        return list(distinct.values())


def sort(batch: Sequence[AnyEvent | Malformed], *, now: datetime, max_ahead: timedelta) -> Sorted:
    """Rows to store and rejections with reasons, one per item, in the order they came."""
    latest = now + max_ahead
    return Sorted(tuple(_judge(event, latest=latest) for event in batch))


def verdicts(batch: Sorted, *, new: frozenset[str]) -> list[tuple[str | None, Verdict, str | None]]:
    """Identifier, verdict and reason per item; `new` are the identifiers the store had not seen."""
    fresh = set(new)
    answers: list[tuple[str | None, Verdict, str | None]] = []
    for item in batch.items:
        if isinstance(item, Rejection):
            answers.append((item.event_id, Verdict.REJECTED, item.reason))
            continue
        verdict = Verdict.ACCEPTED if item.event_id in fresh else Verdict.REPEATED
        fresh.discard(item.event_id)
        answers.append((item.event_id, verdict, None))
    return answers


def _judge(event: AnyEvent | Malformed, *, latest: datetime) -> Row | Rejection:
    if isinstance(event, Malformed):
        return Rejection(event.id, event.reason)
    if event.at > latest:
        return Rejection(
            event.id,
            f"at {event.at.isoformat()} lies in the future (accepted up to {latest.isoformat()}); "
            "set the sender's clock",
        )
    try:
        row = _row(event)
    except OverflowError:
        return Rejection(event.id, f"at {event.at.isoformat()} lies before year 1 in UTC")
    if reason := _unstorable(row):
        return Rejection(event.id, reason)
    return row


def _row(event: AnyEvent) -> Row:
    exposure = isinstance(event, Exposure)
    return Row(
        event_id=event.id or _derived_id(event),
        kind="exposure" if exposure else "event",
        name=event.experiment if exposure else event.name,
        unit=event.unit,
        at=event.at.astimezone(UTC),
        variant=event.variant if exposure else None,
        value=None if exposure else event.value,
        properties=None if event.properties is None else msgspec.json.encode(event.properties).decode(),
    )


def _derived_id(event: AnyEvent) -> str:
    # The content is the identity: the same event sent again without an id is the same event.
    content = msgspec.json.encode(event, order="deterministic")
    return "derived:" + hashlib.blake2b(content, digest_size=16).hexdigest()


def _unstorable(row: Row) -> str | None:
    texts = (row.event_id, row.name, row.unit, row.variant or "")
    if any("\x00" in text for text in texts) or _ESCAPED_NUL.search(row.properties or ""):
        return "a text contains the character NUL, which cannot be stored"
    if row.value is not None and not math.isfinite(row.value):
        return f"value {row.value} is not a finite number"
    return None
