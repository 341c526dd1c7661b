"""Whom delivery answers: keys, their kinds, and nobody beyond this machine without one."""

import asyncio
import time

import pytest

from assay.core.config import Settings
from assay.core.database import Database
from delivery_support import EVALUATE, Place, Served, a_flag, a_place, started

pytestmark = pytest.mark.anyio


async def test_a_key_decides_the_environment(
    served: Served, place: Place, committing_database: Database
) -> None:
    other = await a_place(committing_database)
    await place.publish(a_flag("here"))
    await other.publish(a_flag("there"))
    token = await served.key(place)

    answers = [
        await served.http.post(EVALUATE, headers=headers, params=other.query)
        for headers in ({"authorization": f"Bearer {token}"}, {"x-api-key": token})
    ]

    assert [[flag["key"] for flag in each.json()["flags"]] for each in answers] == [["here"], ["here"]]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer assay_server_nobody"},
        {"authorization": "Basic dTpw"},
        {"authorization": "Bearer"},
        {"authorization": ""},
        {"x-api-key": "nobody"},
        {"x-api-key": ""},
        {"x-api-key": "x" * 10_000},
    ],
)
async def test_a_key_that_opens_nothing_is_401_even_locally(served: Served, headers: dict[str, str]) -> None:
    for path in (EVALUATE, f"{EVALUATE}/x"):
        answer = await served.http.post(path, headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert set(answer.json()) == {"key", "errorCode", "errorDetails", "metadata"}
    assert (await served.http.get("/api/v1/datafile", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"host": "::1"}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "0.0.0.0"}, 401),  # noqa: S104 — the very case
        ({"host": "assay.example"}, 401),
        ({"delivery_keys": "required"}, 401),
    ],
)
async def test_without_a_key_only_this_machine_is_answered(
    settings: Settings, committing_database: Database, place: Place, change: dict[str, str], status: int
) -> None:
    await place.publish(a_flag())
    async with started(settings.model_copy(update=change), committing_database, None) as served:
        token = await served.key(place)
        keyless = [
            await served.http.post(EVALUATE, params=place.query),
            await served.http.post(f"{EVALUATE}/new_form", params=place.query),
            await served.http.get("/api/v1/datafile", params=place.query),
        ]
        with_key = await served.http.post(EVALUATE, headers={"x-api-key": token})

    assert [each.status_code for each in keyless] == [status] * 3
    assert with_key.status_code == 200


async def test_a_revoked_key_is_refused_within_a_second(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    token = await served.key(place)
    [key] = (await served.http.get(place.keys_path)).json()["items"]
    headers = {"x-api-key": token}
    assert (await _eventually(served, headers, 200)) < 1

    await served.http.delete(f"{place.keys_path}/{key['id']}")

    assert (await _eventually(served, headers, 401)) < 1


async def test_using_a_key_is_noted(served: Served, place: Place) -> None:
    await place.publish(a_flag())
    token = await served.key(place)
    await _eventually(served, {"x-api-key": token}, 200)

    await served.delivery.journal.flush()

    [key] = (await served.http.get(place.keys_path)).json()["items"]
    assert key["last_used_at"] is not None


async def _eventually(served: Served, headers: dict[str, str], status: int) -> float:
    """Seconds until requests with these headers are answered so."""
    begun = time.monotonic()
    while (await served.http.post(EVALUATE, headers=headers)).status_code != status:
        assert time.monotonic() - begun < 5
        await asyncio.sleep(0.01)
    return time.monotonic() - begun
