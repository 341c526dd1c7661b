"""An experiment's moves over HTTP: start, pause, ramp, deviation, new phase, end."""

from fastapi import APIRouter, Response

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.experiments import readiness, running, scheduling, service
from assay.experiments.routing import ExperimentKey, IfMatch, ProjectKey, tagged
from assay.experiments.schemas import (
    CompleteRequest,
    CoverageRequest,
    DeviationRequest,
    ExperimentOut,
    Note,
    OverlapOut,
    OverlapsOut,
    RestartRequest,
    ScheduleOut,
    ScheduleRequest,
    StartRequest,
)
from assay.flags.routing import by

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}", tags=["experiments"], route_class=RetryingRoute
)


@router.post("/start")
async def start_experiment(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: StartRequest,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Freezes the plan and puts the experiment's rule into its flag, published at once."""
    started = await running.start(tx, project, experiment, if_match=if_match, by=by(now, request.note))
    return tagged(started, response)


@router.post("/pause")
async def pause_experiment(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: Note,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Ends exposures; every unit keeps its variant. If-Match may be left out: in an emergency the last word
    counts."""
    paused = await running.pause(tx, project, experiment, if_match=if_match, by=by(now, request.note))
    return tagged(paused, response)


@router.post("/resume")
async def resume_experiment(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: Note,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Lets exposures go on, everybody in the arm of before."""
    resumed = await running.resume(tx, project, experiment, if_match=if_match, by=by(now, request.note))
    return tagged(resumed, response)


@router.post("/coverage")
async def raise_coverage(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: CoverageRequest,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Lets more units in; those who are in keep their arm."""
    covered = await running.cover(
        tx, project, experiment, request, if_match=if_match, by=by(now, request.note)
    )
    return tagged(covered, response)


@router.post("/deviations")
async def deviate_from_plan(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: DeviationRequest,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Changes how a started experiment is read; kept in the log, and what it shows is exploratory."""
    deviated = await running.deviate(
        tx, project, experiment, request, if_match=if_match, by=by(now, request.reason)
    )
    return tagged(deviated, response)


@router.post("/restart")
async def restart_experiment(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: RestartRequest,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Begins a new phase, in which a new salt assigns everybody anew."""
    restarted = await running.restart(
        tx, project, experiment, request, if_match=if_match, by=by(now, request.reason)
    )
    return tagged(restarted, response)


@router.post("/complete")
async def complete_experiment(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: CompleteRequest,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentOut:
    """Ends the experiment: ships an arm, rolls back, or keeps the split without exposures."""
    completed = await running.complete(
        tx, project, experiment, request, if_match=if_match, by=by(now, request.note)
    )
    return tagged(completed, response)


@router.get("/schedule")
async def get_schedule(project: ProjectKey, experiment: ExperimentKey, tx: Reads) -> ScheduleOut:
    """Lists what was and shall be done to an experiment at a time."""
    return await scheduling.listing(tx, project, experiment)


@router.put("/schedule")
async def put_schedule(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: ScheduleRequest,
    tx: Writes,
    now: Now,
    if_match: IfMatch = None,
) -> ScheduleOut:
    """Says when an experiment starts and stops by itself."""
    return await scheduling.schedule(tx, project, experiment, request, if_match=if_match, by=by(now))


@router.get("/overlaps")
async def read_overlaps(project: ProjectKey, experiment: ExperimentKey, tx: Reads) -> OverlapsOut:
    """Lists the running experiments that meet its units."""
    row = await service.row_of(tx, project, experiment)
    service.state_of(row)
    found = await readiness.overlapping(tx, row)
    return OverlapsOut(items=[OverlapOut.model_validate(each) for each in found])
