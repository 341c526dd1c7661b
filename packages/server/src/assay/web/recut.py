"""Another reading of an experiment: the form that asks for it, and the page that shows it."""

import uuid
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.analysis import looks
from assay.analysis import service as analysis
from assay.analysis.errors import UnknownOption
from assay.analysis.schemas import ResultRequest
from assay.core.dependencies import AppSettings, Now, RetryingRoute, Writes
from assay.experiments import service as experiments
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.flags.routing import by
from assay.jobs.lifecycle import TaskState
from assay.metrics import service as metrics
from assay.web.experiment_page import experiment_page
from assay.web.rendering import path_to, render
from assay.web.same_origin import FromOurPages

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/results",
    route_class=RetryingRoute,
    include_in_schema=False,
)
PERCENT = 100


class RecutForm(BaseModel):
    """What the form sends; an empty field asks for nothing."""

    model_config = ConfigDict(extra="forbid")

    segments: str = Field(default="", description="Properties, separated by commas.")
    strata: str = ""
    metrics: list[str] = Field(default_factory=list[str])
    until: str = Field(default="", description="A day, such as 2026-03-01.")
    level: str = Field(default="", description="Coverage of intervals in percent.")
    method: str = ""
    unadjusted: bool = False
    view: str = Field(default="", description="Standard deviation of the prior of the lift, in percent.")


def request_of(form: RecutForm) -> ResultRequest:
    """What the form asks for.

    Raises:
        UnknownOption: A field holds what cannot be asked.
    """
    asked: dict[str, object] = {}
    if names := [name.strip() for name in form.segments.split(",") if name.strip()]:
        asked["segments"] = [{"key": name} for name in names]
    if form.strata.strip():
        asked["strata"] = form.strata.strip()
    if form.metrics:
        asked["metrics"] = form.metrics
    if form.until.strip():
        asked["until"] = form.until.strip()
    if form.level.strip():
        asked["alpha"] = round(1 - _number("level", form.level) / PERCENT, 9)
    if form.method:
        asked["method"] = {"kind": form.method}
    if form.unadjusted:
        asked["adjusted"] = False
    if form.view.strip():
        asked["view"] = {"standard_deviation": _number("view", form.view) / PERCENT}
    try:
        return ResultRequest.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        raise UnknownOption(f"{first['loc'][0]}: {first['msg']}", value=first["loc"][0]) from error


@router.post("/recut", name="recut_results")
async def recut_results(
    project: ProjectKey,
    experiment: ExperimentKey,
    form: Annotated[RecutForm, Form()],
    request: Request,
    tx: Writes,
    now: Now,
    _: FromOurPages,
) -> RedirectResponse:
    """Begins another reading and goes to its page, which shows how far it is."""
    task = await analysis.begin(tx, project, experiment, now=now, asked=request_of(form))
    page = path_to(request, "recut", project=project, experiment=experiment, task=str(task.id))
    return RedirectResponse(page, status_code=303)


@router.post("/{task}/stop", name="stop_results")
async def stop_results(
    project: ProjectKey,
    experiment: ExperimentKey,
    task: uuid.UUID,
    request: Request,
    tx: Writes,
    _: FromOurPages,
) -> RedirectResponse:
    """Asks for an analysis to be stopped and goes back to the page."""
    await analysis.cancel(tx, project, experiment, task)
    page = path_to(request, "experiment", project=project, experiment=experiment)
    return RedirectResponse(page, status_code=303)


@router.get("/{task}", name="recut")
async def recut(
    project: ProjectKey,
    experiment: ExperimentKey,
    task: uuid.UUID,
    request: Request,
    tx: Writes,
    now: Now,
    settings: AppSettings,
) -> HTMLResponse:
    """Shows one analysis, or how far it is."""
    found = await experiments.get(tx, project, experiment)
    run = await analysis.poll(tx, project, experiment, task)
    result = None
    if run.state is TaskState.COMPLETED:
        result = await analysis.result(tx, project, experiment, task)
        await looks.record(tx, project, experiment, result, by=by(now))
    page = experiment_page(
        project,
        found,
        await metrics.require_all(tx, project, found.metrics),
        result=result,
        newest=run,
        now=now,
    )
    shown = replace(page, may_report=settings.delivers_without_key)
    return render(request, "experiment.html", page=shown)


def _number(field: str, text: str) -> float:
    try:
        return float(text.strip().removesuffix("%").strip())
    except ValueError as error:
        raise UnknownOption(f"{field}: {text!r} is not a number", value=text) from error
