"""Experiments over HTTP: making, finding, naming, planning, deleting them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.experiments import service
from assay.experiments.lifecycle import Outcome, State
from assay.experiments.plan import Plan
from assay.experiments.routing import ExperimentKey, IfMatch, ProjectKey, tagged
from assay.experiments.schemas import EpochsOut, ExperimentCreate, ExperimentOut, ExperimentUpdate, PhasesOut
from assay.flags.routing import by
from assay.shared.pagination import Page
from assay.shared.schema import Name

router = APIRouter(prefix="/projects/{project}/experiments", tags=["experiments"], route_class=RetryingRoute)
Search = Annotated[
    Name | None,
    Query(description="Words that key, name, description, hypothesis, learnings or tags begin with."),
]


@router.post("", status_code=201)
async def create_experiment(
    project: ProjectKey, new: ExperimentCreate, tx: Writes, now: Now, response: Response
) -> ExperimentOut:
    """Registers an observed experiment, or with a plan makes a DRAFT."""
    experiment = await service.create(tx, project, new, by=by(now))
    response.headers["Location"] = f"/api/v1/projects/{project}/experiments/{experiment.key}"
    return tagged(experiment, response)


@router.get("")
async def list_experiments(
    project: ProjectKey,
    tx: Reads,
    search: Search = None,
    state: State | None = None,
    outcome: Outcome | None = None,
    tag: Annotated[Name | None, Query(description="A tag they have.")] = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[ExperimentOut]:
    """Lists a project's experiments, oldest first."""
    items, following = await service.listing(
        tx, project, search=search, state=state, outcome=outcome, tag=tag, cursor=cursor, limit=limit
    )
    return Page(items=items, next_cursor=following)


@router.get("/{experiment}")
async def get_experiment(
    project: ProjectKey, experiment: ExperimentKey, tx: Reads, response: Response
) -> ExperimentOut:
    """Reads an experiment."""
    return tagged(await service.get(tx, project, experiment), response)


@router.patch("/{experiment}")
async def update_experiment(
    project: ProjectKey,
    experiment: ExperimentKey,
    change: ExperimentUpdate,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Changes what an experiment is called and read by; an observed one needs no If-Match."""
    changed = await service.update(tx, project, experiment, change, if_match=if_match, by=by(now))
    return tagged(changed, response)


@router.delete("/{experiment}", status_code=204)
async def delete_experiment(
    project: ProjectKey, experiment: ExperimentKey, tx: Writes, now: Now, if_match: IfMatch = None
) -> None:
    """Removes a DRAFT; what has started is kept."""
    await service.delete(tx, project, experiment, if_match=if_match, by=by(now))


@router.put("/{experiment}/plan")
async def put_plan(
    project: ProjectKey,
    experiment: ExperimentKey,
    plan: Plan,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Replaces the plan of a DRAFT."""
    planned = await service.set_plan(tx, project, experiment, plan, if_match=if_match, by=by(now))
    return tagged(planned, response)


@router.get("/{experiment}/phases")
async def read_phases(project: ProjectKey, experiment: ExperimentKey, tx: Reads) -> PhasesOut:
    """Reads the phases of an experiment with their frozen plans, first to last."""
    return await service.phases(tx, project, experiment)


@router.get("/{experiment}/epochs")
async def read_epochs(project: ProjectKey, experiment: ExperimentKey, tx: Reads) -> EpochsOut:
    """Reads the epochs of a bandit with their weights, first to last."""
    return await service.epochs(tx, project, experiment)
