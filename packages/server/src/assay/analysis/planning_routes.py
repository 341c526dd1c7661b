"""Sizing a plan over HTTP: from given figures, earlier results, or the events themselves."""

from datetime import datetime

from fastapi import APIRouter

from assay.analysis import archive, foreseeing
from assay.core.config import Settings
from assay.core.database import ReadSession
from assay.core.dependencies import AppSettings, Now, Reads, RetryingRoute
from assay.experiments import planning
from assay.experiments.planning import Seen, Unknown
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
    seen = await _seen(tx, project, await planning.unknown(tx, project, experiment, asked), settings, now)
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
    seen = await _seen(tx, project, await planning.unknown(tx, project, experiment, asked), settings, now)
    found = await planning.recommend(tx, project, experiment, asked, seen=seen)
    return found.model_copy(update={"priors": await archive.priors(tx, project, experiment)})


async def _seen(tx: ReadSession, project: str, unknown: Unknown, settings: Settings, now: datetime) -> Seen:
    place, keys = unknown.environment, unknown.metrics
    found = await foreseeing.baselines(tx, project, place, keys, settings=settings, now=now)
    if unknown.has_pace:
        return Seen(found)
    return Seen(found, await foreseeing.traffic(tx, project, place, settings=settings, now=now))
