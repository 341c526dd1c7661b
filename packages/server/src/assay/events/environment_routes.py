"""The events of an environment over HTTP: how they fare, and forgetting a unit."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Response

from assay.audit.service import LOCAL_ACTOR
from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.events import service
from assay.events.schemas import EventStatusOut, ForgetRequest, ForgottenOut
from assay.jobs.schemas import TaskOut
from assay.shared.ids import Key

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/events", tags=["events"], route_class=RetryingRoute
)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
EnvironmentKey = Annotated[Key, Path(description="Key of the environment.")]


@router.get("/status")
async def event_status(
    project: ProjectKey, environment: EnvironmentKey, tx: Reads, now: Now
) -> EventStatusOut:
    """Says what became of the environment's events and how far sealing is behind."""
    return await service.status(tx, project, environment, now=now)


@router.post("/forgotten", status_code=202)
async def forget_unit(
    project: ProjectKey,
    environment: EnvironmentKey,
    request: ForgetRequest,
    tx: Writes,
    now: Now,
    response: Response,
) -> TaskOut:
    """Begins to delete all events of a unit for good; asked again while it runs, answers alike."""
    task = await service.begin_forgetting(tx, project, environment, request.unit, actor=LOCAL_ACTOR, now=now)
    response.headers["Location"] = (
        f"/api/v1/projects/{project}/environments/{environment}/events/forgotten/{task.id}"
    )
    return task


@router.get("/forgotten/{task}")
async def poll_forgetting(
    project: ProjectKey, environment: EnvironmentKey, task: uuid.UUID, tx: Reads
) -> TaskOut:
    """Says where a deletion stands."""
    return await service.poll_forgetting(tx, project, environment, task)


@router.get("/forgotten/{task}/result")
async def read_forgotten(
    project: ProjectKey, environment: EnvironmentKey, task: uuid.UUID, tx: Reads
) -> ForgottenOut:
    """Says how many events were deleted; a conflict before the task is COMPLETED."""
    return await service.forgotten(tx, project, environment, task)
