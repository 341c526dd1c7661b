"""Connections and tables over HTTP."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field, TypeAdapter

from assay.core.dependencies import AppSettings, Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.jobs.schemas import TaskOut
from assay.shared.ids import Key
from assay.shared.pagination import Page
from assay.sources import catalog, looking
from assay.sources.schemas import (
    ConnectionCheckOut,
    ConnectionCreate,
    ConnectionOut,
    ConnectionReplace,
    EstimateOut,
    ProfileOut,
    QueryCreate,
    SampleOut,
    TableCheckOut,
    TableCreate,
    TableOut,
    TableReplace,
)

router = APIRouter(prefix="/projects/{project}", tags=["sources"], route_class=RetryingRoute)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
ConnectionKey = Annotated[Key, Path(description="Key of the connection.")]
TableKey = Annotated[Key, Path(description="Key of the table.")]
FirstLook = Annotated[SampleOut | ProfileOut, Field(discriminator="kind")]
_FIRST_LOOK: TypeAdapter[SampleOut | ProfileOut] = TypeAdapter(FirstLook)


@router.post("/connections", status_code=201)
async def create_connection(
    project: ProjectKey, new: ConnectionCreate, tx: Writes, now: Now, response: Response
) -> ConnectionOut:
    """Adds a connection to tables; secrets are given by the name of an environment variable."""
    made = await catalog.create_connection(tx, project, new, now=now)
    response.headers["Location"] = f"/api/v1/projects/{project}/connections/{made.key}"
    return made


@router.get("/connections")
async def list_connections(
    project: ProjectKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[ConnectionOut]:
    """Lists a project's connections, oldest first; Assay's own events need none."""
    items, following = await catalog.connections(tx, project, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/connections/{connection}")
async def get_connection(project: ProjectKey, connection: ConnectionKey, tx: Reads) -> ConnectionOut:
    """Reads a connection."""
    return await catalog.get_connection(tx, project, connection)


@router.put("/connections/{connection}")
async def replace_connection(
    project: ProjectKey, connection: ConnectionKey, change: ConnectionReplace, tx: Writes, now: Now
) -> ConnectionOut:
    """Replaces a connection."""
    return await catalog.replace_connection(tx, project, connection, change, now=now)


@router.delete("/connections/{connection}", status_code=204)
async def delete_connection(project: ProjectKey, connection: ConnectionKey, tx: Writes, now: Now) -> None:
    """Deletes a connection on which no table stands."""
    await catalog.delete_connection(tx, project, connection, now=now)


@router.post("/connections/{connection}/check")
async def check_connection(
    project: ProjectKey, connection: ConnectionKey, tx: Reads, settings: AppSettings
) -> ConnectionCheckOut:
    """Opens a connection and lists what can be seen through it."""
    found = await catalog.get_connection(tx, project, connection)
    means = looking.means_of(settings, timeout_seconds=settings.source_check_seconds)
    return ConnectionCheckOut(tables=await looking.visible_tables(found.definition, means))


@router.post("/tables", status_code=201)
async def create_table(
    project: ProjectKey, new: TableCreate, tx: Writes, settings: AppSettings, now: Now, response: Response
) -> TableOut:
    """Adds a table to analyse, after a look whether it is there and its columns fit their roles."""
    connection = await catalog.require_connection(tx, project, new.connection)
    means = looking.means_of(settings, timeout_seconds=settings.source_check_seconds)
    await looking.check(connection.definition, new.relation, new.roles, means)
    made = await catalog.create_table(tx, project, new, now=now)
    response.headers["Location"] = f"/api/v1/projects/{project}/tables/{made.key}"
    return made


@router.get("/tables")
async def list_tables(
    project: ProjectKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[TableOut]:
    """Lists a project's tables to analyse, oldest first."""
    items, following = await catalog.tables(tx, project, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/tables/{table}")
async def get_table(project: ProjectKey, table: TableKey, tx: Reads) -> TableOut:
    """Reads a table's definition."""
    return await catalog.get_table(tx, project, table)


@router.put("/tables/{table}")
async def replace_table(
    project: ProjectKey, table: TableKey, change: TableReplace, tx: Writes, settings: AppSettings, now: Now
) -> TableOut:
    """Replaces a table's definition, after the same look as when it was made."""
    await catalog.get_table(tx, project, table)
    connection = await catalog.require_connection(tx, project, change.connection)
    means = looking.means_of(settings, timeout_seconds=settings.source_check_seconds)
    await looking.check(connection.definition, change.relation, change.roles, means)
    return await catalog.replace_table(tx, project, table, change, now=now)


@router.delete("/tables/{table}", status_code=204)
async def delete_table(project: ProjectKey, table: TableKey, tx: Writes, now: Now) -> None:
    """Forgets a table; its rows stay where they are."""
    await catalog.delete_table(tx, project, table, now=now)


@router.post("/tables/{table}/check")
async def check_table(
    project: ProjectKey, table: TableKey, tx: Reads, settings: AppSettings
) -> TableCheckOut:
    """Looks whether a table is still there and its columns still fit their roles."""
    found, connection = await catalog.table_with_connection(tx, project, table)
    means = looking.means_of(settings, timeout_seconds=settings.source_check_seconds)
    return await looking.check(connection.definition, found.relation, found.roles, means)


@router.post("/tables/{table}/estimate")
async def estimate_table(
    project: ProjectKey, table: TableKey, tx: Reads, settings: AppSettings
) -> EstimateOut:
    """Estimates rows and bytes of an analysis of a table, without running one."""
    found, connection = await catalog.table_with_connection(tx, project, table)
    means = looking.means_of(settings, timeout_seconds=settings.source_check_seconds)
    return await looking.estimate(
        connection.definition, found.relation, found.roles, means, max_bytes=settings.source_max_scan_bytes
    )


@router.post("/tables/{table}/queries", status_code=202)
async def begin_query(
    project: ProjectKey, table: TableKey, query: QueryCreate, tx: Writes, now: Now, response: Response
) -> TaskOut:
    """Begins a sample or a profile of a table."""
    task = await catalog.begin_query(tx, project, table, query, now=now)
    response.headers["Location"] = f"/api/v1/projects/{project}/tables/{table}/queries/{task.id}"
    return task


@router.get("/tables/{table}/queries/{task}")
async def poll_query(project: ProjectKey, table: TableKey, task: uuid.UUID, tx: Reads) -> TaskOut:
    """Says where a sample or profile stands."""
    return await catalog.poll_query(tx, project, table, task)


@router.get("/tables/{table}/queries/{task}/result")
async def read_query(project: ProjectKey, table: TableKey, task: uuid.UUID, tx: Reads) -> FirstLook:
    """Reads a finished sample or profile; a conflict before it is COMPLETED."""
    return _FIRST_LOOK.validate_python(await catalog.query_result(tx, project, table, task))


@router.post("/tables/{table}/queries/{task}/cancel", status_code=202)
async def cancel_query(project: ProjectKey, table: TableKey, task: uuid.UUID, tx: Writes) -> TaskOut:
    """Stops a sample or profile; it ends as FAILED with the code `query_cancelled`."""
    return await catalog.cancel_query(tx, project, table, task)
