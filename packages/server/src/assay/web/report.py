"""The page of a report: the results it froze, on the page of its experiment."""

import uuid
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assay.access.dependencies import CallerRole
from assay.analysis import reports
from assay.analysis.schemas import ResultOut
from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.experiments import service as experiments
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.jobs import service as jobs
from assay.metrics import service as metrics
from assay.web.experiment_page import experiment_page, reported
from assay.web.rendering import render

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/reports",
    route_class=RetryingRoute,
    include_in_schema=False,
)


@router.get("/{report}", name="report")
async def report(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    request: Request,
    tx: Reads,
    now: Now,
    role: CallerRole,
) -> HTMLResponse:
    """Shows what was frozen, beside the definitions of now."""
    found = await experiments.get(tx, project, experiment)
    frozen = await reports.get(tx, project, experiment, report, role=role)
    kept = frozen.subject
    task = await jobs.poll(tx, frozen.report.result) if kept is None else kept.task
    page = experiment_page(
        project,
        found,
        await metrics.require_all(tx, project, found.metrics),
        result=ResultOut(task=task, document=frozen.document),
        newest=None,
        now=now,
    )
    shown = replace(page, report=reported(frozen.report, now=now))
    return render(request, "experiment.html", page=shown)
