"""A real database for every test: one per worker process, each test in a transaction that is rolled back."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from assay import migrations
from assay.core.config import Settings
from assay.core.database import Database, connection_arguments, open_database, sqlalchemy_url
from assay.core.logging import configure_logging
from assay.main import build_app
from assay.projects import service as projects
from lake_support import Lake, emptied
from support_app import borrowed, serving
from support_postgres import fresh_database, server_of_run


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    configure_logging(Settings(log_format="json", log_level="warning"), sys.stderr)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PostgreSQL for all tests of a run."""
    return server_of_run(tmp_path_factory)


@pytest.fixture(scope="session")
def database_url(server_url: str) -> str:
    """A migrated database of this worker process, for tests that commit; what they write stays."""
    return _migrated(server_url, "committed")


@pytest.fixture(scope="session")
def empty_database_url(server_url: str) -> str:
    """A migrated database of this worker process in which nothing is ever committed."""
    return _migrated(server_url, "empty")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings over the test database and a folder of the test's own, untouched by the environment."""
    values = {"database_url": database_url, "data_directory": tmp_path / "data", "worker_enabled": False}
    return Settings.model_validate(values)


@pytest.fixture(scope="session")
def empty_engine(empty_database_url: str) -> AsyncEngine:
    """One engine for all tests, for it knows their statements by then; its connections are of each test."""
    arguments = connection_arguments("assay")
    return create_async_engine(sqlalchemy_url(empty_database_url), poolclass=NullPool, connect_args=arguments)


@pytest.fixture
async def database(empty_engine: AsyncEngine) -> AsyncIterator[Database]:
    """The database inside one transaction that is rolled back after the test."""
    async with empty_engine.connect() as connection:
        transaction = await connection.begin()
        database = Database(connection)
        await database.write(projects.ensure_default)
        yield database
        await transaction.rollback()


@pytest.fixture
async def committing_database(settings: Settings, database_url: str) -> AsyncIterator[Database]:
    """The database with real transactions, for what only a commit shows; what it writes stays."""
    database = open_database(settings, database_url)
    await database.write(projects.ensure_default)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def app_over(database_url: str) -> Callable[[Database], FastAPI]:
    """One application over whichever database was given last: compiling its routes costs most."""
    lent: list[Database] = []
    settings = Settings.model_validate({"database_url": database_url, "worker_enabled": False})
    app = build_app(settings, lambda: borrowed(lent[-1]))

    def over(database: Database) -> FastAPI:
        lent.append(database)
        return app

    return over


@pytest.fixture
def app(app_over: Callable[[Database], FastAPI], database: Database) -> Iterator[FastAPI]:
    """The application over the test's transaction."""
    app = app_over(database)
    yield app
    app.dependency_overrides.clear()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the application."""
    async with serving(app) as http:
        yield http


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of Assay's settings."""
    for name in list(os.environ):
        if name.startswith("ASSAY_"):
            monkeypatch.delenv(name)
    return monkeypatch


def _migrated(server_url: str, kind: str) -> str:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    url = fresh_database(server_url, f"assay_test_{kind}_{worker}_{os.getpid()}")
    migrations.upgrade(url, schema="assay")
    return url


@pytest.fixture(scope="session")
def lake_database_url(server_url: str) -> str:
    """A migrated database of this worker process in which slots may be closed and emptied."""
    return _migrated(server_url, "lake")


@pytest.fixture
def lake_url() -> str | None:
    """Where the lake is: unset for the data directory, or an address in an object store."""
    return None


@pytest.fixture
async def lake(lake_database_url: str, tmp_path: Path, lake_url: str | None) -> AsyncIterator[Lake]:
    """An empty buffer and an empty lake, of an environment of their own."""
    settings = Settings.model_validate(
        {"database_url": lake_database_url, "data_directory": tmp_path, "lake_url": lake_url}
    )
    database = open_database(settings, lake_database_url)
    yield await emptied(Lake(settings, database, lake_database_url))
    await database.close()
