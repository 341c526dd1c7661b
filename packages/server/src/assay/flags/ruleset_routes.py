"""All that an environment serves over HTTP: taken out, put in, cloned."""

from datetime import timedelta
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.flags import documents, insight, service
from assay.flags.routing import EnvironmentKey, ProjectKey, by
from assay.flags.schemas import CloneRequest, RulesetPublished, StalenessOut
from assay.projects import service as projects
from assay.shared.pagination import Page

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}", tags=["flags"], route_class=RetryingRoute
)
# The engine's parser reads the body once; Pydantic would read thousands of flags twice.
_DATAFILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object", "description": "A datafile."}}},
    }
}
QuietDays = Annotated[int, Query(ge=1, le=3650, description="For how long nothing must have happened.")]


@router.get("/ruleset", response_class=Response, responses={200: {"content": {"application/json": {}}}})
async def get_ruleset(project: ProjectKey, environment: EnvironmentKey, tx: Reads) -> Response:
    """Reads all that an environment serves, as a datafile."""
    place = await projects.get_environment(tx, project, environment)
    published = await service.published(tx, place.id)
    return Response(published.datafile, media_type="application/json")


@router.post("/ruleset", openapi_extra=_DATAFILE)
async def put_ruleset(
    project: ProjectKey, environment: EnvironmentKey, request: Request, tx: Writes, now: Now
) -> RulesetPublished:
    """Publishes all flags, segments, layers and holdouts of a datafile at once; others stay as they are."""
    ruleset = await anyio.to_thread.run_sync(documents.loaded, await request.body())
    return await service.put_published(tx, project, environment, ruleset, by=by(now))


@router.post("/clone")
async def clone(
    project: ProjectKey, environment: EnvironmentKey, wanted: CloneRequest, tx: Writes, now: Now
) -> RulesetPublished:
    """Publishes what another environment serves: all of it, or some flags with what they need."""
    return await service.clone(
        tx, project, environment, source=wanted.environment, keys=wanted.flags, by=by(now, wanted.note)
    )


@router.get("/staleness")
async def staleness(
    project: ProjectKey,
    environment: EnvironmentKey,
    tx: Reads,
    now: Now,
    days: QuietDays = 30,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[StalenessOut]:
    """Lists flags with what speaks for removing them from the code, oldest first."""
    items, following = await insight.staleness(
        tx, project, environment, quiet=timedelta(days=days), cursor=cursor, limit=limit, now=now
    )
    return Page(items=items, next_cursor=following)
