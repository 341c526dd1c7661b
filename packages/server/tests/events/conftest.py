"""A lake for tests: a database of its own that is empty before each, and files on disk or in a local S3."""

import logging
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from assay import migrations
from assay.core.config import Settings
from assay.core.database import open_database
from lake_support import Lake, emptied
from support_postgres import fresh_database

BUCKET = "lake"


@pytest.fixture(scope="session")
def lake_database_url(server_url: str) -> str:
    """A migrated database of this worker process in which slots may be closed and emptied."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    url = fresh_database(server_url, f"assay_test_lake_{worker}_{os.getpid()}")
    migrations.upgrade(url, schema="assay")
    return url


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """The URL of an S3 that forgets everything with the test run."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["disk", "s3"])
def lake_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Where the lake is: unset for the data directory, or an address in an object store."""
    if request.param == "disk":
        return None
    endpoint = request.getfixturevalue("object_store")
    access = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    for name, value in {**access, "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    fs.S3FileSystem(endpoint_override=endpoint, allow_bucket_creation=True).create_dir(BUCKET)
    return f"s3://{BUCKET}/{uuid.uuid4()}"


@pytest.fixture
async def lake(lake_database_url: str, tmp_path: Path, lake_url: str | None) -> AsyncIterator[Lake]:
    """An empty buffer and an empty lake, of an environment of their own."""
    settings = Settings.model_validate(
        {"database_url": lake_database_url, "data_directory": tmp_path, "lake_url": lake_url}
    )
    database = open_database(settings, lake_database_url)
    yield await emptied(Lake(settings, database, lake_database_url))
    await database.close()
