"""Failures for people: whoever asked for a page is answered with one."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from inspect import isawaitable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from assay.web.rendering import render

# Programs ask these; they get the one error format whatever they say they accept.
FOR_PROGRAMS = ("/api/", "/openapi.json", "/health", "/ready", "/metrics")

Handler = Callable[[Request, Exception], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class FailurePage:
    """What happened, and the id under which the log tells more."""

    status: int
    title: str
    detail: str
    correlation_id: str | None


def install(app: FastAPI) -> None:
    """Puts a page in front of every translation of a failure that the app already has."""
    for kind, translate in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_people(translate))


def wants_page(request: Request) -> bool:
    """Whether a person asked, with a browser, for one of our pages."""
    path = request.url.path.removeprefix(str(request.scope.get("root_path", "")))
    return not path.startswith(FOR_PROGRAMS) and "text/html" in request.headers.get("Accept", "")


def failure_page(problem: dict[str, Any], *, is_bad_address: bool) -> FailurePage:
    """The page of a problem document (RFC 9457)."""
    if is_bad_address:
        return FailurePage(HTTPStatus.NOT_FOUND, "Not found", "there is no page at this address", None)
    title = "Something broke" if problem["status"] == HTTPStatus.INTERNAL_SERVER_ERROR else problem["title"]
    return FailurePage(problem["status"], title, problem["detail"], problem["correlation_id"])


def _for_people(translate: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        answer = translate(request, error)
        response = await answer if isawaitable(answer) else answer
        return _as_page(request, error, response) if wants_page(request) else response

    return handle


def _as_page(request: Request, error: Exception, response: Response) -> Response:
    page = failure_page(json.loads(bytes(response.body)), is_bad_address=_is_bad_address(error))
    answer = render(request, "failure.html", page=page, status=HTTPStatus(page.status))
    kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    answer.headers.update({**kept, "Vary": "Accept"})
    return answer


def _is_bad_address(error: Exception) -> bool:
    return isinstance(error, RequestValidationError) and all(
        detail["loc"][0] == "path" for detail in error.errors()
    )
