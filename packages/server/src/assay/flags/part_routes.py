"""Segments, layers and holdouts over HTTP: the same routes for each kind, with models of its own.

The endpoints below are written once. `of_kind` gives FastAPI their signature with the kind's models in place
of the bases, and their description with the kind's name in place of "part".
"""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.flags import part_drafts, parts
from assay.flags.kind_routing import Endpoint, of_kind
from assay.flags.kinds import KINDS, Address, Kind
from assay.flags.part_schemas import PartConfiguration, PartCreate, PartOut, PartState, PartUpdate
from assay.flags.routing import EnvironmentKey, IfMatch, Number, ProjectKey, by
from assay.flags.schemas import DraftCopy, Published, PublishRequest, RevertRequest
from assay.shared.ids import Key
from assay.shared.pagination import Page

Tagged = TypeVar("Tagged", PartOut, PartState)
KeyCursor = Annotated[Key | None, Query(description="`next_cursor` of the page before.")]


async def create_part(
    kind: Kind,
    project: ProjectKey,
    environment: EnvironmentKey,
    new: PartCreate,
    tx: Writes,
    now: Now,
    response: Response,
) -> PartOut:
    """Makes a part, served at once."""
    part = await parts.create(tx, kind, project, environment, new, by=by(now))
    response.headers["Location"] = (
        f"/api/v1/projects/{project}/environments/{environment}/{kind.plural}/{part.key}"
    )
    return _tagged(part, response)


async def list_parts(
    kind: Kind,
    project: ProjectKey,
    environment: EnvironmentKey,
    tx: Reads,
    cursor: KeyCursor = None,
    limit: Limit = LIMIT,
) -> Page[PartOut]:
    """Lists an environment's parts by key."""
    items, following = await parts.listing(tx, kind, project, environment, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


async def get_part(part: Address, tx: Reads, response: Response) -> PartOut:
    """Reads a part as it is served."""
    return _tagged(await parts.get(tx, part), response)


async def update_part(
    part: Address,
    change: PartUpdate,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> PartOut:
    """Changes a part, effective at once; null takes a field away, and a draft stays."""
    given = change.model_dump(exclude_unset=True)
    changed = await parts.update(tx, part, given, if_match=if_match, by=by(now))
    return _tagged(changed, response)


async def delete_part(
    part: Address,
    tx: Writes,
    now: Now,
    if_match: IfMatch = None,
) -> None:
    """Removes a part that nothing needs, with its history."""
    await parts.delete(tx, part, if_match=if_match, by=by(now))


async def get_part_state(part: Address, tx: Reads, response: Response) -> PartState:
    """Reads what is served of a part, its draft, and what publishing would change."""
    return _tagged(await part_drafts.state(tx, part), response)


async def put_part_draft(
    part: Address,
    draft: PartConfiguration,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> PartState:
    """Replaces the draft of a part; nothing is served differently yet."""
    state = await part_drafts.set_draft(
        tx, part, draft.model_dump(), whole=True, if_match=if_match, by=by(now)
    )
    return _tagged(state, response)


async def update_part_draft(
    part: Address,
    change: PartConfiguration,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> PartState:
    """Changes fields in the draft of a part; null takes a field away."""
    given = change.model_dump(exclude_unset=True)
    state = await part_drafts.set_draft(tx, part, given, whole=False, if_match=if_match, by=by(now))
    return _tagged(state, response)


async def discard_part_draft(
    part: Address,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> PartState:
    """Drops the draft of a part; the next one begins from what is served."""
    state = await part_drafts.discard(tx, part, if_match=if_match, by=by(now))
    return _tagged(state, response)


async def copy_part_draft(
    part: Address,
    source: DraftCopy,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> PartState:
    """Makes what another environment serves of a part the draft of this one."""
    other = source.environment
    state = await part_drafts.copy(tx, part, source=other, if_match=if_match, by=by(now))
    return _tagged(state, response)


async def publish_part(
    part: Address,
    request: PublishRequest,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> PartState:
    """Serves the draft of a part, provided that the whole ruleset passes the check; else changes nothing."""
    made_by = by(now, request.note)
    state = await part_drafts.publish(tx, part, if_match=if_match, by=made_by)
    return _tagged(state, response)


async def revert_part(
    part: Address,
    request: RevertRequest,
    tx: Writes,
    now: Now,
    response: Response,
) -> PartState:
    """Serves an earlier revision of a part again, exactly; a draft stays."""
    state = await part_drafts.revert(tx, part, number=request.revision, by=by(now, request.note))
    return _tagged(state, response)


async def list_part_revisions(
    part: Address,
    tx: Reads,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[Published]:
    """Lists what an environment has served of a part, newest first."""
    items, following = await part_drafts.revisions(tx, part, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


async def get_part_revision(part: Address, number: Number, tx: Reads) -> Published:
    """Reads one revision of a part."""
    return await part_drafts.revision(tx, part, number)


ROUTES: tuple[tuple[str, str, int, Endpoint], ...] = (
    ("POST", "", 201, create_part),
    ("GET", "", 200, list_parts),
    ("GET", "/{key}", 200, get_part),
    ("PATCH", "/{key}", 200, update_part),
    ("DELETE", "/{key}", 204, delete_part),
    ("GET", "/{key}/draft", 200, get_part_state),
    ("PUT", "/{key}/draft", 200, put_part_draft),
    ("PATCH", "/{key}/draft", 200, update_part_draft),
    ("DELETE", "/{key}/draft", 200, discard_part_draft),
    ("POST", "/{key}/draft/copy", 200, copy_part_draft),
    ("POST", "/{key}/publish", 200, publish_part),
    ("POST", "/{key}/revert", 200, revert_part),
    ("GET", "/{key}/revisions", 200, list_part_revisions),
    ("GET", "/{key}/revisions/{number}", 200, get_part_revision),
)


def _routes() -> APIRouter:
    router = APIRouter(
        prefix="/projects/{project}/environments/{environment}", tags=["flags"], route_class=RetryingRoute
    )
    for kind in KINDS:
        for method, path, status, endpoint in ROUTES:
            router.add_api_route(
                f"/{kind.plural}{path}",
                of_kind(endpoint, kind, _models(kind)),
                methods=[method],
                status_code=status,
                name=endpoint.__name__.replace("part", kind.name),
                description=str(endpoint.__doc__).replace("part", kind.name),
            )
    return router


def _models(kind: Kind) -> dict[Any, Any]:
    return {
        PartCreate: kind.create,
        PartUpdate: kind.update,
        PartConfiguration: kind.configuration,
        PartOut: kind.out,
        PartState: kind.state,
        Page[PartOut]: Page[kind.out],
    }


def _tagged(found: Tagged, response: Response) -> Tagged:
    response.headers["ETag"] = found.etag
    return found


router = _routes()
