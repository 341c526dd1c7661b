"""Queries over projects and environments."""

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from assay.core.database import ReadSession, WriteSession
from assay.projects.models import Environment, Project
from assay.shared import pagination
from assay.shared.ids import new_id


async def project_by_key(tx: ReadSession, key: str) -> Project | None:
    """The project with this key."""
    return await tx.scalar(select(Project).where(Project.key == key))


async def projects(tx: ReadSession, *, cursor: str | None, limit: int) -> Sequence[Project]:
    """One row more than a page of projects."""
    rows = await tx.scalars(pagination.after(select(Project), Project.id, cursor=cursor, limit=limit))
    return rows.all()


async def project_keys(tx: ReadSession, identifiers: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The keys of the projects with these identifiers."""
    rows = await tx.execute(select(Project.id, Project.key).where(Project.id.in_(identifiers)))
    return dict(rows.all())


async def insert_project(tx: WriteSession, *, key: str, name: str) -> Project | None:
    """The new project, or None when the key is taken."""
    statement = insert(Project).values(id=new_id(), key=key, name=name).on_conflict_do_nothing()
    return await tx.scalar(statement.returning(Project))


async def environment_by_key(tx: ReadSession, project_id: uuid.UUID, key: str) -> Environment | None:
    """The project's environment with this key."""
    return await tx.scalar(
        select(Environment).where(Environment.project_id == project_id, Environment.key == key)
    )


async def environments(
    tx: ReadSession, project_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[Environment]:
    """One row more than a page of the project's environments."""
    statement = select(Environment).where(Environment.project_id == project_id)
    rows = await tx.scalars(pagination.after(statement, Environment.id, cursor=cursor, limit=limit))
    return rows.all()


async def insert_environment(
    tx: WriteSession, *, project_id: uuid.UUID, key: str, name: str
) -> Environment | None:
    """The new environment, or None when the key is taken."""
    values = {"id": new_id(), "project_id": project_id, "key": key, "name": name, "revision": 0}
    statement = insert(Environment).values(values).on_conflict_do_nothing()
    return await tx.scalar(statement.returning(Environment))


async def environment_by_id(tx: ReadSession, environment_id: uuid.UUID) -> Environment | None:
    """The environment with this identifier, as the database has it now."""
    statement = select(Environment).where(Environment.id == environment_id)
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def revisions(tx: ReadSession) -> dict[uuid.UUID, int]:
    """The revision of every environment."""
    rows = await tx.execute(select(Environment.id, Environment.revision))
    return dict(rows.all())


async def raise_revision(tx: WriteSession, environment_id: uuid.UUID) -> int:
    """The environment's next revision; its row stays locked until the transaction ends."""
    statement = (
        update(Environment)
        .where(Environment.id == environment_id)
        .values(revision=Environment.revision + 1)
        .returning(Environment.revision)
        .execution_options(synchronize_session=False)
    )
    return (await tx.execute(statement)).scalar_one()


async def notify(tx: WriteSession, channel: str, payload: str) -> None:
    """Tells all listeners, once the transaction has been committed."""
    await tx.execute(select(func.pg_notify(channel, payload)))
