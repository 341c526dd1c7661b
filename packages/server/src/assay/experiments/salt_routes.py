"""The search for a balanced salt over HTTP: begin, poll, result."""

import uuid

from fastapi import APIRouter

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.experiments import balancing
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.experiments.schemas import SaltOut, SaltRequest
from assay.flags.routing import by
from assay.jobs.schemas import TaskOut

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/salt",
    tags=["experiments"],
    route_class=RetryingRoute,
)


@router.post("", status_code=202)
async def search_salt(
    project: ProjectKey, experiment: ExperimentKey, request: SaltRequest, tx: Writes, now: Now
) -> TaskOut:
    """Begins to look for a salt whose arms are alike; its find is written into the plan of the DRAFT."""
    return await balancing.begin(tx, project, experiment, request, by=by(now))


@router.get("/{task}")
async def poll_salt(project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Reads) -> TaskOut:
    """Says how far a search is."""
    return await balancing.poll(tx, project, experiment, task)


@router.get("/{task}/result")
async def read_salt(project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Reads) -> SaltOut:
    """Reads what a search has found; a conflict before it is COMPLETED."""
    return await balancing.found(tx, project, experiment, task)
