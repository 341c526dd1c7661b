"""OTLP over HTTP: an exporter of logs or traces pointed at `/api/v1/otlp` makes exposures of evaluations."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from assay.events import otlp, otlp_json
from assay.events.decoding import JSON, media_type
from assay.events.errors import BatchTooLong, UnknownEncoding, UnreadableBatch, UnreadableEncoding
from assay.events.otlp import Occurrence
from assay.events.reception import Reader, Receiving
from assay.events.wire import Malformed

router = APIRouter(prefix="/otlp/v1", tags=["events"])

PROTOBUF = "application/x-protobuf"
_OBJECT = {"type": "object", "description": "OTLP 1.x in its JSON encoding."}
_BINARY = {"type": "string", "format": "binary"}
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": _OBJECT}, PROTOBUF: {"schema": _BINARY}},
    },
    "responses": {
        "200": {
            "description": "Taken; `partialSuccess` counts what was refused and says why.",
            "content": {JSON: {"schema": _OBJECT}, PROTOBUF: {"schema": _BINARY}},
        }
    },
}


@router.post("/logs", response_class=Response, openapi_extra=_OPENAPI)
async def export_logs(receiving: Receiving) -> Response:
    """Takes log records; evaluations of flags among them are exposures, all others are passed over."""
    return await _export(receiving, "logs", "rejectedLogRecords")


@router.post("/traces", response_class=Response, openapi_extra=_OPENAPI)
async def export_traces(receiving: Receiving) -> Response:
    """Takes spans; evaluations of flags among their events are exposures, all else is passed over."""
    return await _export(receiving, "traces", "rejectedSpans")


async def _export(receiving: Receiving, signal: str, counted_as: str) -> Response:
    try:
        stored = await receiving.store(lambda content_type: _reader(signal, content_type))
    except (UnreadableBatch, BatchTooLong, UnreadableEncoding) as error:
        # The protocol's word for what would be wrong however often it was sent.
        raise HTTPException(HTTPStatus.BAD_REQUEST, error.message) from error
    reasons = [each.reason for each in stored.batch.rejections]
    message = "; ".join(sorted(set(reasons))[:3])
    if media_type(receiving.request.headers.get("content-type")) == PROTOBUF:
        return Response(_protobuf_answer(signal, len(reasons), message), media_type=PROTOBUF)
    refused = {"partialSuccess": {counted_as: str(len(reasons)), "errorMessage": message}}
    return Response(msgspec.json.encode(refused if reasons else {}), media_type=JSON)


def _reader(signal: str, content_type: str | None) -> Reader:
    read = _decoder(signal, media_type(content_type))
    return lambda body: otlp.exposures(read(body))


def _decoder(signal: str, essence: str) -> Callable[[bytes], Sequence[Occurrence | Malformed]]:
    if essence == JSON:
        return otlp_json.read_logs if signal == "logs" else otlp_json.read_traces
    if essence == PROTOBUF:
        from assay.events import otlp_protobuf  # noqa: PLC0415 — its messages load slowly, and many never need them

        return otlp_protobuf.read_logs if signal == "logs" else otlp_protobuf.read_traces
    raise UnknownEncoding(f"OTLP is read as {PROTOBUF} or {JSON}, not as {essence!r}", value=essence)


def _protobuf_answer(signal: str, rejected: int, message: str) -> bytes:
    from assay.events import otlp_protobuf  # noqa: PLC0415 — as above

    answer = otlp_protobuf.logs_answer if signal == "logs" else otlp_protobuf.traces_answer
    return answer(rejected, message)
