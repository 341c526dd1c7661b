"""One application for all tests, and a database for what only a commit shows."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import httpx2
import pytest

from assay import migrations
from assay.core.config import Settings
from assay.core.database import Database, open_database
from assay.main import build_app
from assay.projects import service as projects
from support_app import borrowed, serving
from support_postgres import fresh_database

ServeOver = Callable[[Database], AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture(scope="session")
def serve_over(database_url: str) -> ServeOver:
    """Clients of one application over whichever database; its routes are compiled once, which costs most."""
    lent: list[Database] = []
    settings = Settings.model_validate({"database_url": database_url, "worker_enabled": False})
    app = build_app(settings, lambda: borrowed(lent[-1]))

    def served(database: Database) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        lent.append(database)
        return serving(app)

    return served


@pytest.fixture
async def client(serve_over: ServeOver, database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client over the test's transaction, which is rolled back."""
    async with serve_over(database) as http:
        yield http


@pytest.fixture(scope="module")
def own_database_url(server_url: str) -> str:
    """A migrated database for the committing tests of one module, so that nothing stays where others look."""
    url = fresh_database(server_url, f"assay_experiments_{os.getpid()}")
    migrations.upgrade(url, schema="assay")
    return url


@pytest.fixture
async def committing_database(settings: Settings, own_database_url: str) -> AsyncIterator[Database]:
    """That database, with real transactions."""
    database = open_database(settings, own_database_url)
    await database.write(projects.ensure_default)
    yield database
    await database.close()
