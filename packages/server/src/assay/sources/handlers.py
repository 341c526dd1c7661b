"""The background work of this domain: first looks at tables."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import Handler, Task
from assay.sources import catalog, looking
from assay.sources.schemas import ConnectionOut, TableOut


def handlers(settings: Settings, database: Database) -> Mapping[str, Handler]:
    """The tasks this domain can run."""

    async def sample(task: Task) -> dict[str, Any]:
        table, connection = await _target(database, task)
        found = await looking.sample(
            connection.definition,
            table.relation,
            looking.means_of(settings, timeout_seconds=settings.source_timeout_seconds),
            rows=task.arguments["rows"],
            max_bytes=settings.source_max_scan_bytes,
            is_cancelled=partial(_is_cancelled, database, task),
        )
        return found.model_dump(mode="json")

    async def profile(task: Task) -> dict[str, Any]:
        table, connection = await _target(database, task)
        found = await looking.profile(
            connection.definition,
            table.relation,
            table.roles,
            looking.means_of(settings, timeout_seconds=settings.source_timeout_seconds),
            max_bytes=settings.source_max_scan_bytes,
            is_cancelled=partial(_is_cancelled, database, task),
        )
        return found.model_dump(mode="json")

    return {catalog.SAMPLE: sample, catalog.PROFILE: profile}


async def _target(database: Database, task: Task) -> tuple[TableOut, ConnectionOut]:
    async with database.reading() as tx:
        found = await catalog.table_with_connection(tx, task.arguments["project"], task.arguments["table"])
    await task.report(0.1, "asking the engine")
    return found


async def _is_cancelled(database: Database, task: Task) -> bool:
    async with database.reading() as tx:
        return await catalog.is_cancelled(tx, task.id)
