"""The page of a report: the results it froze, on the page of its experiment."""

import uuid
from dataclasses import replace
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assay.access.dependencies import CallerRole
from assay.access.policy import Role, changes_reports
from assay.analysis import links, reports
from assay.analysis.schemas import ResultOut
from assay.core.database import ReadSession
from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.experiments import service as experiments
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.jobs import service as jobs
from assay.metrics import service as metrics
from assay.web.experiment_page import Sharing, experiment_page, link_line, reported
from assay.web.rendering import render
from assay.web.under import part_of

SHOWN_LINKS = 50

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
    """Shows what was frozen, beside the definitions of now, and how it is approved and shared."""
    return await report_page(request, tx, project, experiment, report, role=role, now=now)


async def report_page(
    request: Request,
    tx: ReadSession,
    project: str,
    experiment: str,
    report: uuid.UUID,
    *,
    role: Role,
    now: datetime,
    link: str | None = None,
) -> HTMLResponse:
    """The page of a report.

    Args:
        link: A share link made just now; its token is shown this once.
    Raises:
        ReportNotFound: The experiment has no such report that this role sees.
    """
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
    sharing = await _sharing(tx, project, experiment, report, role=role, now=now, link=link)
    holdout = None
    if kept is not None and kept.holdout is not None and kept.beside is not None:
        holdout = part_of(kept.holdout, kept.beside, now=now)
    shown = replace(page, report=reported(frozen.report, sharing, now=now), holdout=holdout)
    return render(request, "experiment.html", page=shown)


async def _sharing(
    tx: ReadSession,
    project: str,
    experiment: str,
    report: uuid.UUID,
    *,
    role: Role,
    now: datetime,
    link: str | None,
) -> Sharing | None:
    if not changes_reports(role):
        return None
    made, _ = await links.listing(tx, project, experiment, report, cursor=None, limit=SHOWN_LINKS)
    return Sharing([link_line(each, now=now) for each in made], link)
