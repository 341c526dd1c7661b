"""Reports over HTTP: freezing a result, reading and approving it."""

import uuid
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Response

from assay.analysis import reports
from assay.analysis.numbers import Format, rows_of, written
from assay.analysis.schemas import FrozenReportOut, RecordOut, ReportOut, ReportRequest
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
    project: ProjectKey, experiment: ExperimentKey, wanted: ReportRequest, tx: Writes, now: Now
) -> ReportOut:
    """Freezes a finished result under a title; what the report says never changes."""
    return await reports.create(tx, project, experiment, wanted, by=by(now))


@router.get("")
async def list_reports(
    project: ProjectKey, experiment: ExperimentKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[ReportOut]:
    """Lists the reports of an experiment, newest first."""
    items, following = await reports.listing(tx, project, experiment, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/{report}")
async def get_report(
    project: ProjectKey, experiment: ExperimentKey, report: uuid.UUID, tx: Reads
) -> FrozenReportOut:
    """Reads a report with its document."""
    return await reports.get(tx, project, experiment, report)


@router.post("/{report}/approve")
async def approve_report(
    project: ProjectKey, experiment: ExperimentKey, report: uuid.UUID, tx: Writes, now: Now
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
    form: Annotated[Format, Query(alias="format", description="How the table is written.")] = Format.CSV,
) -> Response:
    """Reads the numbers of a report as one table."""
    found = await reports.get(tx, project, experiment, report)
    table = await anyio.to_thread.run_sync(written, rows_of(found.document), form)
    name = f"{experiment}-{report}.{form.value}"
    return Response(
        table,
        media_type=form.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/{report}/record")
async def read_report_record(
    project: ProjectKey, experiment: ExperimentKey, report: uuid.UUID, tx: Reads
) -> RecordOut:
    """Reads what a report was concluded from, so that anybody can conclude it again."""
    return await reports.record(tx, project, experiment, report)
