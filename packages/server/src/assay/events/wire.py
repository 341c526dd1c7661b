"""Events as they travel: read strictly and fast, each on its own when the batch is not clean."""

import json
from collections.abc import Sequence, Sized
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec

from assay.events.errors import BatchTooLong, UnreadableBatch

MAX_EVENTS = 10_000
MAX_PROPERTIES = 100
MAX_UNITS = 10
# Not the syntax alone: nesting a thousand levels deep is an error of recursion.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Units = Annotated[
    dict[Identifier, Identifier],
    msgspec.Meta(
        min_length=1,
        max_length=MAX_UNITS,
        description="Identifiers by kind, such as `user` and `device`; `unit` is the first unless given.",
    ),
]
At = Annotated[datetime, msgspec.Meta(tz=True, description="When it happened, ISO 8601 with an offset.")]
Properties = Annotated[dict[Identifier, bool | float | str | None], msgspec.Meta(max_length=MAX_PROPERTIES)]


# What has its default is left out of the encoding, so that a field added later changes no derived identifier.
class Exposure(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="exposure",
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
):
    """A unit met a variant of an experiment; `unit` or `units` says who."""

    experiment: Identifier
    variant: Identifier
    at: At
    unit: Identifier | None = None
    units: Units | None = None
    id: Identifier | None = None
    properties: Properties | None = None


class MetricEvent(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="event",
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
):
    """A unit did something, perhaps with a value; `unit` or `units` says who."""

    name: Identifier
    at: At
    unit: Identifier | None = None
    units: Units | None = None
    value: float | None = None
    id: Identifier | None = None
    properties: Properties | None = None


AnyEvent = Exposure | MetricEvent


class Malformed(msgspec.Struct, frozen=True):
    """An item of the batch that is not an event, with the reason and what was sent."""

    reason: str
    id: str | None
    body: str = ""


_batch = msgspec.json.Decoder(list[AnyEvent])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_one = msgspec.json.Decoder(AnyEvent)
_loose = msgspec.json.Decoder(dict[str, Any])


def read_batch(body: bytes) -> Sequence[AnyEvent | Malformed]:
    """The events of a JSON array, in order; a bad item does not spoil the others.

    Raises:
        UnreadableBatch: The body is not a JSON array.
        BatchTooLong: It has more than 10,000 items.
    """
    try:
        events = _batch.decode(body)
    except UNREADABLE:
        items = _split(body)
        _require_short(items)
        return [read_one(item) for item in items]
    _require_short(events)
    return events


def read_lines(body: bytes) -> Sequence[AnyEvent | Malformed]:
    """The events of NDJSON, one a line, in order; a bad line, or half of one, does not spoil the others.

    Raises:
        BatchTooLong: It has more than 10,000 lines that are not empty.
    """
    try:
        events = _one.decode_lines(body)
    except UNREADABLE:
        lines = [line for line in body.split(b"\n") if line.strip()]
        _require_short(lines)
        return [read_one(line) for line in lines]
    _require_short(events)
    return events


def read_one(item: msgspec.Raw | bytes) -> AnyEvent | Malformed:
    """One event, or why it is none."""
    try:
        return _one.decode(item)
    except UNREADABLE as error:
        return Malformed(_reason(error), _identifier_of(item), bytes(item).decode("utf-8", "replace"))


def json_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a batch and the definitions it refers to, for the API's description."""
    _, definitions = msgspec.json.schema_components([AnyEvent], ref_template="#/components/schemas/{name}")
    kinds = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in (Exposure, MetricEvent)]
    others = {"description": "Anything else is answered with the verdict `rejected` and its reason."}
    return {"type": "array", "maxItems": MAX_EVENTS, "items": {"anyOf": [*kinds, others]}}, definitions


def _reason(error: Exception) -> str:
    """What is wrong, and where a field is unknown, which ones there are."""
    if "unknown field" not in str(error):
        return str(error)
    known = [f"{kind.__name__}: {', '.join(kind.__struct_fields__)}" for kind in (Exposure, MetricEvent)]
    return f"{error}; other facts belong into `properties` ({'; '.join(known)})"


def _require_short(batch: Sized) -> None:
    if len(batch) > MAX_EVENTS:
        raise BatchTooLong(
            f"the batch has {len(batch):,} events; send at most {MAX_EVENTS:,} in one request",
            value=len(batch),
        )


def _split(body: bytes) -> Sequence[msgspec.Raw | bytes]:
    try:
        return _items.decode(body)
    except UNREADABLE as error:
        return _split_with_care(body, error)


def _split_with_care(body: bytes, error: Exception) -> list[bytes]:
    # Half of a surrogate pair, or the NaN that some writers make, must not take the whole batch with it.
    try:
        items = json.loads(body)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        raise UnreadableBatch(f"the body is not a JSON array of events: {error}") from error
    return [json.dumps(item).encode() for item in cast("list[object]", items)]


def _identifier_of(item: msgspec.Raw | bytes) -> str | None:
    try:
        identifier = _loose.decode(item).get("id")
    except UNREADABLE:
        return None
    return identifier if isinstance(identifier, str) else None
