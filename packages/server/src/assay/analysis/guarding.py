"""Watching over running experiments: results that stay fresh, and the alarms in them that halt.

What a result says is acted upon when it is computed; a ramp asks once more before each step.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from assay.analysis import service
from assay.core.clock import utc_now
from assay.core.database import OUTAGES, Database, ReadSession, WriteSession
from assay.experiments import service as experiments
from assay.experiments import ticking
from assay.experiments.schemas import ExperimentOut
from assay.experiments.service import Assigning
from assay.jobs import service as jobs

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 30.0


async def objection(tx: ReadSession, project: str, key: str) -> str | None:
    """Why a ramp must not go on, by the newest finished result of its phase; None when nothing is known."""
    experiment = await experiments.get(tx, project, key)
    found = await service.latest_if_any(tx, project, key)
    if found is None or experiment.phase is None or found.task.created_at < experiment.phase.started_at:
        return None
    return reason_of(found.document.halts)


def reason_of(halts: Sequence[str]) -> str | None:
    """The alarms of a result as one reason; None without any."""
    return " ".join(halts) or None


async def act_on(database: Database, project: str, analysed: ExperimentOut, halts: Sequence[str]) -> bool:
    """Pauses an experiment whose new result has an alarm, if its plan asks for that; True when it did.

    Args:
        analysed: The experiment as it was when the result was begun; an alarm of one phase halts no other.
    """
    reason, phase = reason_of(halts), analysed.phase
    if reason is None or phase is None:
        return False

    async def act(tx: WriteSession) -> bool:
        now = await experiments.get(tx, project, analysed.key)
        if now.phase is None or now.phase.number != phase.number:
            return False
        return await ticking.halt(tx, project, analysed.key, reason=reason, now=utc_now())

    halted = await database.write(act)
    if halted:
        log.warning("experiment_halted", experiment=analysed.key, project=project)
    return halted


@asynccontextmanager
async def fresh(database: Database, every_seconds: float) -> AsyncGenerator[None]:
    """Keeps the results of running experiments fresh until the block ends; any number of processes may."""
    if not every_seconds:
        yield
        return
    refreshing = asyncio.create_task(_keep_refreshing(database, every_seconds), name="results")
    try:
        yield
    finally:
        refreshing.cancel()
        await asyncio.wait({refreshing})


async def refresh(database: Database, now: datetime, *, every_seconds: float) -> int:
    """Begins an analysis of every running experiment whose newest one is old enough; how many."""
    since = now - timedelta(seconds=every_seconds)
    async with database.reading() as tx:
        old = [each for each in await experiments.assigning(tx) if each.began <= since]
        recent = await jobs.begun_since(
            tx, kind=service.KIND, subjects=[str(each.id) for each in old], since=since
        )
    due = [each for each in old if str(each.id) not in recent]
    for each in due:
        await _begin(database, each, now)
    return len(due)


async def _begin(database: Database, due: Assigning, now: datetime) -> None:
    async def begin(tx: WriteSession) -> None:
        # Begun by another process meanwhile, it is the same run.
        await service.begin(tx, due.project, due.key, now=now)

    await database.write(begin)


async def _keep_refreshing(database: Database, every_seconds: float) -> None:
    while True:
        await asyncio.sleep(min(every_seconds / 2, LONGEST_PAUSE_SECONDS))
        try:
            await refresh(database, utc_now(), every_seconds=every_seconds)
        except OUTAGES as error:
            # The database may be restarting; the next round tries again.
            log.warning("results_not_refreshed", error=str(error).strip())
        except Exception:
            # The edge of the worker: one experiment's failure must not end the looking.
            log.exception("results_not_refreshed")
