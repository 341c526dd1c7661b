"""Whether the process lives, whether it can serve, and its figures."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from assay.core.database import Database
from assay.core.dependencies import Now
from assay.core.telemetry import Telemetry
from assay.evaluation.store import Freshness
from assay.events import service as events
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
    snapshots: bool = Field(description="Whether the database has lately confirmed what is served.")
    snapshot_age_seconds: float | None = Field(
        description="Time since it did; null before the first time, and where it is not asked."
    )


@router.get("/health")
async def health() -> Health:
    """Says that the process lives; touches nothing else."""
    return Health()


@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(request: Request) -> Response:
    """Says whether requests can be served: the database answers, has our schema, and knows what is served."""
    state = await _readiness(request.state.database, request.state.delivery.store.freshness)
    status = HTTPStatus.OK if state.status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(state.model_dump(), status_code=status)


def _telemetry(request: Request) -> Telemetry:
    return request.state.telemetry


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def metrics(
    request: Request, now: Now, telemetry: Annotated[Telemetry, Depends(_telemetry)]
) -> Response:
    """Gives the process's figures in Prometheus' format, and those of the events that all processes store."""
    await _count_events(request.state.database, telemetry, now)
    return Response(telemetry.render(), media_type=telemetry.content_type)


async def _count_events(database: Database, telemetry: Telemetry, now: datetime) -> None:
    try:
        async with database.reading() as tx:
            totals = await events.totals(tx, now=now)
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        # The other figures are wanted most when the database is away.
        log.warning("events_uncounted", error=str(error))
        return
    for name, gauge in telemetry.stored_events.items():
        gauge.set(totals[name])


async def _readiness(database: Database, freshness: Freshness) -> Readiness:
    reached, migrated = await _schema(database)
    is_ready = migrated and not freshness.is_old
    return Readiness(
        status="ready" if is_ready else "not ready",
        database=reached,
        migrations=migrated,
        snapshots=not freshness.is_old,
        snapshot_age_seconds=freshness.age_seconds(),
    )


async def _schema(database: Database) -> tuple[bool, bool]:
    """Whether the database answers, and whether its schema is the one we know."""
    try:
        async with database.reading() as tx:
            await tx.execute(text("SELECT 1"))
            return True, await current_revision(tx) == head_revision()
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        log.warning("not_ready", error=str(error))
        return False, False
