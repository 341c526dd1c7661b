"""The page of an experiment: its results, and the button that computes them."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from assay.access.policy import Role
from assay.analysis import looks
from assay.analysis import service as analysis
from assay.core.dependencies import AppSettings, Now, RetryingRoute, Writes
from assay.experiments import service as experiments
from assay.flags.routing import by
from assay.metrics import service as metrics
from assay.shared.ids import ExperimentName, Key
from assay.web.experiment_page import experiment_page
from assay.web.record import record_of
from assay.web.rendering import path_to, render
from assay.web.same_origin import FromOurPages
from assay.web.under import holdout_part

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}", route_class=RetryingRoute, include_in_schema=False
)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
ExperimentKey = Annotated[ExperimentName, Path(description="Key of the experiment.")]
SHOWN_LOOKS = 10
SHOWN_RECUTS = 10


@router.get("", name="experiment")
async def experiment(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: Request,
    tx: Writes,
    now: Now,
    settings: AppSettings,
) -> HTMLResponse:
    """Shows the newest results, and how far newer ones are; the log of looks remembers that."""
    found = await experiments.get(tx, project, experiment)
    result = await analysis.latest_if_any(tx, project, experiment)
    if result is not None:
        await looks.record(tx, project, experiment, result, by=by(now))
    seen, _ = await looks.listing(tx, project, experiment, cursor=None, limit=SHOWN_LOOKS)
    page = experiment_page(
        project,
        found,
        await metrics.require_all(tx, project, found.metrics),
        result=result,
        newest=await analysis.newest(tx, project, experiment),
        looks=seen,
        recuts=await analysis.explorations(tx, project, experiment, limit=SHOWN_RECUTS),
        now=now,
    )
    role = Role.ADMIN if settings.delivers_without_key else None
    record = await record_of(tx, project, found, role=role, now=now)
    page = replace(page, record=record, may_report=role is not None)
    page = replace(page, holdout=await holdout_part(tx, project, found, now=now))
    return render(request, "experiment.html", page=page)


@router.post("/results", name="compute_results")
async def compute_results(
    project: ProjectKey,
    experiment: ExperimentKey,
    request: Request,
    tx: Writes,
    now: Now,
    _: FromOurPages,
) -> RedirectResponse:
    """Begins an analysis and goes back to the page, which then shows how far it is."""
    await analysis.begin(tx, project, experiment, now=now)
    page = path_to(request, "experiment", project=project, experiment=experiment)
    return RedirectResponse(page, status_code=303)
