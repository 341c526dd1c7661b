"""The background work of this domain: looking, every few seconds, for what is due."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from assay.core.clock import utc_now
from assay.core.database import OUTAGES, Database, WriteSession
from assay.experiments import repository, ticking
from assay.experiments.reweighing import Known, nothing_known
from assay.experiments.ticking import Guard
from assay.projects import service as projects
from assay.shared.errors import AssayError

log = structlog.get_logger()

EVERY_SECONDS = 2.0
MOST_AT_ONCE = 100


@asynccontextmanager
async def on_time(
    database: Database, guards: Sequence[Guard] = (), known: Known = nothing_known
) -> AsyncGenerator[None]:
    """Does what is due for experiments until the block ends; any number of processes may."""
    clockwork = asyncio.create_task(_keep_ticking(database, guards, known), name="experiments")
    try:
        yield
    finally:
        clockwork.cancel()
        await asyncio.wait({clockwork})


async def tick(
    database: Database, now: datetime, guards: Sequence[Guard] = (), known: Known = nothing_known
) -> int:
    """Does all that is due by now, each in a transaction of its own; how many were done or failed."""
    async with database.reading() as tx:
        waiting = await repository.due_before(tx, now, limit=MOST_AT_ONCE)
        keys = await projects.keys(tx, {project for _, project, _ in waiting})
    settled = 0
    for identifier, project, key in waiting:
        settled += await _settle(
            database, keys[project], key, identifier, now=now, guards=guards, known=known
        )
    return settled


async def _settle(
    database: Database,
    project: str,
    key: str,
    identifier: uuid.UUID,
    *,
    now: datetime,
    guards: Sequence[Guard],
    known: Known,
) -> bool:
    async def settle(tx: WriteSession) -> bool:
        return await ticking.settle(tx, project, key, identifier, now=now, guards=guards, known=known)

    try:
        return await database.write(settle)
    except AssayError as error:
        log.warning("experiment_not_on_time", experiment=key, error=error.message)
        reason = error.message

    async def fail(tx: WriteSession) -> None:
        await ticking.fail(tx, project, key, identifier, reason=reason, now=now)

    await database.write(fail)
    return True


async def _keep_ticking(database: Database, guards: Sequence[Guard], known: Known) -> None:
    while True:
        try:
            await tick(database, utc_now(), guards, known)
        except OUTAGES as error:
            # The database may be restarting; the next round tries again.
            log.warning("experiments_not_looked_at", error=str(error).strip())
        except Exception:
            # The edge of the worker: one experiment's failure must not end the looking.
            log.exception("experiments_not_looked_at")
        await asyncio.sleep(EVERY_SECONDS)
