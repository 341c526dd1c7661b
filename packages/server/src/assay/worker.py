"""The background worker: every domain's tasks, in this process or in one of its own."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from assay.analysis.guarding import fresh, objection
from assay.analysis.handlers import handlers as analysis_handlers
from assay.analysis.steering import known
from assay.core.config import Settings
from assay.core.database import Database
from assay.events.handlers import handlers as event_handlers
from assay.events.handlers import keeping
from assay.experiments.balancing import handlers as balancing_handlers
from assay.experiments.handlers import on_time
from assay.jobs.worker import Handler, running_worker
from assay.sources.handlers import handlers as sources_handlers


def all_handlers(settings: Settings, database: Database, url: str) -> Mapping[str, Handler]:
    """Every kind of task and what runs it."""
    return {
        **analysis_handlers(settings, database, url),
        **sources_handlers(settings, database),
        **event_handlers(settings, database),
        **balancing_handlers(database),
    }


@asynccontextmanager
async def working(settings: Settings, database: Database, url: str) -> AsyncGenerator[asyncio.Task[None]]:
    """A worker for all tasks, and for what is due to events and experiments, until the block ends."""
    async with (
        keeping(settings, database, url),
        on_time(database, [objection], known),
        fresh(database, settings.results_refresh_seconds),
        running_worker(settings, database, url, all_handlers(settings, database, url)) as worker,
    ):
        yield worker
