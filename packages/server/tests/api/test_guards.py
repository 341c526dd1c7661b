"""Foreign pages, wrong hosts, unexpected errors."""

import httpx2
import pytest

from assay.api.guards import host_name, is_foreign
from assay.core.config import Settings
from assay.core.database import Database
from assay.main import build_app
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio
PROJECT = {"key": "shop", "name": "Shop"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_page_of_another_origin_changes_nothing(client: httpx2.AsyncClient, site: str) -> None:
    answer = await client.post("/api/v1/projects", json=PROJECT, headers={"Sec-Fetch-Site": site})

    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
    assert (await client.get("/api/v1/projects/shop")).status_code == 404


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_our_own_pages_and_people_may(client: httpx2.AsyncClient, site: str) -> None:
    answer = await client.post("/api/v1/projects", json=PROJECT, headers={"Sec-Fetch-Site": site})

    assert answer.status_code == 201


async def test_a_name_made_to_point_here_is_not_answered(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/projects", headers={"Host": "evil.example:8000"})

    assert answer.status_code == 403
    assert "ASSAY_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("parts", "host", "status"),
    [
        ({"allowed_hosts": "assay.example"}, "assay.example", 200),
        ({"allowed_hosts": "assay.example"}, "localhost:8000", 200),
        ({"allowed_hosts": "assay.example"}, "other.example", 403),
        ({"allowed_hosts": "*"}, "other.example", 200),
        ({"host": "0.0.0.0"}, "other.example", 200),  # noqa: S104 — what a container does
        ({}, "[::1]:8000", 200),
    ],
)
async def test_hosts_follow_the_settings(
    settings: Settings, database: Database, parts: dict[str, str], host: str, status: int
) -> None:
    app = build_app(settings.model_copy(update=parts), lambda: borrowed(database))
    async with serving(app) as client:
        answer = await client.get("/health", headers={"Host": host})

    assert answer.status_code == status


def test_a_key_of_its_own_is_not_the_browsers_doing() -> None:
    headers = {"sec-fetch-site": "cross-site", "authorization": "Bearer x"}

    assert not is_foreign("POST", "/api/v1/events", headers)
    assert is_foreign("POST", "/api/v1/events", {"sec-fetch-site": "cross-site"})


def test_remote_evaluation_is_open_to_pages_of_other_origins() -> None:
    assert not is_foreign("POST", "/ofrep/v1/evaluate/flags", {"sec-fetch-site": "cross-site"})


@pytest.mark.parametrize(
    ("header", "name"),
    [("a.example", "a.example"), ("A:80", "a"), ("[::1]:8000", "::1"), ("::1", "::1"), ("", "")],
)
def test_the_name_of_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


async def test_an_unexpected_error_carries_headers_and_correlation_id(
    settings: Settings, database: Database
) -> None:
    app = build_app(settings, lambda: borrowed(database))

    @app.get("/broken")
    async def broken() -> None:  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        raise RuntimeError

    async with serving(app) as client:
        answer = await client.get("/broken")

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == answer.json()["correlation_id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
