"""What a project knows of connections and tables: kept, listed, changed, each change in the log."""

import uuid
from datetime import datetime
from typing import Any

from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.jobs import service as jobs
from assay.jobs.schemas import TaskOut
from assay.projects import service as projects
from assay.shared import pagination
from assay.sources import repository
from assay.sources.connections import BUILT_IN
from assay.sources.errors import (
    ConnectionInUse,
    ConnectionKeyTaken,
    ConnectionNotFound,
    TableKeyTaken,
    TableNotFound,
    UnknownConnection,
    UnknownTable,
)
from assay.sources.models import Connection, SourceTable
from assay.sources.schemas import (
    ConnectionCreate,
    ConnectionOut,
    ConnectionReplace,
    QueryCreate,
    TableCreate,
    TableOut,
    TableReplace,
)

SAMPLE, PROFILE = "source_sample", "source_profile"
SHOWN_TABLES = 5


async def create_connection(
    tx: WriteSession, project_key: str, new: ConnectionCreate, *, now: datetime
) -> ConnectionOut:
    """A new connection of a project.

    Raises:
        ConnectionKeyTaken: The project has one with this key, or Assay keeps the key for itself.
    """
    project = await projects.get(tx, project_key)
    if new.key == BUILT_IN:
        raise ConnectionKeyTaken(f"{BUILT_IN!r} is the connection to Assay's own events", value=new.key)
    row = await repository.insert_connection(tx, project.id, new.model_dump())
    if row is None:
        raise ConnectionKeyTaken(
            f"project {project_key!r} has a connection {new.key!r} already", value=new.key
        )
    made = ConnectionOut.model_validate(row)
    await _record(tx, project.id, "connection.created", f"connections/{new.key}", None, made, now)
    return made


async def get_connection(tx: ReadSession, project_key: str, key: str) -> ConnectionOut:
    """A connection of a project.

    Raises:
        ConnectionNotFound: The project has none of this key.
    """
    return ConnectionOut.model_validate(await _connection(tx, project_key, key))


async def require_connection(tx: ReadSession, project_key: str, key: str) -> ConnectionOut:
    """A connection that the input names beside the thing it is about.

    Raises:
        UnknownConnection: The project has none of this key.
    """
    if key == BUILT_IN:
        raise UnknownConnection(
            f"{BUILT_IN!r} holds Assay's own events; experiments and metrics read them without a table",
            value=key,
        )
    try:
        return await get_connection(tx, project_key, key)
    except ConnectionNotFound as error:
        raise UnknownConnection(error.message, value=key) from error


