"""Queries over connections and tables to analyse."""

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from assay.core.database import ReadSession, WriteSession
from assay.shared import pagination
from assay.shared.ids import new_id
from assay.sources.models import Cancellation, Connection, SourceTable


async def connection_by_key(tx: ReadSession, project_id: uuid.UUID, key: str) -> Connection | None:
    """The project's connection with this key."""
    statement = select(Connection).where(Connection.project_id == project_id, Connection.key == key)
    return await tx.scalar(statement)


async def connection_by_id(tx: ReadSession, identifier: uuid.UUID) -> Connection | None:
    """The connection with this identifier."""
    return await tx.scalar(select(Connection).where(Connection.id == identifier))


async def connections(
    tx: ReadSession, project_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[Connection]:
    """One row more than a page of the project's connections."""
    statement = select(Connection).where(Connection.project_id == project_id)
    return (await tx.scalars(pagination.after(statement, Connection.id, cursor=cursor, limit=limit))).all()


async def insert_connection(
    tx: WriteSession, project_id: uuid.UUID, values: Mapping[str, object]
) -> Connection | None:
    """The new connection, or None when the key is taken."""
    row = {"id": new_id(), "project_id": project_id, **values}
    return await tx.scalar(insert(Connection).values(row).on_conflict_do_nothing().returning(Connection))


async def tables_on(tx: ReadSession, connection_id: uuid.UUID, *, limit: int) -> Sequence[str]:
    """Keys of tables that stand on a connection."""
    statement = select(SourceTable.key).where(SourceTable.connection_id == connection_id)
    return (await tx.scalars(statement.order_by(SourceTable.id).limit(limit))).all()


async def delete_connection(tx: WriteSession, identifier: uuid.UUID) -> None:
    """Forgets a connection on which no table stands."""
    await tx.execute(delete(Connection).where(Connection.id == identifier))


async def table_by_key(
    tx: ReadSession, project_id: uuid.UUID, key: str
) -> tuple[SourceTable, Connection] | None:
    """The project's table with this key, and its connection."""
    statement = (
        select(SourceTable, Connection)
        .join(Connection, Connection.id == SourceTable.connection_id)
        .where(SourceTable.project_id == project_id, SourceTable.key == key)
    )
    found = (await tx.execute(statement)).one_or_none()
    return None if found is None else (found[0], found[1])


async def tables(
    tx: ReadSession, project_id: uuid.UUID, *, cursor: str | None, limit: int
) -> tuple[Sequence[SourceTable], Mapping[uuid.UUID, str]]:
    """One row more than a page of the project's tables, and the keys of their connections."""
    statement = select(SourceTable).where(SourceTable.project_id == project_id)
    rows = (await tx.scalars(pagination.after(statement, SourceTable.id, cursor=cursor, limit=limit))).all()
    named = select(Connection.id, Connection.key).where(
        Connection.id.in_({row.connection_id for row in rows})
    )
    return rows, {identifier: key for identifier, key in await tx.execute(named)}  # noqa: C416 — rows of SQLAlchemy are no pairs to the type check


async def insert_table(
    tx: WriteSession, project_id: uuid.UUID, connection_id: uuid.UUID, values: Mapping[str, object]
) -> SourceTable | None:
    """The new table, or None when the key is taken."""
    row = {"id": new_id(), "project_id": project_id, "connection_id": connection_id, **values}
    return await tx.scalar(insert(SourceTable).values(row).on_conflict_do_nothing().returning(SourceTable))


async def delete_table(tx: WriteSession, identifier: uuid.UUID) -> None:
    """Forgets a table; what it is made of stays where it is."""
    await tx.execute(delete(SourceTable).where(SourceTable.id == identifier))


async def ask_to_stop(tx: WriteSession, task_run_id: uuid.UUID) -> None:
    """Leaves word that a query should be stopped; asked again, nothing changes."""
    await tx.execute(insert(Cancellation).values(task_run_id=task_run_id).on_conflict_do_nothing())


async def is_asked_to_stop(tx: ReadSession, task_run_id: uuid.UUID) -> bool:
    """Whether somebody has asked for a query to be stopped."""
    statement = select(Cancellation.task_run_id).where(Cancellation.task_run_id == task_run_id)
    return await tx.scalar(statement) is not None
