"""Reports over HTTP: freezing a result, reading and approving it."""

import uuid
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from assay.access.dependencies import CallerRole, MakesReports
from assay.analysis import links, reports
from assay.analysis.numbers import Format, rows_of, written
from assay.analysis.schemas import (
    FrozenReportOut,
    RecordOut,
    ReportOut,
    ReportRequest,
    ShareLinkMade,
    ShareLinkOut,
    ShareRequest,
)
from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.flags.routing import by
from assay.shared.pagination import Page

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/reports", tags=["reports"], route_class=RetryingRoute
)


@router.post("", status_code=201)
async def create_report(
    project: ProjectKey,
    experiment: ExperimentKey,
    wanted: ReportRequest,
    tx: Writes,
    now: Now,
    _: MakesReports,
) -> ReportOut:
    """Freezes a finished result under a title; what the report says never changes."""
    return await reports.create(tx, project, experiment, wanted, by=by(now))


@router.get("")
async def list_reports(
    project: ProjectKey,
    experiment: ExperimentKey,
    tx: Reads,
    role: CallerRole,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[ReportOut]:
    """Lists the reports of an experiment, newest first."""
    items, following = await reports.listing(tx, project, experiment, role=role, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/{report}")
async def get_report(
    project: ProjectKey, experiment: ExperimentKey, report: uuid.UUID, tx: Reads, role: CallerRole
) -> FrozenReportOut:
    """Reads a report with its document."""
    return await reports.get(tx, project, experiment, report, role=role)


@router.post("/{report}/approve")
async def approve_report(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    tx: Writes,
    now: Now,
    _: MakesReports,
) -> ReportOut:
    """Approves a report; approved before, it keeps its first approval."""
    return await reports.approve(tx, project, experiment, report, by=by(now))


@router.get(
    "/{report}/numbers",
    response_class=Response,
    responses={
        200: {
            "description": "One row per metric, compared arm and segment.",
            "content": {form.media_type.partition(";")[0]: {"schema": {}} for form in Format},
        }
    },
)
async def read_report_numbers(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    tx: Reads,
    role: CallerRole,
    form: Annotated[Format, Query(alias="format", description="How the table is written.")] = Format.CSV,
) -> Response:
    """Reads the numbers of a report as one table."""
    found = await reports.get(tx, project, experiment, report, role=role)
    table = await anyio.to_thread.run_sync(written, rows_of(found.document), form)
    name = f"{experiment}-{report}.{form.value}"
    return Response(
        table,
        media_type=form.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/{report}/record")
async def read_report_record(
    project: ProjectKey, experiment: ExperimentKey, report: uuid.UUID, tx: Reads, role: CallerRole
) -> RecordOut:
    """Reads what a report was concluded from, so that anybody can conclude it again."""
    return await reports.record(tx, project, experiment, report, role=role)


@router.post("/{report}/links", status_code=201)
async def share_report(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    wanted: ShareRequest,
    tx: Writes,
    now: Now,
    request: Request,
    response: Response,
    _: MakesReports,
) -> ShareLinkMade:
    """Makes a link to an approved report for people without a key; its token is in this answer only."""
    made, token = await links.create(tx, project, experiment, report, wanted, by=by(now))
    response.headers["Cache-Control"] = "no-store"
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return ShareLinkMade(**made.model_dump(), token=token, path=f"{root}/shared/{token}")


@router.get("/{report}/links")
async def list_links(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    tx: Reads,
    _: MakesReports,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[ShareLinkOut]:
    """Lists the links to a report, newest first, without their tokens."""
    items, following = await links.listing(tx, project, experiment, report, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.delete("/{report}/links/{link}", status_code=204)
async def revoke_link(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    link: Annotated[uuid.UUID, Path(description="Identifier of the link, as its list shows it.")],
    tx: Writes,
    now: Now,
    _: MakesReports,
) -> None:
    """Revokes a link; it opens nothing from the next request on."""
    await links.revoke(tx, project, experiment, report, link, by=by(now))
