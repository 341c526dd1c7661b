"""The background work of this domain: sealing and tidying without end, and forgetting units when asked."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from assay.assignments import service as assignments
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import OUTAGES, Database
from assay.events import buffer, forgetting, sealing, service, upkeep
from assay.events.sealing import Sealer
from assay.jobs.worker import Handler, Task

log = structlog.get_logger()

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 3600.0
AFTER_FAILURE_SECONDS = 10.0
STOP_SECONDS = 10.0
# A process that has not heard of an experiment's end may keep assignments for a moment.
STILL_SERVED = timedelta(minutes=5)


def handlers(settings: Settings, database: Database) -> Mapping[str, Handler]:
    """The tasks this domain can run."""

    async def forget(task: Task) -> dict[str, Any]:
        environment_id = uuid.UUID(task.arguments["environment_id"])
        unit: str = task.arguments["unit"]
        while True:
            async with buffer.leading(database) as lead:
                if lead is not None:
                    await lead.say("forgetting")
                    await task.report(0.1, "deleting")
                    gone = await forgetting.forget(settings, database, environment_id, unit, now=utc_now())
                    return asdict(gone)
            await task.report(0.0, "waiting until the lake is free")
            await asyncio.sleep(LOOK_SECONDS)

    return {service.FORGET: forget}


@asynccontextmanager
async def keeping(settings: Settings, database: Database, url: str) -> AsyncGenerator[None]:
    """Events are sealed and the lake is kept in order until the block ends, by one process of the cluster."""
    task = asyncio.create_task(_keep(Sealer(settings, database, url)), name="sealer")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=STOP_SECONDS)


async def _keep(sealer: Sealer) -> None:
    clock = asyncio.get_running_loop().time
    tidied = swept = clock()
    every = sealer.settings.event_tidy_seconds
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        tidies, sweeps = clock() - tidied >= every, clock() - swept >= SWEEP_SECONDS
        try:
            await _look(sealer, tidies=tidies, sweeps=sweeps)
        except OUTAGES as error:
            log.warning("sealing_interrupted", error=str(error).strip())
        except Exception as error:
            # Whatever it was: events must be sealed again as soon as it has passed.
            log.exception("sealing_failed")
            await _tell(sealer.database, error)
            await asyncio.sleep(AFTER_FAILURE_SECONDS)
        tidied = clock() if tidies else tidied
        swept = clock() if sweeps else swept


async def _look(sealer: Sealer, *, tidies: bool, sweeps: bool) -> None:
    async with buffer.leading(sealer.database) as lead:
        if lead is None:
            return
        await lead.say("sealing")
        await sealing.seal_if_due(sealer, now=utc_now())
        if tidies:
            await lead.say("merging")
            await _clear_assignments(sealer.database)
            await upkeep.tidy(sealer.settings, sealer.database, now=utc_now())
        if sweeps:
            await lead.say("sweeping")
            await upkeep.sweep(sealer.settings, sealer.database)


async def _clear_assignments(database: Database) -> None:
    # In parts, so that no transaction holds many rows for long.
    ended = partial(assignments.clear_ended, before=utc_now() - STILL_SERVED)
    while await database.write(ended):
        pass


async def _tell(database: Database, error: Exception) -> None:
    sentence = f"{type(error).__name__}: {error}"[:1000]
    with suppress(*OUTAGES):
        await database.write(partial(buffer.record_failure, error=sentence, now=utc_now()))
