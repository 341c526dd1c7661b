"""Clients over committing databases, and a database for what only a commit shows."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import httpx2
import pytest
from fastapi import FastAPI

from assay import migrations
from assay.core.config import Settings
from assay.core.database import Database, open_database
from assay.projects import service as projects
from support_app import serving
from support_postgres import fresh_database

ServeOver = Callable[[Database], AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture(scope="session")
def serve_over(app_over: Callable[[Database], FastAPI]) -> ServeOver:
    """Clients of the one application over whichever database."""
    return lambda database: serving(app_over(database))


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
