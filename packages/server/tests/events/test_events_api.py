"""Events over HTTP, on a real PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio
EVENTS = "/api/v1/events"


def an_event(identifier: str | None = None, **parts: Any) -> dict[str, Any]:
    event = {"kind": "event", "name": "order", "unit": "u", "at": "2026-11-01T00:00:00Z"} | parts
    return event | ({"id": identifier} if identifier else {})


async def test_sending_again_changes_nothing(client: httpx2.AsyncClient) -> None:
    batch = [an_event("1"), an_event("2", value=5.5), an_event()]

    first = await client.post(EVENTS, json=batch)
    second = await client.post(EVENTS, json=batch)

    assert first.status_code == second.status_code == 202
    assert (first.json()["accepted"], second.json()["repeated"]) == (3, 3)
    assert [v["id"] for v in first.json()["verdicts"]] == [v["id"] for v in second.json()["verdicts"]]


async def test_a_bad_event_loses_nothing_else(client: httpx2.AsyncClient) -> None:
    future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    batch = [an_event("1"), an_event("2", value="12.5"), an_event("3", at=future), an_event("4")]

    answer = (await client.post(EVENTS, json=batch)).json()

    assert [verdict["verdict"] for verdict in answer["verdicts"]] == [
        "accepted",
        "rejected",
        "rejected",
        "accepted",
    ]
    assert "got `str`" in answer["verdicts"][1]["reason"]
    assert "future" in answer["verdicts"][2]["reason"]


async def test_the_same_identifier_in_two_environments_is_two_events(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects/default/environments", json={"key": "staging", "name": "S"})
    await client.post(EVENTS, json=[an_event("1")])

    answer = await client.post(EVENTS, json=[an_event("1")], params={"environment": "staging"})

    assert answer.json()["accepted"] == 1


async def test_an_unknown_place_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post(EVENTS, json=[an_event()], params={"project": "nowhere"})

    assert answer.json()["code"] == "project_not_found"


async def test_a_body_that_is_no_batch_is_refused_as_a_whole(client: httpx2.AsyncClient) -> None:
    answer = await client.post(EVENTS, content=b'{"kind": "event"}')

    assert answer.status_code == 422
    assert answer.json()["code"] == "unreadable_batch"


async def test_an_empty_batch_is_a_batch(client: httpx2.AsyncClient) -> None:
    assert (await client.post(EVENTS, json=[])).json()["verdicts"] == []


async def test_a_body_beyond_the_limit_is_refused(client: httpx2.AsyncClient) -> None:
    body = json.dumps([an_event(unit="u" * 150)] * 10_000).encode()

    answer = await client.post(EVENTS, content=body)

    assert len(body) > 2_097_152
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "http_413"
