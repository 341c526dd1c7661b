"""Evaluations of flags out of OpenTelemetry, in both encodings and with the names of all its versions."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from sqlalchemy import text

from assay.core.database import Database
from assay.events import ingest
from assay.events.otlp import Occurrence, exposures
from assay.events.wire import Exposure, Malformed

pytestmark = pytest.mark.anyio
LOGS, TRACES = "/api/v1/otlp/v1/logs", "/api/v1/otlp/v1/traces"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
NANOSECONDS = 1_790_000_000_123_456_789
NEW = {
    "feature_flag.key": "checkout",
    "feature_flag.result.variant": "treatment",
    "feature_flag.context.id": "u1",
    "feature_flag.provider.name": "flagd",
    "feature_flag.result.reason": "split",
    "feature_flag.set.id": "shop",
}
OLD = {
    "feature_flag.key": "checkout",
    "feature_flag.variant": "treatment",
    "feature_flag.context.id": "u1",
    "feature_flag.provider_name": "flagd",
    "feature_flag.evaluation.reason": "split",
}


def an_evaluation(
    changes: dict[str, Any] | None = None, *, name: str = "feature_flag.evaluation"
) -> Occurrence:
    return Occurrence(name, NANOSECONDS, "ab" * 16, "cd" * 8, NEW | (changes or {}))


def one(occurrence: Occurrence) -> Exposure | object:
    (event,) = exposures([occurrence])
    return event


@pytest.mark.parametrize("names", [NEW, OLD])
@pytest.mark.parametrize("name", ["feature_flag.evaluation", "feature_flag"])
def test_an_evaluation_is_an_exposure_whatever_its_names(name: str, names: dict[str, Any]) -> None:
    event = one(Occurrence(name, NANOSECONDS, "", "", names))

    assert isinstance(event, Exposure)
    assert (event.experiment, event.variant, event.unit) == ("checkout", "treatment", "u1")
    assert event.at.isoformat() == "2026-09-21T14:13:20.123456+00:00"
    assert event.properties is not None
    assert event.properties["provider"] == "flagd"
    assert event.properties["reason"] == "split"


def test_an_attribute_may_name_the_experiment() -> None:
    event = one(an_evaluation({"assay.experiment": "checkout-2026"}))

    assert isinstance(event, Exposure)
    assert event.experiment == "checkout-2026"


@pytest.mark.parametrize(("value", "variant"), [(True, "true"), (0.5, "0.5"), ("blue", "blue"), (7, "7")])
def test_what_the_flag_gave_stands_for_a_variant_that_is_missing(value: object, variant: str) -> None:
    event = one(an_evaluation({"feature_flag.result.variant": None, "feature_flag.result.value": value}))

    assert isinstance(event, Exposure)
    assert event.variant == variant


@pytest.mark.parametrize(
    "missing", ["feature_flag.context.id", "feature_flag.key", "feature_flag.result.variant"]
)
def test_an_evaluation_of_nobody_knows_what_is_refused(missing: str) -> None:
    batch = exposures([an_evaluation({missing: None})])

    (item,) = ingest.sort(batch, now=datetime(2027, 1, 1, tzinfo=UTC), max_ahead=timedelta()).items
    assert isinstance(item, ingest.Rejection)


def test_failed_evaluations_and_everything_else_are_passed_over() -> None:
    failed = an_evaluation({"feature_flag.result.variant": None, "error.type": "flag_not_found"})

    assert exposures([failed, an_evaluation(name="http.request"), Occurrence("", 1, "", "", {})]) == []


def test_the_same_evaluation_exported_again_is_the_same_event() -> None:
    again, other = an_evaluation(), an_evaluation({"feature_flag.context.id": "u2"})

    identifiers = [event.id for event in exposures([an_evaluation(), again, other])]

    assert identifiers[0] == identifiers[1] != identifiers[2]


@pytest.mark.parametrize("nanoseconds", [0, -1, 2**63, 2**200])
def test_an_impossible_time_is_refused(nanoseconds: int) -> None:
    assert isinstance(one(Occurrence("feature_flag", nanoseconds, "", "", NEW)), Malformed | Exposure)


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    record = {
        "timeUnixNano": str(NANOSECONDS), "eventName": "feature_flag.evaluation", "severityNumber": 9,
        "traceId": "AB" * 16, "spanId": "CD" * 8, "attributes": attributes(NEW),
    }  # fmt: skip
    resource = {"attributes": attributes({"service.name": "shop"})}
    scope = {"scope": {"name": "hooks"}, "logRecords": [record | each for each in records]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [scope], "schemaUrl": "x"}]}


def traces(name: str, values: dict[str, Any]) -> dict[str, Any]:
    event = {"timeUnixNano": NANOSECONDS, "name": name, "attributes": attributes(values)}
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "GET /", "kind": 2, "events": [event]}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


async def stored(database: Database) -> list[tuple[object, ...]]:
    async with database.reading() as tx:
        rows = await tx.execute(
            text(
                "SELECT name, variant, unit, properties::json->>'service' FROM event WHERE kind = 'exposure'"
            )
        )
        return [tuple(row) for row in rows]


async def test_logs_in_json_are_stored_and_repeats_are_not(
    client: httpx2.AsyncClient, database: Database
) -> None:
    first = await client.post(LOGS, json=logs({}))
    second = await client.post(LOGS, json=logs({}))

    assert (first.status_code, first.json()) == (second.status_code, second.json()) == (200, {})
    assert await stored(database) == [("checkout", "treatment", "u1", "shop")]


async def test_what_is_refused_is_told_as_partial_success(client: httpx2.AsyncClient) -> None:
    answer = await client.post(LOGS, json=logs({}, {"attributes": attributes({"feature_flag.key": "x"})}))

    partial = answer.json()["partialSuccess"]
    assert partial["rejectedLogRecords"] == "1"
    assert "variant" in partial["errorMessage"]


@pytest.mark.parametrize(
    ("malformed", "reason"),
    [
        ({"timeUnixNano": "soon"}, "invalid literal"),
        ({"attributes": "none"}, "Expected `array | null`, got `str`"),
        ({"traceId": 5}, "got `int`"),
    ],
)
async def test_a_record_that_cannot_be_read_does_not_spoil_the_others(
    client: httpx2.AsyncClient, database: Database, malformed: dict[str, Any], reason: str
) -> None:
    spans = traces("feature_flag", OLD | {"feature_flag.context.id": "u2"})
    (event,) = spans["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["events"]
    spans["resourceSpans"][0]["scopeSpans"][0]["spans"] += [{"events": [event | malformed]}, 17]

    of_logs = (await client.post(LOGS, json=logs({}, malformed))).json()["partialSuccess"]
    of_spans = (await client.post(TRACES, json=spans)).json().get("partialSuccess")

    assert of_logs["rejectedLogRecords"] == "1"
    assert reason in of_logs["errorMessage"]
    # An event of a span has no id of a trace, so that field is passed over there.
    assert of_spans["rejectedSpans"] == ("1" if "traceId" in malformed else "2")
    assert {unit for _, _, unit, _ in await stored(database)} == {"u1", "u2"}


async def test_a_field_that_is_null_is_one_that_was_left_out(
    client: httpx2.AsyncClient, database: Database
) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("traceId", "spanId", "observedTimeUnixNano", "severityText", "body")
    )
    other = {"resourceLogs": [{"resource": None, "scopeLogs": None}, *logs(nothing)["resourceLogs"]]}
    spans = traces("feature_flag", OLD | {"feature_flag.context.id": "u2"})
    spans["resourceSpans"][0]["scopeSpans"][0]["spans"] += [{"name": "GET /", "events": None}]

    answers = [
        await client.post(LOGS, json=other),
        await client.post(LOGS, json=logs(nothing | {"attributes": None})),
        await client.post(LOGS, json={"resourceLogs": None}),
        await client.post(TRACES, json=spans),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]
    assert [answer.json().keys() for answer in answers] == [set(), {"partialSuccess"}, set(), set()]
    assert {unit for _, _, unit, _ in await stored(database)} == {"u1", "u2"}


@pytest.mark.parametrize("names", [NEW, OLD])
async def test_events_of_spans_are_stored(
    client: httpx2.AsyncClient, database: Database, names: dict[str, Any]
) -> None:
    assert (await client.post(TRACES, json=traces("feature_flag", names))).json() == {}
    assert await stored(database) == [("checkout", "treatment", "u1", None)]


async def test_both_encodings_of_a_record_are_one_event(
    client: httpx2.AsyncClient, database: Database
) -> None:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    record = resource.scope_logs.add().log_records.add(
        time_unix_nano=NANOSECONDS,
        event_name="feature_flag.evaluation",
        trace_id=bytes.fromhex("ab" * 16),
        span_id=bytes.fromhex("cd" * 8),
    )
    for key, value in NEW.items():
        record.attributes.add(key=key).value.string_value = value
    broken = resource.scope_logs[0].log_records.add(event_name="feature_flag")
    broken.attributes.add(key="feature_flag.key").value.int_value = 5

    answer = await client.post(LOGS, content=request.SerializeToString(), headers=PROTOBUF)
    await client.post(LOGS, json=logs({}))

    assert answer.headers["content-type"] == "application/x-protobuf"
    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_log_records == 1
    assert len(await stored(database)) == 1


async def test_spans_in_protobuf_are_stored(client: httpx2.AsyncClient, database: Database) -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(span_id=b"12345678")
    event = span.events.add(name="feature_flag", time_unix_nano=NANOSECONDS)
    for key, value in (OLD | {"feature_flag.variant": None}).items():
        if value is not None:
            event.attributes.add(key=key).value.string_value = value
    event.attributes.add(key="feature_flag.evaluation.value").value.bool_value = True
    event.attributes.add(key="ratio").value.double_value = 0.5
    event.attributes.add(key="list").value.array_value.values.add()

    answer = await client.post(TRACES, content=request.SerializeToString(), headers=PROTOBUF)

    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    assert await stored(database) == [("checkout", "true", "u1", None)]


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"[]", "application/json", 400),
        (b'{"resourceLogs": 5}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (json.dumps(logs({"timeUnixNano": "soon"})).encode(), "application/json", 400),
        (b"\xff\xff\xff", "application/x-protobuf", 400),
        (b"\x0a" * 200_000, "application/x-protobuf", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 200),
        (b"", "application/x-protobuf", 200),
    ],
)
async def test_bodies_that_are_no_export_are_refused(
    client: httpx2.AsyncClient, content: bytes, content_type: str, status: int
) -> None:
    answer = await client.post(LOGS, content=content, headers={"Content-Type": content_type})

    assert answer.status_code == status
