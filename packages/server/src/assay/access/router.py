"""Keys of an environment over HTTP."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Response

from assay.access import service
from assay.access.schemas import KeyCreate, KeyMade, KeyOut
from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.shared.ids import Key
from assay.shared.pagination import Page

router = APIRouter(
    prefix="/projects/{project}/environments/{environment}/keys",
    tags=["access"],
    route_class=RetryingRoute,
)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
EnvironmentKey = Annotated[Key, Path(description="Key of the environment.")]


@router.post("", status_code=201)
async def create_key(
    project: ProjectKey, environment: EnvironmentKey, new: KeyCreate, tx: Writes, now: Now, response: Response
) -> KeyMade:
    """Makes a key; its token is in this answer and nowhere else."""
    key, token = await service.create(tx, project, environment, new, now=now)
    response.headers["Cache-Control"] = "no-store"
    return KeyMade(**KeyOut.model_validate(key).model_dump(), token=token)


@router.get("")
async def list_keys(
    project: ProjectKey,
    environment: EnvironmentKey,
    tx: Reads,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[KeyOut]:
    """Lists an environment's keys, oldest first, without their tokens."""
    rows, following = await service.listing(tx, project, environment, cursor=cursor, limit=limit)
    return Page(items=[KeyOut.model_validate(row) for row in rows], next_cursor=following)


@router.delete("/{key}", status_code=204)
async def revoke_key(
    project: ProjectKey,
    environment: EnvironmentKey,
    key: Annotated[uuid.UUID, Path(description="Identifier of the key, as its list shows it.")],
    tx: Writes,
    now: Now,
) -> None:
    """Revokes a key; nobody is answered to it a second later."""
    await service.revoke(tx, project, environment, key, now=now)
