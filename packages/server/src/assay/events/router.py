"""Events over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from assay.core.clock import utc_now
from assay.events import answering, decoding, wire
from assay.events.reception import Receiving
from assay.events.schemas import BatchOut
from assay.shared.schema import Instant

router = APIRouter(prefix="/events", tags=["events"])

BODY_SCHEMA, DEFINITIONS = wire.json_schema()
_LINES = {"type": "string", "description": "One event a line, each as an item of the array."}
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {decoding.JSON: {"schema": BODY_SCHEMA}, decoding.NDJSON: {"schema": _LINES}},
    }
}


@router.post("", status_code=202, response_model=BatchOut, openapi_extra=_OPENAPI)
async def send_events(
    receiving: Receiving,
    sent_at: Annotated[
        Instant | None,
        Header(alias="Assay-Sent-At", description="The sender's clock when it sent this, ISO 8601."),
    ] = None,
) -> Response:
    """Takes a batch of exposures and metric events; sending one again changes nothing."""
    ahead = None if sent_at is None else _ahead_seconds(sent_at)
    stored = await receiving.store(decoding.reader)
    body = answering.write(stored.batch, known=stored.known, clock_ahead_seconds=ahead)
    return Response(body, status_code=202, media_type="application/json")


def _ahead_seconds(sent_at: datetime) -> float:
    return (sent_at - utc_now()).total_seconds()
