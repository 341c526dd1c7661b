"""Decides, without any I/O, what becomes of each item of a batch."""

import hashlib
import math
import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

import msgspec

from assay.events.wire import AnyEvent, Exposure, Malformed

# In JSON, where an even number of backslashes before it would make it plain text.
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_encode = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="deterministic").encode


class Verdict(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    REJECTED = "rejected"


# A struct, because there may be a hundred thousand a second: a frozen dataclass takes ten times as long.
class Row(msgspec.Struct, frozen=True, gc=False):
    """An acceptable event, as it will be stored; `units` and `properties` are JSON."""

    event_id: str
    kind: str
    name: str
    unit: str
    units: str | None
    at: datetime
    variant: str | None
    value: float | None
    properties: str | None


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """An item that is not stored, why, and what was sent."""

    event_id: str | None
    reason: str
    body: str = ""


@dataclass(frozen=True)
class Sorted:
    """The batch in its order: what may be stored, and what may not.

    Attributes:
        ahead: How many of its rows are later than the clock they were judged by.
        max_ahead_seconds: How far the latest of them is ahead of it.
    """

    items: Sequence[Row | Rejection]
    ahead: int = 0
    max_ahead_seconds: float = 0.0

    @cached_property
    def rows(self) -> list[Row]:
        """What may be stored, in order; an identifier may be there several times."""
        return [item for item in self.items if type(item) is Row]

    @cached_property
    def identifiers(self) -> list[str]:
        """Those of the rows, in order."""
        return [row.event_id for row in self.rows]

    @property
    def rejections(self) -> list[Rejection]:
        """What may not be stored, in order."""
        return [item for item in self.items if isinstance(item, Rejection)]


def sort(
    batch: Sequence[AnyEvent | Malformed], *, now: datetime, max_ahead: timedelta, may_hold_nul: bool = True
) -> Sorted:
    """Rows to store and rejections with reasons, one per item, in the order they came.

    Args:
        may_hold_nul: Whether a text may contain the character NUL or a value be infinite; JSON without
            `\\u0000` cannot, and looking for it once in the body saves looking into every event.
    """
    latest = now + max_ahead
    items = [_judge(event, latest) for event in batch]
    if may_hold_nul:
        items = [_storable(item, event) for item, event in zip(items, batch, strict=True)]
    ahead = [item.at for item in items if type(item) is Row and item.at > now]
    furthest = (max(ahead) - now).total_seconds() if ahead else 0.0
    return Sorted(items, len(ahead), furthest)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A sorted batch and the environment it is for."""

    environment_id: uuid.UUID
    batch: Sorted


@dataclass(frozen=True, slots=True)
class Distinct:
    """What several arrivals hold, each event once.

    Attributes:
        rows: By environment, the first row of each identifier.
        known: For each arrival, its identifiers that an earlier one has too.
    """

    rows: dict[uuid.UUID, dict[str, Row]]
    known: list[set[str]]


def distinct(arrivals: Sequence[Arrival]) -> Distinct:
    """The events of arrivals that share a transaction; of equal identifiers the first is the event."""
    rows: dict[uuid.UUID, dict[str, Row]] = {}
    known: list[set[str]] = []
    for arrival in arrivals:
        batch, before = arrival.batch, rows.setdefault(arrival.environment_id, {})
        known.append(before.keys() & batch.identifiers)
        for identifier, row in zip(batch.identifiers, batch.rows, strict=True):
            before.setdefault(identifier, row)
    return Distinct(rows, known)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events of a batch were new, known and refused."""

    accepted: int
    repeated: int
    rejected: int


def counts(batch: Sorted, *, known: Collection[str]) -> Counts:
    """What became of a batch, in numbers.

    Args:
        known: Identifiers that were stored before this batch.
    """
    rows = len(batch.rows)
    accepted = len(set(batch.identifiers).difference(known))
    return Counts(accepted, rows - accepted, len(batch.items) - rows)


@dataclass(slots=True)
class Sums:
    """What became of all events of an environment that were stored together."""

    accepted: int = 0
    repeated: int = 0
    rejected: int = 0
    ahead: int = 0
    max_ahead_seconds: float = 0.0


def sums(arrivals: Sequence[Arrival], known: Sequence[Collection[str]]) -> dict[uuid.UUID, Sums]:
    """The counts of several batches, by environment.

    Args:
        known: For each batch its identifiers that were stored before it.
    """
    totals: dict[uuid.UUID, Sums] = {}
    for arrival, before in zip(arrivals, known, strict=True):
        total, batch = totals.setdefault(arrival.environment_id, Sums()), arrival.batch
        counted = counts(batch, known=before)
        total.accepted += counted.accepted
        total.repeated += counted.repeated
        total.rejected += counted.rejected
        total.ahead += batch.ahead
        total.max_ahead_seconds = max(total.max_ahead_seconds, batch.max_ahead_seconds)
    return totals


def verdicts(
    items: Iterable[Row | Rejection], *, known: Collection[str]
) -> list[tuple[str | None, Verdict, str | None]]:
    """Identifier, verdict and reason per item; of equal identifiers the first is the event.

    Args:
        known: Identifiers that were stored before this batch.
    """
    seen = set(known)
    answers: list[tuple[str | None, Verdict, str | None]] = []
    for item in items:
        if isinstance(item, Rejection):
            answers.append((item.event_id, Verdict.REJECTED, item.reason))
        elif item.event_id in seen:
            answers.append((item.event_id, Verdict.REPEATED, None))
        else:
            seen.add(item.event_id)
            answers.append((item.event_id, Verdict.ACCEPTED, None))
    return answers


def _judge(event: AnyEvent | Malformed, latest: datetime) -> Row | Rejection:
    if isinstance(event, Malformed):
        return Rejection(event.id, event.reason, event.body)
    reason = _fault(event, latest)
    return _row(event) if reason is None else _rejection(event, reason)


def _fault(event: AnyEvent, latest: datetime) -> str | None:
    at = event.at
    if at > latest:
        return (
            f"at {at.isoformat()} lies in the future (accepted up to {latest.isoformat()}); "
            "set the sender's clock"
        )
    if at.year == 1 and at < _EARLIEST:
        return f"at {at.isoformat()} lies before year 1 in UTC"
    if event.unit is None and event.units is None:
        return "it has neither `unit` nor `units`; say who it is about"
    return None


def _row(event: AnyEvent) -> Row:
    identifier = event.id or _derived_id(event)
    units = None if event.units is None else _encode(event.units).decode()
    unit = event.unit or next(iter((event.units or {}).values()))
    properties = None if event.properties is None else _encode(event.properties).decode()
    if isinstance(event, Exposure):
        name, variant = event.experiment, event.variant
        return Row(identifier, "exposure", name, unit, units, event.at, variant, None, properties)
    return Row(identifier, "event", event.name, unit, units, event.at, None, event.value, properties)


def _derived_id(event: AnyEvent) -> str:
    # The content is the identity: the same event sent again without an id is the same event.
    return "derived:" + hashlib.blake2b(_canonical(event), digest_size=16).hexdigest()


def _storable(item: Row | Rejection, event: AnyEvent | Malformed) -> Row | Rejection:
    if isinstance(item, Rejection) or isinstance(event, Malformed):
        return item
    texts = (item.event_id, item.name, item.unit, item.variant or "")
    documents = (item.units or "", item.properties or "")
    if any("\x00" in text for text in texts) or any(_ESCAPED_NUL.search(each) for each in documents):
        return _rejection(event, "a text contains the character NUL, which cannot be stored")
    if item.value is not None and not math.isfinite(item.value):
        return _rejection(event, f"value {item.value} is not a finite number")
    return item


def _rejection(event: AnyEvent, reason: str) -> Rejection:
    return Rejection(event.id, reason, _encode(event).decode())
