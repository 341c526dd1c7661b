"""Rejected events: kept with their reasons, bounded, and judged again on request."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from assay.core.database import Database
from assay.events import rejected

pytestmark = pytest.mark.anyio
EVENTS, REJECTED = "/api/v1/events", "/api/v1/events/rejected"


def an_event(identifier: str, **parts: Any) -> dict[str, Any]:
    event = {"kind": "event", "name": "order", "unit": "u", "at": "2026-11-01T00:00:00Z"}
    return event | {"id": identifier} | parts


async def test_what_was_refused_is_shown_with_the_reason(client: httpx2.AsyncClient) -> None:
    await client.post(EVENTS, json=[an_event("1"), an_event("2", value="12"), an_event("3", amount=1), 5])

    (number, unknown, text_) = (await client.get(REJECTED)).json()["items"]

    assert (number["body"], number["event_id"]) == ("5", None)
    assert "unknown field `amount`" in unknown["reason"]
    assert (text_["event_id"], text_["cut"]) == ("2", False)
    assert '"value":"12"' in text_["body"].replace(" ", "")


async def test_pages_of_what_was_refused_are_walked_by_cursor(client: httpx2.AsyncClient) -> None:
    await client.post(EVENTS, json=[1, 2, 3])

    first = (await client.get(REJECTED, params={"limit": 2})).json()
    second = (await client.get(REJECTED, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [item["body"] for page in (first, second) for item in page["items"]] == ["3", "2", "1"]
    assert second["next_cursor"] is None


async def test_what_passes_now_is_stored_once_and_leaves(
    client: httpx2.AsyncClient, database: Database
) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=2)
    late = an_event("late", at=ahead.isoformat())
    await client.post(EVENTS, json=[late, late, an_event("known", at=ahead.isoformat()), 5])
    await client.post(EVENTS, json=[an_event("known")])
    async with database.writing() as tx:
        # As if two hours had gone by.
        await tx.execute(
            text("UPDATE event_rejected SET body = replace(body, :late, :now)"),
            {"late": ahead.isoformat()[:16], "now": "2026-11-01T00:00"},
        )

    replayed = (await client.post(f"{REJECTED}/replay")).json()
    again = (await client.post(f"{REJECTED}/replay")).json()

    assert replayed == {"accepted": 1, "repeated": 2, "rejected": 1}
    assert again == {"accepted": 0, "repeated": 0, "rejected": 1}
    assert [item["body"] for item in (await client.get(REJECTED)).json()["items"]] == ["5"]


async def test_only_the_newest_are_kept(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected, "KEPT", 3)

    await client.post(EVENTS, json=[1, 2])
    await client.post(EVENTS, json=[3, 4])

    assert [item["body"] for item in (await client.get(REJECTED)).json()["items"]] == ["4", "3", "2"]


async def test_of_what_is_long_the_beginning_is_kept_and_never_replayed(client: httpx2.AsyncClient) -> None:
    long = an_event("x" * 10_000, unit="u" * 201)

    await client.post(EVENTS, json=[long])

    (item,) = (await client.get(REJECTED)).json()["items"]
    assert (len(item["body"]), len(item["event_id"]), item["cut"]) == (4_096, 200, True)
    assert (await client.post(f"{REJECTED}/replay")).json() == {"accepted": 0, "repeated": 0, "rejected": 0}


@pytest.mark.parametrize(
    "bad", ['"a\\u0000b"', '"\\ud800"', "NaN", '{"\\u0000": 1}', '{"kind": "x\\u0000", "id": "\\u0000"}']
)
async def test_what_cannot_be_stored_is_still_shown(client: httpx2.AsyncClient, bad: str) -> None:
    answer = await client.post(EVENTS, content=f"[{bad}]".encode())

    assert answer.json()["rejected"] == 1
    assert len((await client.get(REJECTED)).json()["items"]) == 1


async def test_browsers_keys_see_nothing_of_it(client: httpx2.AsyncClient) -> None:
    keys = "/api/v1/projects/default/environments/production/keys"
    statuses: list[int] = []
    for kind in ("client", "server"):
        token = (await client.post(keys, json={"kind": kind, "name": "app"})).json()["token"]
        statuses.append((await client.get(REJECTED, headers={"X-API-Key": token})).status_code)

    statuses.append((await client.get(REJECTED, headers={"X-API-Key": "nonsense"})).status_code)
    assert statuses == [403, 200, 401]
