"""Reports as files over HTTP, beside the other routes of reports under `/api/v1`."""

import uuid
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Response

from assay.access.dependencies import CallerRole
from assay.analysis import reports
from assay.analysis.schemas import FrozenReportOut, RecordOut
from assay.core.dependencies import Reads, RetryingRoute
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.web.report_forms import Form, digest_of, written
from assay.web.sheet_page import policy

NEEDS_RECORD = frozenset({Form.NOTEBOOK, Form.BUNDLE})

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/reports", tags=["reports"], route_class=RetryingRoute
)


@router.get(
    "/{report}/export",
    response_class=Response,
    responses={
        200: {
            "description": "The report as a file that needs nothing else.",
            "content": {form.media_type.partition(";")[0]: {"schema": {}} for form in Form},
        },
        304: {"description": "The caller has this very file."},
    },
)
async def export_report(
    project: ProjectKey,
    experiment: ExperimentKey,
    report: uuid.UUID,
    tx: Reads,
    role: CallerRole,
    form: Annotated[Form, Query(alias="format", description="What it is written as.")] = Form.PDF,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> Response:
    """Writes a report as HTML, PDF, PNG, a notebook that concludes its numbers again, or their bundle."""
    found = await reports.get(tx, project, experiment, report, role=role)
    record = None
    if form in NEEDS_RECORD:
        record = await reports.record(tx, project, experiment, report, role=role)
    return await file_of(found, record, form, name=experiment, if_none_match=if_none_match)


async def file_of(
    frozen: FrozenReportOut,
    record: RecordOut | None,
    form: Form,
    *,
    name: str,
    if_none_match: str | None,
    saves: bool = True,
) -> Response:
    """The answer that carries a report's file.

    Args:
        name: What the file's name begins with.
        saves: The browser saves it rather than shows it.
    """
    headers = headers_of(frozen, form)
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = await anyio.to_thread.run_sync(written, frozen, record, form)
    way = "attachment" if saves else "inline"
    file = f"{name}-{frozen.report.id}.{form.ending}"
    headers["Content-Disposition"] = f'{way}; filename="{file}"'
    return Response(content, media_type=form.media_type, headers=headers)


def headers_of(frozen: FrozenReportOut, form: Form) -> dict[str, str]:
    """Which file it is, and what a browser may do with it."""
    headers = {"ETag": f'"{digest_of(frozen, form)}"', "Cache-Control": "private, no-cache"}
    if form is Form.HTML:
        headers["Content-Security-Policy"] = f"{policy()}; frame-ancestors 'none'"
    return headers
