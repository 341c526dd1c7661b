"""What can be done with projects and environments."""

import uuid
from collections.abc import Collection, Sequence

from assay.audit import service as audit
from assay.audit.schemas import AuditEntryOut
from assay.core.database import ReadSession, WriteSession
from assay.projects import repository
from assay.projects.errors import EnvironmentNotFound, KeyTaken, ProjectNotFound, UnknownEnvironment
from assay.projects.models import Environment, Project
from assay.projects.schemas import EnvironmentCreate, ProjectCreate, ProjectUpdate
from assay.shared import pagination

DEFAULT_PROJECT = "default"
DEFAULT_ENVIRONMENT = "production"
REVISION_CHANNEL = "assay_revision"


async def create(tx: WriteSession, new: ProjectCreate) -> Project:
    """A project with its first environment.

    Raises:
        KeyTaken: Another project has the key.
    """
    project = await _insert(tx, new)
    if project is None:
        raise KeyTaken(f"a project {new.key!r} exists already", value=new.key)
    return project


async def ensure_default(tx: WriteSession) -> None:
    """Makes the project that events go to when they name none."""
    # Not asked first: several servers may start on a new database at the same moment.
    await _insert(tx, ProjectCreate(key=DEFAULT_PROJECT, name="Default"))


async def get(tx: ReadSession, key: str) -> Project:
    """The project with this key.

    Raises:
        ProjectNotFound: There is none.
    """
    project = await repository.project_by_key(tx, key)
    if project is None:
        raise ProjectNotFound(f"no project {key!r}", value=key)
    return project


async def keys(tx: ReadSession, identifiers: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The keys of these projects by their identifier."""
    return await repository.project_keys(tx, identifiers)


async def update(tx: WriteSession, key: str, change: ProjectUpdate) -> Project:
    """The project under its new name."""
    project = await get(tx, key)
    project.name = change.name
    await tx.flush()
    await tx.refresh(project)
    return project


async def listing(tx: ReadSession, *, cursor: str | None, limit: int) -> tuple[Sequence[Project], str | None]:
    """A page of projects, oldest first, and the cursor of the next."""
    return pagination.split(await repository.projects(tx, cursor=cursor, limit=limit), limit=limit)


async def create_environment(tx: WriteSession, project_key: str, new: EnvironmentCreate) -> Environment:
    """A further environment of a project.

    Raises:
        KeyTaken: The project has an environment with this key.
    """
    project = await get(tx, project_key)
    environment = await repository.insert_environment(tx, project_id=project.id, key=new.key, name=new.name)
    if environment is None:
        raise KeyTaken(f"project {project_key!r} has an environment {new.key!r} already", value=new.key)
    return environment


async def get_environment(tx: ReadSession, project_key: str, key: str) -> Environment:
    """An environment of a project.

    Raises:
        EnvironmentNotFound: The project has none of this key.
    """
    project = await get(tx, project_key)
    environment = await repository.environment_by_key(tx, project.id, key)
    if environment is None:
        raise EnvironmentNotFound(f"project {project_key!r} has no environment {key!r}", value=key)
    return environment


async def require_environment(tx: ReadSession, project_key: str, key: str) -> Environment:
    """An environment that the input names beside the one it is about.

    Raises:
        UnknownEnvironment: The project has none of this key.
    """
    try:
        return await get_environment(tx, project_key, key)
    except EnvironmentNotFound as error:
        raise UnknownEnvironment(error.message, value=key) from error


async def environments(
    tx: ReadSession, project_key: str, *, cursor: str | None, limit: int
) -> tuple[Sequence[Environment], str | None]:
    """A page of a project's environments, oldest first, and the cursor of the next."""
    project = await get(tx, project_key)
    rows = await repository.environments(tx, project.id, cursor=cursor, limit=limit)
    return pagination.split(rows, limit=limit)


async def environment(tx: ReadSession, environment_id: uuid.UUID) -> Environment:
    """The environment with this identifier.

    Raises:
        EnvironmentNotFound: There is none.
    """
    found = await repository.environment_by_id(tx, environment_id)
    if found is None:
        raise EnvironmentNotFound(f"no environment {str(environment_id)!r}", value=environment_id)
    return found


async def environment_revisions(tx: ReadSession) -> dict[uuid.UUID, int]:
    """The revision of every environment of every project."""
    return await repository.revisions(tx)


async def bump_revision(tx: WriteSession, environment_id: uuid.UUID) -> int:
    """The environment's next revision, announced on `assay_revision` when the transaction commits.

    Until then the environment's row is locked: whoever bumps first and reads afterwards sees what the one
    before has committed, so changes of what an environment serves happen one after the other.
    """
    revision = await repository.raise_revision(tx, environment_id)
    await repository.notify(tx, REVISION_CHANNEL, f"{environment_id}:{revision}")
    return revision


async def audit_entries(
    tx: ReadSession, project_key: str, *, subject: str | None, cursor: str | None, limit: int
) -> tuple[list[AuditEntryOut], str | None]:
    """A page of a project's change log, newest first, and the cursor of the next.

    Args:
        subject: Only changes of this thing and of those below it.
    """
    project = await get(tx, project_key)
    return await audit.listing(tx, project.id, subject=subject, cursor=cursor, limit=limit)


async def _insert(tx: WriteSession, new: ProjectCreate) -> Project | None:
    project = await repository.insert_project(tx, key=new.key, name=new.name)
    if project is not None:
        await repository.insert_environment(
            tx, project_id=project.id, key=DEFAULT_ENVIRONMENT, name="Production"
        )
    return project
