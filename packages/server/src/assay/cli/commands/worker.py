"""`assay worker` and `assay db upgrade`: parts of `assay up`, run apart."""

import asyncio
import contextlib
import signal
import sys

import anyio.to_thread

from assay import migrations
from assay.cli.console import err
from assay.core.config import Settings, load_settings
from assay.core.database import Database, explained, open_database, wait_while_starting
from assay.core.logging import configure_logging
from assay.shared.errors import AssayError, Invalid
from assay.worker import working


class DatabaseUrlMissing(Invalid):
    """A process of its own needs a database that others reach too."""

    code = "database_url_missing"


class SchemaMissing(AssayError):
    """The database has not been prepared."""

    code = "schema_missing"


def work() -> None:
    """Runs background work until a signal stops it."""
    settings = load_settings()
    configure_logging(settings, sys.stderr)
    asyncio.run(_work(settings, _url(settings)))


def upgrade() -> None:
    """Brings the schema of the database to this version."""
    settings = load_settings()
    migrations.upgrade(_url(settings), schema=settings.database_schema)
    err.print(f"The schema is at revision {migrations.head_revision()}")


def _url(settings: Settings) -> str:
    if settings.database_url is None:
        raise DatabaseUrlMissing(
            "this command needs ASSAY_DATABASE_URL; `assay up` does the same for the embedded database"
        )
    return settings.database_url.get_secret_value()


async def _require_schema(database: Database, settings: Settings, url: str) -> None:
    await anyio.to_thread.run_sync(wait_while_starting, url)
    with explained(url):
        async with database.reading() as tx:
            revision = await migrations.current_revision(tx)
    if revision is None:
        raise SchemaMissing(
            f"the database has no tables of Assay in its schema {settings.database_schema!r}; "
            "run `assay db upgrade` first"
        )


async def _work(settings: Settings, url: str) -> None:
    database = open_database(settings, url)
    try:
        await _require_schema(database, settings, url)
        async with working(settings, database, url) as worker:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, worker.cancel)
            err.print("Working; Ctrl-C stops")
            with contextlib.suppress(asyncio.CancelledError):
                await worker
    finally:
        await database.close()
