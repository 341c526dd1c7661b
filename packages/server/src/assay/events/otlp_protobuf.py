"""OTLP in its binary encoding, and the answers to it. Imported when the first such request comes."""

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from assay.events.errors import UnreadableBatch
from assay.events.otlp import Occurrence, Value


def read_logs(body: bytes) -> list[Occurrence]:
    """The log records of an export request.

    Raises:
        UnreadableBatch: It is none.
    """
    try:
        return list(_log_records(ExportLogsServiceRequest.FromString(body)))
    except DecodeError as error:
        raise UnreadableBatch(f"the body is not an export request of OTLP: {error}") from error


def read_traces(body: bytes) -> list[Occurrence]:
    """The events of the spans of an export request.

    Raises:
        UnreadableBatch: It is none.
    """
    try:
        return list(_span_events(ExportTraceServiceRequest.FromString(body)))
    except DecodeError as error:
        raise UnreadableBatch(f"the body is not an export request of OTLP: {error}") from error


def logs_answer(rejected: int, message: str) -> bytes:
    """The answer to an export of logs."""
    answer = ExportLogsServiceResponse()
    if rejected:
        answer.partial_success.rejected_log_records = rejected
        answer.partial_success.error_message = message
    return answer.SerializeToString()


def traces_answer(rejected: int, message: str) -> bytes:
    """The answer to an export of spans."""
    answer = ExportTraceServiceResponse()
    if rejected:
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = message
    return answer.SerializeToString()


def _log_records(request: ExportLogsServiceRequest) -> Iterator[Occurrence]:
    for resource in request.resource_logs:
        common = _attributes(resource.resource.attributes)
        for record in (record for scope in resource.scope_logs for record in scope.log_records):
            yield Occurrence(
                record.event_name,
                record.time_unix_nano or record.observed_time_unix_nano,
                record.trace_id.hex(),
                record.span_id.hex(),
                common | _attributes(record.attributes),
            )


def _span_events(request: ExportTraceServiceRequest) -> Iterator[Occurrence]:
    for resource in request.resource_spans:
        common = _attributes(resource.resource.attributes)
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            for event in span.events:
                yield Occurrence(
                    event.name,
                    event.time_unix_nano,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    common | _attributes(event.attributes),
                )


def _attributes(attributes: Iterable[KeyValue]) -> dict[str, Value]:
    return {each.key: _plain(each.value) for each in attributes}


def _plain(value: AnyValue) -> Value:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case _:
            return None
