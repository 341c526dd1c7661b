"""Whether the process lives, whether it can serve, and its figures."""

from http import HTTPStatus
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from assay.core.database import Database
from assay.core.telemetry import Telemetry
from assay.migrations import current_revision, head_revision
from assay.shared.schema import Outgoing

router = APIRouter(tags=["operation"])
log = structlog.get_logger()


class Health(Outgoing):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Outgoing):
    """What serving needs."""

    status: Literal["ready", "not ready"]
    database: bool
    migrations: bool


@router.get("/health")
async def health() -> Health:
    """Says that the process lives; touches nothing else."""
    return Health()


@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(request: Request) -> Response:
    """Says whether requests can be served: the database answers and its schema is the one we know."""
    state = await _readiness(request.state.database)
    status = HTTPStatus.OK if state.status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(state.model_dump(), status_code=status)


def _telemetry(request: Request) -> Telemetry:
    return request.state.telemetry


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def metrics(telemetry: Annotated[Telemetry, Depends(_telemetry)]) -> Response:
    """Gives the process's figures in Prometheus' format."""
    return Response(telemetry.render(), media_type=telemetry.content_type)


async def _readiness(database: Database) -> Readiness:
    try:
        async with database.reading() as tx:
            await tx.execute(text("SELECT 1"))
            migrated = await current_revision(tx) == head_revision()
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        log.warning("not_ready", error=str(error))
        return Readiness(status="not ready", database=False, migrations=False)
    return Readiness(status="ready" if migrated else "not ready", database=True, migrations=migrated)
