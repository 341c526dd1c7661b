"""Experiments over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from assay.core.dependencies import Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.experiments import service
from assay.experiments.schemas import ExperimentCreate, ExperimentOut, ExperimentUpdate
from assay.shared.ids import Key
from assay.shared.pagination import Page

router = APIRouter(prefix="/projects/{project}/experiments", tags=["experiments"], route_class=RetryingRoute)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
ExperimentKey = Annotated[Key, Path(description="Key of the experiment.")]


@router.post("", status_code=201)
async def create_experiment(
    project: ProjectKey, new: ExperimentCreate, tx: Writes, response: Response
) -> ExperimentOut:
    """Registers an observed experiment."""
    experiment = await service.create(tx, project, new)
    response.headers["Location"] = f"/api/v1/projects/{project}/experiments/{experiment.key}"
    return experiment


@router.get("")
async def list_experiments(
    project: ProjectKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[ExperimentOut]:
    """Lists a project's experiments, oldest first."""
    items, following = await service.listing(tx, project, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/{experiment}")
async def get_experiment(project: ProjectKey, experiment: ExperimentKey, tx: Reads) -> ExperimentOut:
    """Reads an experiment."""
    return await service.get(tx, project, experiment)


@router.patch("/{experiment}")
async def update_experiment(
    project: ProjectKey, experiment: ExperimentKey, change: ExperimentUpdate, tx: Writes
) -> ExperimentOut:
    """Changes what an experiment is called and read by."""
    return await service.update(tx, project, experiment, change)
