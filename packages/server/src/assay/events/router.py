"""Events over HTTP."""

import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from assay.access import service as access
from assay.access.dependencies import PresentedToken
from assay.core.database import ReadSession
from assay.core.dependencies import AppSettings, Now, RetryingRoute, Writes
from assay.events import service, wire
from assay.events.schemas import BatchOut
from assay.projects import service as projects
from assay.projects.service import DEFAULT_ENVIRONMENT, DEFAULT_PROJECT
from assay.shared.ids import Key

router = APIRouter(prefix="/events", tags=["events"], route_class=RetryingRoute)

BODY_SCHEMA, DEFINITIONS = wire.json_schema()
_OPENAPI: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": BODY_SCHEMA}}}
}


@router.post("", status_code=202, response_model=BatchOut, openapi_extra=_OPENAPI)
async def send_events(
    request: Request,
    tx: Writes,
    now: Now,
    settings: AppSettings,
    token: PresentedToken,
    project: Annotated[
        Key, Query(description="Project of the events, unless a key says it.")
    ] = DEFAULT_PROJECT,
    environment: Annotated[Key, Query(description="Their environment, likewise.")] = DEFAULT_ENVIRONMENT,
) -> Response:
    """Takes a batch of exposures and metric events; sending one again changes nothing."""
    batch = wire.read_batch(await request.body())
    answer = await service.store(
        tx,
        await _place(tx, token, project, environment),
        batch,
        now=now,
        max_ahead=timedelta(seconds=settings.event_max_ahead_seconds),
    )
    return Response(msgspec.json.encode(answer), status_code=202, media_type="application/json")


async def _place(tx: ReadSession, token: str | None, project: str, environment: str) -> uuid.UUID:
    if token is None:
        return (await projects.get_environment(tx, project, environment)).id
    key = await access.identify(tx, token)
    if key is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED, "the key is unknown or revoked", {"WWW-Authenticate": "Bearer"}
        )
    return key.environment_id
