"""Projects and environments over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from assay.audit.schemas import AuditEntryOut
from assay.core.dependencies import Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.projects import service
from assay.projects.schemas import EnvironmentCreate, EnvironmentOut, ProjectCreate, ProjectOut, ProjectUpdate
from assay.shared.ids import Key
from assay.shared.pagination import Page
from assay.shared.schema import Name

router = APIRouter(prefix="/projects", tags=["projects"], route_class=RetryingRoute)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
EnvironmentKey = Annotated[Key, Path(description="Key of the environment.")]
Subject = Annotated[
    Name | None,
    Query(description="Only changes of this thing and of those below it, such as `flags/checkout`."),
]


@router.post("", status_code=201)
async def create_project(new: ProjectCreate, tx: Writes, response: Response) -> ProjectOut:
    """Makes a project with the environment `production`."""
    project = await service.create(tx, new)
    response.headers["Location"] = f"/api/v1/projects/{project.key}"
    return ProjectOut.model_validate(project)


@router.get("")
async def list_projects(tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT) -> Page[ProjectOut]:
    """Lists projects, oldest first."""
    rows, following = await service.listing(tx, cursor=cursor, limit=limit)
    return Page(items=[ProjectOut.model_validate(row) for row in rows], next_cursor=following)


@router.get("/{project}")
async def get_project(project: ProjectKey, tx: Reads) -> ProjectOut:
    """Reads a project."""
    return ProjectOut.model_validate(await service.get(tx, project))


@router.patch("/{project}")
async def update_project(project: ProjectKey, change: ProjectUpdate, tx: Writes) -> ProjectOut:
    """Renames a project."""
    return ProjectOut.model_validate(await service.update(tx, project, change))


@router.post("/{project}/environments", status_code=201)
async def create_environment(
    project: ProjectKey, new: EnvironmentCreate, tx: Writes, response: Response
) -> EnvironmentOut:
    """Adds an environment to a project."""
    environment = await service.create_environment(tx, project, new)
    response.headers["Location"] = f"/api/v1/projects/{project}/environments/{environment.key}"
    return EnvironmentOut.model_validate(environment)


@router.get("/{project}/environments")
async def list_environments(
    project: ProjectKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[EnvironmentOut]:
    """Lists a project's environments, oldest first."""
    rows, following = await service.environments(tx, project, cursor=cursor, limit=limit)
    return Page(items=[EnvironmentOut.model_validate(row) for row in rows], next_cursor=following)


@router.get("/{project}/environments/{environment}")
async def get_environment(project: ProjectKey, environment: EnvironmentKey, tx: Reads) -> EnvironmentOut:
    """Reads an environment."""
    return EnvironmentOut.model_validate(await service.get_environment(tx, project, environment))


@router.get("/{project}/audit")
async def list_changes(
    project: ProjectKey, tx: Reads, subject: Subject = None, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[AuditEntryOut]:
    """Lists who changed what in a project, newest first."""
    items, following = await service.audit_entries(tx, project, subject=subject, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)
