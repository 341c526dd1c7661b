"""Flags over HTTP: what they are everywhere."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.flags import service
from assay.flags.routing import FlagKey, IfMatch, ProjectKey, by
from assay.flags.schemas import FlagCreate, FlagOut, FlagUpdate
from assay.shared.pagination import Page
from assay.shared.schema import Name

router = APIRouter(prefix="/projects/{project}/flags", tags=["flags"], route_class=RetryingRoute)
Search = Annotated[
    str | None,
    Query(max_length=200, description="Words that begin words of key, owner, description or tags."),
]
TagFilter = Annotated[Name | None, Query(max_length=64, description="Only flags with this tag.")]
Archived = Annotated[bool, Query(description="Archived flags instead of the others.")]


@router.post("", status_code=201)
async def create_flag(
    project: ProjectKey, new: FlagCreate, tx: Writes, now: Now, response: Response
) -> FlagOut:
    """Makes a flag; every environment begins with it unpublished and its draft disabled."""
    flag = await service.create(tx, project, new, by=by(now))
    response.headers["Location"] = f"/api/v1/projects/{project}/flags/{flag.key}"
    response.headers["ETag"] = flag.etag
    return flag


@router.get("")
async def list_flags(
    project: ProjectKey,
    tx: Reads,
    search: Search = None,
    tag: TagFilter = None,
    archived: Archived = False,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[FlagOut]:
    """Lists a project's flags, oldest first."""
    items, following = await service.listing(
        tx, project, search=search, tag=tag, archived=archived, cursor=cursor, limit=limit
    )
    return Page(items=items, next_cursor=following)


@router.get("/{flag}")
async def get_flag(project: ProjectKey, flag: FlagKey, tx: Reads, response: Response) -> FlagOut:
    """Reads a flag."""
    found = await service.get(tx, project, flag)
    response.headers["ETag"] = found.etag
    return found


@router.patch("/{flag}")
async def update_flag(
    project: ProjectKey,
    flag: FlagKey,
    change: FlagUpdate,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> FlagOut:
    """Changes a flag; environments serve other variants once they publish."""
    changed = await service.update(tx, project, flag, change, if_match=if_match, by=by(now))
    response.headers["ETag"] = changed.etag
    return changed


@router.delete("/{flag}", status_code=204)
async def delete_flag(
    project: ProjectKey, flag: FlagKey, tx: Writes, now: Now, if_match: IfMatch = None
) -> None:
    """Removes a flag that no environment ever served."""
    await service.delete(tx, project, flag, if_match=if_match, by=by(now))


@router.post("/{flag}/archive")
async def archive_flag(project: ProjectKey, flag: FlagKey, tx: Writes, now: Now) -> FlagOut:
    """Archives a flag: it is served nowhere any more, and its history stays."""
    return await service.archive(tx, project, flag, by=by(now))


@router.post("/{flag}/unarchive")
async def unarchive_flag(project: ProjectKey, flag: FlagKey, tx: Writes, now: Now) -> FlagOut:
    """Serves an archived flag again as it was."""
    return await service.unarchive(tx, project, flag, by=by(now))
