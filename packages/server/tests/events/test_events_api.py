"""Events over HTTP, on a real PostgreSQL."""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from assay.core.config import Settings
from assay.core.database import Database
from assay.events.senders import REMEMBERED_SECONDS
from assay.main import build_app
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio
EVENTS = "/api/v1/events"
BOMB = gzip.compress(b" " * 50_000_000, mtime=0)


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


async def test_lines_are_a_batch(client: httpx2.AsyncClient) -> None:
    lines = "\n".join([json.dumps(an_event("1")), '{"kind":"event","na', json.dumps(an_event("2"))])

    answer = await client.post(
        EVENTS, content=lines.encode(), headers={"Content-Type": "application/x-ndjson"}
    )

    assert answer.status_code == 202
    assert [each["verdict"] for each in answer.json()["verdicts"]] == ["accepted", "rejected", "accepted"]


async def test_a_compressed_batch_is_a_batch(client: httpx2.AsyncClient) -> None:
    body = gzip.compress(json.dumps([an_event("1")]).encode())

    answer = await client.post(EVENTS, content=body, headers={"Content-Encoding": "gzip"})

    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, b"[]", 415, "http_415"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1", 415, "http_415"),
        ({"Content-Encoding": "br"}, b"[]", 415, "http_415"),
        ({"Content-Encoding": "gzip"}, b"[]", 422, "unreadable_encoding"),
        ({"Content-Encoding": "gzip"}, BOMB, 413, "http_413"),
        ({"Assay-Sent-At": "noon"}, b"[]", 422, "invalid"),
        ({"Assay-Sent-At": "1700000000"}, b"[]", 422, "invalid"),
        ({"X-API-Key": "assay_server_unknown"}, b"[]", 401, "http_401"),
        ({}, b"[" * 500_000, 422, "unreadable_batch"),
    ],
)
async def test_what_cannot_be_read_is_refused_as_a_whole(
    client: httpx2.AsyncClient, headers: dict[str, str], content: bytes, status: int, code: str
) -> None:
    answer = await client.post(EVENTS, content=content, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_sender_is_told_how_far_its_clock_is_ahead(client: httpx2.AsyncClient) -> None:
    ahead = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()

    answer = await client.post(EVENTS, json=[an_event("1")], headers={"Assay-Sent-At": ahead})
    silent = await client.post(EVENTS, json=[an_event("2")])

    assert answer.json()["clock_ahead_seconds"] == pytest.approx(90, abs=20)
    assert silent.json()["clock_ahead_seconds"] is None


async def test_what_became_of_events_is_counted(client: httpx2.AsyncClient, database: Database) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()

    await client.post(EVENTS, json=[an_event("1"), an_event("1"), an_event("2", at=ahead), 5])
    await client.post(EVENTS, json=[an_event("1"), an_event("3")])

    async with database.reading() as tx:
        (tally,) = await tx.execute(
            text("SELECT accepted, repeated, rejected, ahead, max_ahead_seconds FROM event_tally")
        )
    assert tuple(tally)[:4] == (3, 2, 1, 1)
    assert tally.max_ahead_seconds == pytest.approx(1800, abs=60)


async def test_an_event_is_about_the_first_of_its_units(
    client: httpx2.AsyncClient, database: Database
) -> None:
    units = {"device": "d", "user": "u"}

    answer = await client.post(
        EVENTS,
        json=[
            an_event("1", unit=None, units=units),
            an_event("2", unit="u", units=units),
            an_event("3", unit=None),
        ],
    )

    assert "neither `unit` nor `units`" in answer.json()["verdicts"][2]["reason"]
    async with database.reading() as tx:
        rows = await tx.execute(text("SELECT unit, CAST(units AS json) FROM event ORDER BY event_id"))
        assert [tuple(row) for row in rows] == [("d", units), ("u", units)]


async def test_an_event_in_the_slot_that_is_being_sealed_is_a_repeat(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await client.post(EVENTS, json=[an_event("1")])
    async with database.writing() as tx:
        await tx.execute(text("UPDATE event_buffer SET slot = 1 - slot"))

    answer = await client.post(EVENTS, json=[an_event("1"), an_event("2")])

    assert [each["verdict"] for each in answer.json()["verdicts"]] == ["repeated", "accepted"]


async def test_a_revoked_key_sends_nothing_more(client: httpx2.AsyncClient) -> None:
    keys = "/api/v1/projects/default/environments/production/keys"
    made = (await client.post(keys, json={"kind": "client", "name": "app"})).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    before = await client.post(EVENTS, json=[an_event("1")], headers=headers)

    await client.delete(f"{keys}/{made['id']}")
    await asyncio.sleep(REMEMBERED_SECONDS)

    assert before.status_code == 202
    assert (await client.post(EVENTS, json=[an_event("2")], headers=headers)).status_code == 401


async def test_the_answer_is_the_same_however_quickly_it_is_written(client: httpx2.AsyncClient) -> None:
    quick = (await client.post(EVENTS, json=[an_event("1"), an_event("2")])).json()
    careful = (await client.post(EVENTS, json=[an_event('with "quotes" and é')])).json()

    assert quick == {
        "accepted": 2,
        "repeated": 0,
        "rejected": 0,
        "verdicts": [{"id": each, "verdict": "accepted", "reason": None} for each in ("1", "2")],
        "clock_ahead_seconds": None,
    }
    assert careful["verdicts"] == [{"id": 'with "quotes" and é', "verdict": "accepted", "reason": None}]


def an_export(identifier: str) -> dict[str, Any]:
    """An evaluation of a flag, as OpenTelemetry's hooks export it."""
    names = {"key": "form", "variant": "on", "context.id": identifier}
    told = [{"key": f"feature_flag.{name}", "value": {"stringValue": value}} for name, value in names.items()]
    record = {"eventName": "feature_flag", "timeUnixNano": "1790000000000000000", "attributes": told}
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


@pytest.mark.parametrize("path", [EVENTS, "/api/v1/otlp/v1/logs"])
async def test_who_brings_more_than_fits_is_asked_to_come_back(
    settings: Settings, committing_database: Database, path: str
) -> None:
    narrow = settings.model_copy(update={"event_waiting_bytes": 1024})

    def padded(identifier: str) -> str:
        one = [an_event(f"narrow-{identifier}")] if path == EVENTS else an_export(identifier)
        return json.dumps(one).ljust(1_000)

    async with serving(build_app(narrow, lambda: borrowed(committing_database))) as client:

        async def send(identifier: str) -> httpx2.Response:
            headers = {"Content-Type": "application/json"}
            return await client.post(path, content=padded(identifier), headers=headers)

        # Whose events they are is known from the first one on, so that the next two meet.
        first = await send("1")
        taken, refused = sorted(
            await asyncio.gather(send("2"), send("3")), key=lambda answer: answer.status_code
        )
        last = await send("4")

    assert [first.is_success, taken.is_success, last.is_success] == [True, True, True]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["detail"].startswith("requests of 1,000 bytes are being taken in already")
