"""Hearing of changes: PostgreSQL tells at once, and asking now and then is the net below."""

import asyncio

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy.exc import SQLAlchemyError

from assay.access.service import KEYS_CHANNEL
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.database import connection_arguments, libpq_url
from assay.evaluation.store import Store
from assay.projects.service import REVISION_CHANNEL

log = structlog.get_logger()

RECONNECT_SECONDS = 0.1
SCHEDULE_SECONDS = 0.5

FAILURES = (psycopg.Error, SQLAlchemyError, OSError, TimeoutError)


async def follow(store: Store, url: str, settings: Settings) -> None:
    """Keeps the store up to date until cancelled, whatever happens to the database meanwhile."""
    while True:
        try:
            await _listen(store, url, settings)
        except FAILURES as error:
            log.warning("not_listening", error=str(error).strip())
        except Exception:
            # A follower that ended would leave this process serving the past for ever.
            log.exception("following_failed")
        was_listening, store.freshness.is_listening = store.freshness.is_listening, False
        await _poll(store)
        # A connection that was cut is made anew at once; only a database that refuses one is given time.
        pause = RECONNECT_SECONDS if was_listening else settings.snapshot_poll_alone_seconds
        await asyncio.sleep(pause)


async def tell_of_schedules(store: Store) -> None:
    """Tells followers when a schedule begins or ends, which changes answers without a publication."""
    told = utc_now()
    while True:
        await asyncio.sleep(SCHEDULE_SECONDS)
        now = utc_now()
        for snapshot in store.snapshots:
            if snapshot.changed_between(told, now):
                store.hub.announce(snapshot.environment_id, snapshot.mark(now), now.timestamp())
        told = now


async def _listen(store: Store, url: str, settings: Settings) -> None:
    where = make_conninfo(libpq_url(url), **connection_arguments(settings.database_schema))
    connection = await psycopg.AsyncConnection.connect(where, autocommit=True)
    async with connection:
        for channel in (REVISION_CHANNEL, KEYS_CHANNEL):
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        store.freshness.is_listening = True
        while True:
            # Before the first wait too: what changed until we listened, nobody told us.
            await store.refresh()
            async for _ in connection.notifies(timeout=settings.snapshot_poll_seconds, stop_after=1):
                pass


async def _poll(store: Store) -> None:
    try:
        await store.refresh()
    except FAILURES as error:
        log.warning("snapshots_unconfirmed", error=str(error).strip())
    except Exception:
        log.exception("following_failed")
