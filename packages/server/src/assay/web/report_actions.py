"""What is done to reports on their pages: freezing a result, approving, sharing, revoking a link."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from assay.access.dependencies import MakesReports
from assay.analysis import links, reports
from assay.analysis.schemas import MOST_DAYS, ReportRequest, ShareRequest
from assay.core.dependencies import Now, RetryingRoute, Writes
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.flags.routing import by
from assay.shared.schema import Name, Text
from assay.web.rendering import path_to
from assay.web.report import report_page
from assay.web.same_origin import FromOurPages

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/reports",
    route_class=RetryingRoute,
    include_in_schema=False,
)


class ReportForm(BaseModel):
    """What the form sends that freezes a result."""

    model_config = ConfigDict(extra="forbid")

    result: uuid.UUID
    title: Name
    note: Text = ""


class ShareForm(BaseModel):
    """What the form sends that makes a share link."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    days: int = Field(30, ge=1, le=MOST_DAYS)


@router.post("", name="freeze_report")
async def freeze_report(
    project: ProjectKey,
    experiment: ExperimentKey,
    form: Annotated[ReportForm, Form()],
    request: Request,
    tx: Writes,
    now: Now,
    _: FromOurPages,
    _role: MakesReports,
) -> RedirectResponse:
    """Freezes a result under a title and goes to the report."""
    wanted = ReportRequest(result=form.result, title=form.title, note=form.note)
    made = await reports.create(tx, project, experiment, wanted, by=by(now))
    return _to_report(request, project, experiment, made.id)


@router.post("/{report}/approve", name="approve_on_page")
async def approve_on_page(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    request: Request,
    tx: Writes,
    now: Now,
    _: FromOurPages,
    _role: MakesReports,
) -> RedirectResponse:
    """Approves a report and goes back to it."""
    await reports.approve(tx, project, experiment, report, by=by(now))
    return _to_report(request, project, experiment, report)


@router.post("/{report}/share", name="share_on_page")
async def share_on_page(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    form: Annotated[ShareForm, Form()],
    request: Request,
    tx: Writes,
    now: Now,
    _: FromOurPages,
    role: MakesReports,
) -> HTMLResponse:
    """Makes a link and shows it; its token is in this answer only, so there is nowhere to go back to."""
    wanted = ShareRequest(name=form.name, days=form.days)
    _made, token = await links.create(tx, project, experiment, report, wanted, by=by(now))
    link = f"{request.url.scheme}://{request.url.netloc}{path_to(request, 'shared_report', token=token)}"
    page = await report_page(request, tx, project, experiment, report, role=role, now=now, link=link)
    page.headers["Cache-Control"] = "no-store"
    return page


@router.post("/{report}/links/{link}/revoke", name="revoke_on_page")
async def revoke_on_page(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    link: uuid.UUID,
    request: Request,
    tx: Writes,
    now: Now,
    _: FromOurPages,
    _role: MakesReports,
) -> RedirectResponse:
    """Revokes a link and goes back to the report."""
    await links.revoke(tx, project, experiment, report, link, by=by(now))
    return _to_report(request, project, experiment, report)


def _to_report(request: Request, project: str, experiment: str, report: uuid.UUID) -> RedirectResponse:
    page = path_to(request, "report", project=project, experiment=experiment, report=str(report))
    return RedirectResponse(page, status_code=303)
