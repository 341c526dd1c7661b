"""Hearing of changes: a connection that is cut is made anew, and readiness tells how sure a process is."""

import asyncio
import time
from collections.abc import Callable

import psycopg
import pytest

from assay.core.config import Settings
from assay.core.database import Database
from delivery_support import EVALUATE, Place, Served, a_flag, started
from support_postgres import libpq_url

pytestmark = pytest.mark.anyio
CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN%'
"""
WITHIN_SECONDS = 1.0


async def until(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    """Returns once it is so, or when time is up."""
    for _ in range(int(seconds / 0.01)):
        if is_so():
            return
        await asyncio.sleep(0.01)


async def listening(served: Served) -> None:
    """Returns once the process hears of changes and is sure of what it serves."""
    freshness = served.delivery.store.freshness
    await until(lambda: freshness.is_listening and freshness.checked_at is not None)


async def value(served: Served, place: Place) -> object:
    answer = await served.http.post(f"{EVALUATE}/new_form", params=place.query, json={"context": {}})
    return answer.json()["value"]


def revision_of(served: Served, place: Place) -> int | None:
    """The revision that the process serves."""
    snapshot = served.delivery.store.loaded(place.environment_id)
    return snapshot.revision if snapshot else None


async def test_a_publication_after_the_connection_was_cut_is_served_within_a_second(
    served: Served, place: Place, database_url: str
) -> None:
    await place.publish(a_flag())
    await listening(served)
    before = await value(served, place)
    async with await psycopg.AsyncConnection.connect(libpq_url(database_url), autocommit=True) as admin:
        cut = await (await admin.execute(CUT)).fetchone()
    revision = await place.publish(a_flag(fallthrough={"variant": "off"}))

    await until(lambda: revision_of(served, place) == revision, WITHIN_SECONDS)

    assert cut is not None
    assert cut[0] >= 1
    assert (before, await value(served, place)) == (True, False)
    await listening(served)


async def test_a_change_that_nobody_told_of_is_found_by_asking(
    settings: Settings, committing_database: Database, database_url: str, place: Place
) -> None:
    often = settings.model_copy(update={"snapshot_poll_seconds": 0.1})
    async with started(often, committing_database, database_url) as served:
        revision = await place.publish(a_flag())
        await served.delivery.snapshot(place.environment_id)
        await listening(served)
        async with await psycopg.AsyncConnection.connect(libpq_url(database_url)) as silent:
            await silent.execute(
                "UPDATE assay.environment SET revision = revision + 1 WHERE id = %s", [place.environment_id]
            )
        await until(lambda: revision_of(served, place) != revision)

        assert revision_of(served, place) == revision + 1


async def test_a_process_says_how_long_ago_it_was_sure(served: Served) -> None:
    await listening(served)

    fresh = (await served.http.get("/ready")).json()

    assert (fresh["status"], fresh["snapshots"]) == ("ready", True)
    assert 0 <= fresh["snapshot_age_seconds"] < 10


async def test_a_process_that_is_unsure_for_three_polls_is_not_ready(
    settings: Settings, served: Served
) -> None:
    await listening(served)
    served.delivery.store.freshness.checked_at = time.monotonic() - 3 * settings.snapshot_poll_seconds - 1
    old = await served.http.get("/ready")

    assert (old.status_code, old.json()["status"], old.json()["snapshots"]) == (503, "not ready", False)
    assert old.json()["database"] is old.json()["migrations"] is True
