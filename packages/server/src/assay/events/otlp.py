"""Exposures out of OpenTelemetry: evaluations of flags, as the hooks of every OpenFeature SDK report them.

Semantic conventions 1.44 (`feature_flag.evaluation`) and the older names that released hooks still send. A
flag stands for an experiment of the same name, unless an attribute says which one it belongs to.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from assay.events import wire
from assay.events.errors import BatchTooLong
from assay.events.wire import MAX_EVENTS, AnyEvent, Malformed

Value = str | bool | int | float | None
EVENTS = frozenset({"feature_flag.evaluation", "feature_flag"})
EXPERIMENT = ("assay.experiment", "feature_flag.experiment", "experimentId")
VARIANT = ("feature_flag.result.variant", "feature_flag.variant")
# What the flag gave stands for the variant where there is none, as the conventions have it.
RESULT = ("feature_flag.result.value", "feature_flag.evaluation.value")
FAILURE = (
    "error.type",
    "feature_flag.error.message",
    "feature_flag.evaluation.error.message",
    "error.message",
)
KEPT = {
    "flag": ("feature_flag.key",),
    "reason": ("feature_flag.result.reason", "feature_flag.evaluation.reason"),
    "provider": ("feature_flag.provider.name", "feature_flag.provider_name"),
    "set": ("feature_flag.set.id",),
    "version": ("feature_flag.version",),
    "service": ("service.name",),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A log record or an event of a span, whichever encoding it came in.

    Attributes:
        nanoseconds: When, since 1970; 0 is unknown.
        attributes: Its own over those of the resource.
    """

    name: str
    nanoseconds: int
    trace_id: str
    span_id: str
    attributes: Mapping[str, Value]


def exposures(occurrences: Iterable[Occurrence | Malformed]) -> Sequence[AnyEvent | Malformed]:
    """The exposures among what was observed; anything else, and evaluations that failed, are passed over.

    What could not be read stays what it is, so that its sender is told.

    Raises:
        BatchTooLong: There are more than 10,000.
    """
    evaluations = [each for each in occurrences if isinstance(each, Malformed) or _is_evaluation(each)]
    if len(evaluations) > MAX_EVENTS:
        raise BatchTooLong(f"{len(evaluations):,} evaluations; send at most {MAX_EVENTS:,} in one request")
    return [
        each if isinstance(each, Malformed) else wire.read_one(msgspec.json.encode(_exposure(each)))
        for each in evaluations
    ]


def _is_evaluation(occurrence: Occurrence) -> bool:
    return _name(occurrence) in EVENTS and not _has_failed(occurrence)


def _name(occurrence: Occurrence) -> Value:
    return occurrence.name or occurrence.attributes.get("event.name")


def _has_failed(occurrence: Occurrence) -> bool:
    return _variant(occurrence) is None and _first(occurrence, FAILURE) is not None


def _exposure(occurrence: Occurrence) -> dict[str, object]:
    # What is missing stays away, so that the one reader of events says what is wrong with it.
    parts: dict[str, object] = {
        "experiment": _text(_first(occurrence, (*EXPERIMENT, "feature_flag.key"))),
        "variant": _variant(occurrence),
        "unit": _text(occurrence.attributes.get("feature_flag.context.id")),
        "at": _moment(occurrence.nanoseconds),
    }
    known = {name: value for name, value in parts.items() if value is not None}
    kept = {name: value for name, names in KEPT.items() if (value := _first(occurrence, names)) is not None}
    return {"kind": "exposure", "id": _identifier(occurrence, known), **known, "properties": kept}


def _identifier(occurrence: Occurrence, parts: Mapping[str, object]) -> str:
    content = (occurrence.trace_id, occurrence.span_id, occurrence.nanoseconds, sorted(parts.items()))
    return "otel:" + hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()


def _variant(occurrence: Occurrence) -> str | None:
    return _text(_first(occurrence, (*VARIANT, *RESULT)))


def _first(occurrence: Occurrence, names: Iterable[str]) -> Value:
    return next((value for name in names if (value := occurrence.attributes.get(name)) is not None), None)


def _text(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _moment(nanoseconds: int) -> str | None:
    if nanoseconds <= 0:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat()
    except OverflowError:
        return None
