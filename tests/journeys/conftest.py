"""A database for the journeys of a module, for those that are not about the one that Assay brings along."""

import os

import pytest

from support_postgres import fresh_database, server_of_run


@pytest.fixture(scope="module")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database on the PostgreSQL of all tests."""
    module = request.path.stem.removeprefix("test_")
    return fresh_database(server_of_run(tmp_path_factory), f"assay_journey_{module}_{os.getpid()}")
