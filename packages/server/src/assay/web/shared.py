"""What a share link opens: one approved report, as a page and as files, and nothing beside it."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from assay.analysis import links
from assay.analysis.numbers import Format, rows_of
from assay.analysis.numbers import written as written_numbers
from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.web.rendering import path_to
from assay.web.report_files import file_of, headers_of
from assay.web.report_forms import Form
from assay.web.sheet import sheet
from assay.web.sheet_page import FormLink, page_of

SHARED_FORMS = (Form.PDF, Form.PNG, Form.HTML)
# The address is the key: it goes to nobody else, into no cache and no index.
DISCREET = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex, nofollow",
}

router = APIRouter(prefix="/shared/{token}", route_class=RetryingRoute, include_in_schema=False)
Token = Annotated[str, Path(max_length=200)]


@router.get("", name="shared_report")
async def shared_report(token: Token, request: Request, tx: Reads, now: Now) -> HTMLResponse:
    """Shows the report, with ways to take it along."""
    found = await links.opened(tx, token, now=now)
    files = path_to(request, "shared_file", token=token)
    numbers = path_to(request, "shared_numbers", token=token)
    ways = [FormLink(form.value.upper(), f"{files}?format={form.value}") for form in SHARED_FORMS]
    ways += [FormLink(f"numbers as {form.value}", f"{numbers}?format={form.value}") for form in Format]
    page = await anyio.to_thread.run_sync(page_of, sheet(found), ways)
    return HTMLResponse(page, headers=headers_of(found, Form.HTML) | DISCREET)


@router.get("/file", name="shared_file")
async def shared_file(
    token: Token,
    tx: Reads,
    now: Now,
    form: Annotated[Form, Query(alias="format")] = Form.PDF,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> Response:
    """Writes the report as a file."""
    if form not in SHARED_FORMS:
        raise HTTPException(404, f"a share link gives no {form.value}; ask whoever sent it")
    found = await links.opened(tx, token, now=now)
    answer = await file_of(found, None, form, name="report", if_none_match=if_none_match)
    answer.headers.update(DISCREET)
    return answer


@router.get("/numbers", name="shared_numbers")
async def shared_numbers(
    token: Token, tx: Reads, now: Now, form: Annotated[Format, Query(alias="format")] = Format.CSV
) -> Response:
    """Writes the report's numbers as one table."""
    found = await links.opened(tx, token, now=now)
    table = await anyio.to_thread.run_sync(written_numbers, rows_of(found.document), form)
    name = f'attachment; filename="report-{found.report.id}.{form.value}"'
    return Response(table, media_type=form.media_type, headers=DISCREET | {"Content-Disposition": name})