async def connections(
    tx: ReadSession, project_key: str, *, cursor: str | None, limit: int
) -> tuple[list[ConnectionOut], str | None]:
    """A page of a project's connections, oldest first, and the cursor of the next."""
    project = await projects.get(tx, project_key)
    rows = await repository.connections(tx, project.id, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [ConnectionOut.model_validate(row) for row in rows], following


async def replace_connection(
    tx: WriteSession, project_key: str, key: str, change: ConnectionReplace, *, now: datetime
) -> ConnectionOut:
    """The connection as it shall be; tables on it are read from the new place."""
    row = await _connection(tx, project_key, key)
    before = ConnectionOut.model_validate(row)
    for name, value in change.model_dump().items():
        setattr(row, name, value)
    await tx.flush()
    await tx.refresh(row)
    after = ConnectionOut.model_validate(row)
    await _record(tx, row.project_id, "connection.replaced", f"connections/{key}", before, after, now)
    return after


async def delete_connection(tx: WriteSession, project_key: str, key: str, *, now: datetime) -> None:
    """Forgets a connection.

    Raises:
        ConnectionInUse: Tables stand on it.
    """
    row = await _connection(tx, project_key, key)
    if used := await repository.tables_on(tx, row.id, limit=SHOWN_TABLES):
        raise ConnectionInUse(
            f"tables stand on connection {key!r}: {', '.join(used)}; delete them first", value=key
        )
    await repository.delete_connection(tx, row.id)
    before = ConnectionOut.model_validate(row)
    await _record(tx, row.project_id, "connection.deleted", f"connections/{key}", before, None, now)


async def create_table(tx: WriteSession, project_key: str, new: TableCreate, *, now: datetime) -> TableOut:
    """A new table of a project, checked before by the caller.

    Raises:
        TableKeyTaken: The project has a table with this key.
    """
    project = await projects.get(tx, project_key)
    connection = await _connection(tx, project_key, new.connection)
    values = new.model_dump(exclude={"connection"})
    row = await repository.insert_table(tx, project.id, connection.id, values)
    if row is None:
        raise TableKeyTaken(f"project {project_key!r} has a table {new.key!r} already", value=new.key)
    made = _table_out(row, connection.key)
    await _record(tx, project.id, "table.created", f"tables/{new.key}", None, made, now)
    return made


async def get_table(tx: ReadSession, project_key: str, key: str) -> TableOut:
    """A table of a project.

    Raises:
        TableNotFound: The project has none of this key.
    """
    row, connection = await _table(tx, project_key, key)
    return _table_out(row, connection.key)


async def table_with_connection(
    tx: ReadSession, project_key: str, key: str
) -> tuple[TableOut, ConnectionOut]:
    """A table of a project and the connection it stands on."""
    row, connection = await _table(tx, project_key, key)
    return _table_out(row, connection.key), ConnectionOut.model_validate(connection)


async def require_table(tx: ReadSession, project_key: str, key: str) -> TableOut:
    """A table that the input names beside the thing it is about.

    Raises:
        UnknownTable: The project has none of this key.
    """
    try:
        return await get_table(tx, project_key, key)
    except TableNotFound as error:
        raise UnknownTable(error.message, value=key) from error


async def tables(
    tx: ReadSession, project_key: str, *, cursor: str | None, limit: int
) -> tuple[list[TableOut], str | None]:
    """A page of a project's tables, oldest first, and the cursor of the next."""
    project = await projects.get(tx, project_key)
    rows, keys = await repository.tables(tx, project.id, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [_table_out(row, keys[row.connection_id]) for row in rows], following


async def replace_table(
    tx: WriteSession, project_key: str, key: str, change: TableReplace, *, now: datetime
) -> TableOut:
    """The table as it shall be, checked before by the caller."""
    row, old = await _table(tx, project_key, key)
    before = _table_out(row, old.key)
    connection = await _connection(tx, project_key, change.connection)
    for name, value in change.model_dump(exclude={"connection"}).items():
        setattr(row, name, value)
    row.connection_id = connection.id
    await tx.flush()
    await tx.refresh(row)
    after = _table_out(row, connection.key)
    await _record(tx, row.project_id, "table.replaced", f"tables/{key}", before, after, now)
    return after


async def delete_table(tx: WriteSession, project_key: str, key: str, *, now: datetime) -> None:
    """Forgets a table; what it is made of stays where it is."""
    row, connection = await _table(tx, project_key, key)
    await repository.delete_table(tx, row.id)
    before = _table_out(row, connection.key)
    await _record(tx, row.project_id, "table.deleted", f"tables/{key}", before, None, now)


async def begin_query(
    tx: WriteSession, project_key: str, key: str, query: QueryCreate, *, now: datetime
) -> TaskOut:
    """Asks for a first look at a table; while one of the same kind is under way, that is the one."""
    row, _ = await _table(tx, project_key, key)
    arguments = {"project": project_key, "table": key, "rows": query.rows}
    kind = SAMPLE if query.kind == "sample" else PROFILE
    return await jobs.begin_next(tx, kind=kind, subject=str(row.id), arguments=arguments, now=now)


async def poll_query(tx: ReadSession, project_key: str, key: str, task: uuid.UUID) -> TaskOut:
    """Where a first look stands."""
    row, _ = await _table(tx, project_key, key)
    return await jobs.poll(tx, task, subject=str(row.id))


async def query_result(tx: ReadSession, project_key: str, key: str, task: uuid.UUID) -> dict[str, Any]:
    """What a first look found.

    Raises:
        NotFinished, TaskFailed: There is nothing.
    """
    row, _ = await _table(tx, project_key, key)
    return await jobs.result(tx, task, subject=str(row.id))


async def cancel_query(tx: WriteSession, project_key: str, key: str, task: uuid.UUID) -> TaskOut:
    """Asks for a first look to be stopped; it ends as FAILED, with the code `query_cancelled`."""
    found = await poll_query(tx, project_key, key, task)
    await ask_to_stop(tx, task)
    return found


async def ask_to_stop(tx: WriteSession, task: uuid.UUID) -> None:
    """Leaves word that whatever queries a task runs should be stopped."""
    await repository.ask_to_stop(tx, task)


async def is_cancelled(tx: ReadSession, task: uuid.UUID) -> bool:
    """Whether somebody has asked for the queries of this task to be stopped."""
    return await repository.is_asked_to_stop(tx, task)


async def _connection(tx: ReadSession, project_key: str, key: str) -> Connection:
    project = await projects.get(tx, project_key)
    found = await repository.connection_by_key(tx, project.id, key)
    if found is None:
        raise ConnectionNotFound(f"project {project_key!r} has no connection {key!r}", value=key)
    return found


async def _table(tx: ReadSession, project_key: str, key: str) -> tuple[SourceTable, Connection]:
    project = await projects.get(tx, project_key)
    found = await repository.table_by_key(tx, project.id, key)
    if found is None:
        raise TableNotFound(f"project {project_key!r} has no table {key!r}", value=key)
    return found


def _table_out(row: SourceTable, connection: str) -> TableOut:
    return TableOut.model_validate(
        {
            "key": row.key, "name": row.name, "description": row.description, "connection": connection,
            "relation": row.relation, "roles": row.roles, "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )  # fmt: skip


async def _record(
    tx: WriteSession,
    project_id: uuid.UUID,
    action: str,
    subject: str,
    before: ConnectionOut | TableOut | None,
    after: ConnectionOut | TableOut | None,
    now: datetime,
) -> None:
    moments = {"created_at", "updated_at"}
    await audit.record(
        tx,
        project_id=project_id,
        actor=audit.LOCAL_ACTOR,
        action=action,
        subject=subject,
        before=None if before is None else before.model_dump(mode="json", exclude=moments),
        after=None if after is None else after.model_dump(mode="json", exclude=moments),
        at=now,
    )
