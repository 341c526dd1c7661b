"""Which events arrive at all: the first thing to know of a metric that nothing has measured yet."""

import uuid
from collections.abc import Collection
from datetime import datetime
from functools import partial

import anyio.to_thread

from assay.core.config import Settings
from assay.core.database import ReadSession, url_of
from assay.events import service as events


async def names_seen(
    tx: ReadSession,
    settings: Settings,
    environment_id: uuid.UUID,
    names: Collection[str],
    *,
    since: datetime,
) -> frozenset[str]:
    """The names of which an environment has at least one event from this moment on."""
    if not names:
        return frozenset()
    read = partial(_names, settings, url_of(tx), environment_id, sorted(names), since)
    return await anyio.to_thread.run_sync(read)


def _names(
    settings: Settings, url: str, environment_id: uuid.UUID, names: list[str], since: datetime
) -> frozenset[str]:
    # The engine is loaded by the first one that asks, not by every start.
    from assay.sources.service import local_engine  # noqa: PLC0415

    with events.facts(
        settings,
        url,
        local_engine(),
        environment_id=environment_id,
        experiment="",
        names=names,
        since=since,
    ) as facts:
        rows = facts.table
        found = rows.filter(rows["kind"] == "event").select("name").distinct().to_pyarrow()
    return frozenset(found["name"].to_pylist())
