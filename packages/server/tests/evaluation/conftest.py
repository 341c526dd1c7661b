"""A place to publish to and an application that hears of it."""

from collections.abc import AsyncIterator

import pytest

from assay.core.config import Settings
from assay.core.database import Database
from delivery_support import Place, Served, a_place, started


@pytest.fixture
async def place(committing_database: Database) -> Place:
    """A project of this test."""
    return await a_place(committing_database)


@pytest.fixture
async def served(
    settings: Settings, committing_database: Database, database_url: str
) -> AsyncIterator[Served]:
    """A started application that hears of changes."""
    async with started(settings, committing_database, database_url) as running:
        yield running
