"""Every failure has one shape, and nothing secret in it."""

import httpx2
import pytest

from assay.core.config import Settings
from assay.core.database import Database, open_database
from assay.main import build_app
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio
SHAPE = {"type", "title", "status", "detail", "code", "correlation_id", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/projects", 405),
        ("GET", "/api/v1/projects?limit=0", 422),
        ("GET", "/api/v1/projects/none", 404),
        ("POST", "/api/v1/projects", 422),
    ],
)
async def test_a_failure_has_one_shape(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == SHAPE
    assert answer.json()["status"] == status


async def test_a_method_that_is_not_allowed_names_those_that_are(client: httpx2.AsyncClient) -> None:
    answer = await client.delete("/api/v1/projects/default")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, PATCH"


async def test_the_correlation_id_of_the_request_is_given_back(client: httpx2.AsyncClient) -> None:
    mine = "6f1c2a52-6dfc-4e8c-9a4e-2f1d3f1f4a11"

    answer = await client.get("/api/v1/projects/none", headers={"X-Request-ID": mine})

    assert answer.headers["x-request-id"] == mine
    assert answer.json()["correlation_id"] == mine


async def test_malformed_json_says_where(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/projects", content=b'{"key": ', headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_an_unexpected_error_keeps_its_details_to_the_log(
    settings: Settings, database: Database
) -> None:
    app = build_app(settings, lambda: borrowed(database))

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("password=hunter2")

    async with serving(app) as client:
        answer = await client.get("/broken")

    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.json()["code"] == "internal_error"


async def test_every_answer_carries_the_security_headers(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/health")

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_an_outage_of_the_database_asks_for_patience(settings: Settings) -> None:
    away = open_database(settings, "postgresql://assay@127.0.0.1:1/assay")
    async with serving(build_app(settings, lambda: borrowed(away))) as client:
        answer = await client.get("/api/v1/projects")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["code"] == "database_unavailable"
