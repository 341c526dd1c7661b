"""Events over HTTP."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from assay.core.dependencies import AppSettings, Now, RetryingRoute, Writes
from assay.events import service, wire
from assay.events.schemas import BatchOut
from assay.projects.service import DEFAULT_ENVIRONMENT, DEFAULT_PROJECT
from assay.shared.ids import Key

router = APIRouter(prefix="/events", tags=["events"], route_class=RetryingRoute)

BODY_SCHEMA, DEFINITIONS = wire.json_schema()
_OPENAPI: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": BODY_SCHEMA}}}
}


@router.post("", status_code=202, openapi_extra=_OPENAPI)
async def send_events(
    request: Request,
    tx: Writes,
    now: Now,
    settings: AppSettings,
    project: Annotated[Key, Query(description="Project the events belong to.")] = DEFAULT_PROJECT,
    environment: Annotated[Key, Query(description="Environment they come from.")] = DEFAULT_ENVIRONMENT,
) -> BatchOut:
    """Takes a batch of exposures and metric events; sending one again changes nothing."""
    return await service.accept(
        tx,
        wire.read_batch(await request.body()),
        project=project,
        environment=environment,
        now=now,
        max_ahead=timedelta(seconds=settings.event_max_ahead_seconds),
    )
