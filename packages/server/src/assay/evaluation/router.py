"""The datafile over HTTP: the rules themselves, for SDKs that evaluate inside their own process."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from assay.access.errors import ServerKeyRequired
from assay.evaluation.callers import Caller, Refused
from assay.evaluation.delivery import Delivery
from assay.evaluation.requests import has_seen
from assay.shared.ids import Key

router = APIRouter(prefix="/datafile", tags=["delivery"])

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The datafile, as `datafile.schema.json` of assay-engine describes it.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    304: {"description": "The datafile of the ETag in `If-None-Match` is still the newest."},
}


@router.get("", response_class=Response, responses=_RESPONSES)
async def get_datafile(
    request: Request,
    project: Annotated[
        Key | None, Query(description="Without a key, in open local mode: the project.")
    ] = None,
    environment: Annotated[Key | None, Query(description="Likewise: the environment.")] = None,
    at_least: Annotated[
        int | None,
        Query(ge=0, description="A revision heard of from a stream, to be served at least."),
    ] = None,
) -> Response:
    """Gives an environment's flags, segments, layers and holdouts to the holder of a server key."""
    del project, environment  # read with the caller, as OFREP does
    delivery: Delivery = request.state.delivery
    caller = await _server(request, delivery)
    snapshot = await delivery.store.at_least(await delivery.snapshot(caller.environment_id), at_least)
    tag = f'"{snapshot.version}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    condition = request.headers.get("if-none-match")
    if condition is not None and has_seen(condition.encode("latin-1", "replace"), tag.encode()):
        return Response(status_code=304, headers=headers)
    return Response(snapshot.datafile, media_type="application/json", headers=headers)


async def _server(request: Request, delivery: Delivery) -> Caller:
    headers = request.headers
    try:
        return await delivery.server_caller(
            headers.get("authorization"), headers.get("x-api-key"), request.url.query
        )
    except Refused as error:
        if error.status == 403:  # noqa: PLR2004 — the one refusal that is not HTTP's own
            raise ServerKeyRequired(error.details) from error
        named = {name.decode(): value.decode() for name, value in error.headers}
        raise HTTPException(error.status, error.details, named) from error
