"""OTLP in its JSON encoding; fields that are not known here are passed over, as the protocol asks.

A field that is null is one that was left out: so says the mapping of Protocol Buffers to JSON. A record that
is malformed does not spoil the others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from assay.events.errors import UnreadableBatch
from assay.events.otlp import Occurrence, Value
from assay.events.wire import UNREADABLE, Malformed

Request = TypeVar("Request")
Part = TypeVar("Part")
Integer = str | int


class _Value(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Integer | None = None
    double_value: float | str | None = None

    @property
    def plain(self) -> Value:
        given = (self.string_value, self.bool_value, self.double_value)
        return next((each for each in given if each is not None), _integer(self.int_value))


class _Attribute(msgspec.Struct):
    key: str
    value: _Value | None = None


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] | None = None


class _LogRecord(msgspec.Struct, rename="camel"):
    time_unix_nano: Integer | None = None
    observed_time_unix_nano: Integer | None = None
    event_name: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[_Attribute] | None = None


class _ScopeLogs(msgspec.Struct, rename="camel"):
    log_records: list[msgspec.Raw] | None = None


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Logs(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] | None = None


class _SpanEvent(msgspec.Struct, rename="camel"):
    name: str | None = None
    time_unix_nano: Integer | None = None
    attributes: list[_Attribute] | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    events: list[msgspec.Raw] | None = None


class _ScopeSpans(msgspec.Struct):
    spans: list[msgspec.Raw] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


def read_logs(body: bytes) -> list[Occurrence | Malformed]:
    """The log records of an export request.

    Raises:
        UnreadableBatch: It is none, or not one of them can be read.
    """
    return _read(body, _Logs, _log_records)


def read_traces(body: bytes) -> list[Occurrence | Malformed]:
    """The events of the spans of an export request.

    Raises:
        UnreadableBatch: It is none, or not one of them can be read.
    """
    return _read(body, _Traces, _span_events)


def _read(
    body: bytes, kind: type[Request], occurrences: Callable[[Request], Iterator[Occurrence | Malformed]]
) -> list[Occurrence | Malformed]:
    try:
        found = list(occurrences(msgspec.json.decode(body, type=kind)))
    except UNREADABLE as error:
        raise UnreadableBatch(f"the body is not OTLP in JSON: {error}") from error
    malformed = [each for each in found if isinstance(each, Malformed)]
    if malformed and len(malformed) == len(found):
        raise UnreadableBatch(f"the body is not OTLP in JSON: {malformed[0].reason}")
    return found


def _log_records(request: _Logs) -> Iterator[Occurrence | Malformed]:
    for resource in request.resource_logs or ():
        common = _of_resource(resource.resource)
        for raw in (raw for scope in resource.scope_logs or () for raw in scope.log_records or ()):
            yield _each(raw, partial(_log_record, common=common))


def _log_record(raw: msgspec.Raw, *, common: Mapping[str, Value]) -> Occurrence:
    record = msgspec.json.decode(raw, type=_LogRecord)
    return Occurrence(
        record.event_name or "",
        _integer(record.time_unix_nano) or _integer(record.observed_time_unix_nano) or 0,
        (record.trace_id or "").lower(),
        (record.span_id or "").lower(),
        {**common, **_attributes(record.attributes)},
    )


def _span_events(request: _Traces) -> Iterator[Occurrence | Malformed]:
    for resource in request.resource_spans or ():
        common = _of_resource(resource.resource)
        for raw in (raw for scope in resource.scope_spans or () for raw in scope.spans or ()):
            span = _each(raw, partial(msgspec.json.decode, type=_Span))
            if isinstance(span, Malformed):
                yield span
                continue
            for event in span.events or ():
                yield _each(event, partial(_span_event, span=span, common=common))


def _span_event(raw: msgspec.Raw, *, span: _Span, common: Mapping[str, Value]) -> Occurrence:
    event = msgspec.json.decode(raw, type=_SpanEvent)
    return Occurrence(
        event.name or "",
        _integer(event.time_unix_nano) or 0,
        (span.trace_id or "").lower(),
        (span.span_id or "").lower(),
        {**common, **_attributes(event.attributes)},
    )


def _each(raw: msgspec.Raw, read: Callable[[msgspec.Raw], Part]) -> Part | Malformed:
    try:
        return read(raw)
    except (*UNREADABLE, ValueError) as error:
        return Malformed(str(error), None, bytes(raw).decode("utf-8", "replace"))


def _of_resource(resource: _Resource | None) -> dict[str, Value]:
    return {} if resource is None else _attributes(resource.attributes)


def _attributes(attributes: Sequence[_Attribute] | None) -> dict[str, Value]:
    return {each.key: each.value.plain for each in attributes or () if each.value is not None}


def _integer(value: Integer | None) -> int | None:
    return None if value is None else int(value)
