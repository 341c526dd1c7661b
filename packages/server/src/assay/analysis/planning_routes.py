"""Sizing a plan over HTTP: from given figures, earlier results, or the events themselves."""

from fastapi import APIRouter

from assay.analysis import archive, foreseeing
from assay.core.dependencies import AppSettings, Now, Reads, RetryingRoute
from assay.experiments import planning
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.experiments.schemas import PowerOut, PowerRequest, RecommendationOut, RecommendationRequest

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}", tags=["experiments"], route_class=RetryingRoute
)


@router.post("/power")
async def compute_power(
    project: ProjectKey,
    experiment: ExperimentKey,
    asked: PowerRequest,
    tx: Reads,
    now: Now,
    settings: AppSettings,
) -> PowerOut:
    """Says how many units and days the plan needs, from given figures, results or recent events."""
    missing, place = await planning.unknown(tx, project, experiment, asked)
    seen = await foreseeing.baselines(tx, project, place, missing, settings=settings, now=now)
    return await planning.power(tx, project, experiment, asked, seen=seen)


@router.post("/recommendation")
async def recommend_method(
    project: ProjectKey,
    experiment: ExperimentKey,
    asked: RecommendationRequest,
    tx: Reads,
    now: Now,
    settings: AppSettings,
) -> RecommendationOut:
    """Says what each method costs, which one fits traffic and deadline, and what to believe beforehand."""
    missing, place = await planning.unknown(tx, project, experiment, asked)
    seen = await foreseeing.baselines(tx, project, place, missing, settings=settings, now=now)
    found = await planning.recommend(tx, project, experiment, asked, seen=seen)
    return found.model_copy(update={"priors": await archive.priors(tx, project, experiment)})
