"""Results of holdouts over HTTP: how one is read, begin, result; the rest is as for experiments."""

from fastapi import APIRouter, Response

from assay.analysis import holdouts, looks, service
from assay.analysis.holdout_schemas import HoldoutReadingOut
from assay.analysis.schemas import HoldoutResultOut
from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.experiments import holding
from assay.experiments.holdouts import HoldoutReading
from assay.flags.routing import EnvironmentKey, PartKey, ProjectKey, by
from assay.jobs.schemas import TaskOut

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/holdouts/{holdout}",
    tags=["results"],
    route_class=RetryingRoute,
)


@router.put("/reading")
async def put_holdout_reading(
    project: ProjectKey,
    environment: EnvironmentKey,
    holdout: PartKey,
    reading: HoldoutReading,
    tx: Writes,
    now: Now,
) -> HoldoutReadingOut:
    """Says by which metrics and how a holdout is read; finished results stay as they are."""
    made = await holding.set_reading(tx, project, environment, holdout, reading, by=by(now))
    return await holdouts.reading_out(tx, project, made)


@router.get("/reading")
async def get_holdout_reading(
    project: ProjectKey, environment: EnvironmentKey, holdout: PartKey, tx: Reads
) -> HoldoutReadingOut:
    """Reads how a holdout is read."""
    return await holdouts.reading_out(tx, project, await holding.get(tx, project, environment, holdout))


@router.post("/results", status_code=202)
async def begin_holdout_results(
    project: ProjectKey,
    environment: EnvironmentKey,
    holdout: PartKey,
    tx: Writes,
    now: Now,
    response: Response,
) -> TaskOut:
    """Begins an analysis of all that has come of what ran under a holdout; poll it at its `Location`."""
    experiment = (await holding.get(tx, project, environment, holdout)).key
    task = await service.begin(tx, project, experiment, now=now)
    response.headers["Location"] = f"/api/v1/projects/{project}/experiments/{experiment}/results/{task.id}"
    return task


@router.get("/results/latest")
async def latest_holdout_results(
    project: ProjectKey, environment: EnvironmentKey, holdout: PartKey, tx: Writes, now: Now
) -> HoldoutResultOut:
    """Reads the newest finished analysis of a holdout, and what ran under it beside its estimate."""
    found = await holdouts.latest(tx, project, environment, holdout)
    await looks.record(tx, project, found.holdout.experiment, found, by=by(now))
    return found
