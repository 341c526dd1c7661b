"""One error format: every failure leaves as `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from assay.core.sub_path import route_path
from assay.shared.errors import AssayError, ConditionMissing, Conflict, Denied, Invalid, NotFound, Stale
from assay.shared.ids import KEY_PATTERN
from assay.shared.schema import Outgoing

LONGEST_ECHO = 60
# Names of parts whose value is never repeated, neither to the caller nor in a log.
SECRETIVE = ("password", "secret", "token", "url", "credential", "authorization", "dsn")
MEDIA_TYPE = "application/problem+json"
STATUS_BY_KIND: dict[type[AssayError], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    Denied: HTTPStatus.FORBIDDEN,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    ConditionMissing: HTTPStatus.PRECONDITION_REQUIRED,
}


class FieldProblem(Outgoing):
    """What is wrong with one part of the input."""

    location: list[str | int] = Field(description="Where it stands: body, query or path, then the way down.")
    message: str


class Problem(Outgoing):
    """A failure, for people and programs."""

    type: str = Field(description="A stable identifier of the kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What happened and the way out.")
    code: str = Field(description="Stable code; programs decide by this.")
    correlation_id: str | None = Field(description="The same id stands in the server's log.")
    errors: list[FieldProblem] = Field(default=[], description="The parts of the input that are wrong.")


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in (("4XX", "The request cannot be fulfilled."), ("5XX", "The server failed."))
}


def install(app: FastAPI) -> None:
    """Translates the failures that have a meaning; `guards.UnexpectedErrors` answers for the others."""
    app.add_exception_handler(AssayError, _domain_failure)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_failure)


def problem(
    status: HTTPStatus, *, code: str, detail: str, errors: Sequence[FieldProblem] = ()
) -> JSONResponse:
    """An answer in the one error format."""
    body = Problem(
        type=f"urn:assay:problem:{code}",
        title=status.phrase,
        status=status,
        detail=detail,
        code=code,
        correlation_id=correlation_id.get(),
        errors=list(errors),
    )
    return JSONResponse(body.model_dump(mode="json"), status_code=status, media_type=MEDIA_TYPE)


def _domain_failure(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AssayError)  # noqa: S101 — Starlette dispatches by this very class
    status = next(status for kind, status in STATUS_BY_KIND.items() if isinstance(error, kind))
    errors = [FieldProblem(location=[detail.where], message=detail.message) for detail in error.details]
    return problem(status, code=error.code, detail=error.message, errors=errors)


def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 — as above
    errors = [
        FieldProblem(location=list(detail["loc"]), message=_message(detail)) for detail in error.errors()
    ]
    first = errors[0]
    where = ".".join(str(part) for part in first.location)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, code="invalid", detail=f"{where}: {first.message}", errors=errors
    )


def _message(detail: Mapping[str, Any]) -> str:
    """What is wrong with one part of the input, in words, with a short value that is no secret."""
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch" and detail["ctx"]["pattern"] == KEY_PATTERN:
        message = "a key is lower case letters, digits, `_`, `.` and `-`, and begins with a letter or digit"
    value, name = detail.get("input"), str(detail["loc"][-1]).lower()
    is_short = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST_ECHO)
    if not is_short or any(word in name for word in SECRETIVE) or repr(value) in message:
        return message
    return f"{message}; got {value!r}"


def _http_failure(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 — as above
    status = HTTPStatus(error.status_code)
    # The number, because Python 3.13 renamed some of the phrases.
    answer = problem(status, code=f"http_{status.value}", detail=str(error.detail))
    answer.headers.update(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed_methods(request)):
        answer.headers["Allow"] = ", ".join(allowed)
    return answer


def _allowed_methods(request: Request) -> list[str]:
    # The route that refused knows its own method only; the description knows all of the path's.
    path = route_path(request.scope)
    paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    return sorted(
        {
            method.upper()
            for template, operations in paths.items()
            if compile_path(template)[0].match(path)
            for method in operations
        }
    )
