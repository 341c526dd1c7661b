"""A database for what only a commit shows, so that nothing of it stays where other tests look."""

import os
from collections.abc import AsyncIterator

import pytest

from assay import migrations
from assay.core.config import Settings
from assay.core.database import Database, open_database
from assay.projects import service as projects
from support_postgres import fresh_database


@pytest.fixture(scope="module")
def own_database_url(server_url: str) -> str:
    """A migrated database for the committing tests of one module."""
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
