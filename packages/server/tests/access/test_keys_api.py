"""Keys over HTTP: shown once, kept as a digest, revoked for good."""

import httpx2
import pytest
from sqlalchemy import text

from assay.core.database import Database

pytestmark = pytest.mark.anyio
KEYS = "/api/v1/projects/default/environments/production/keys"


async def test_a_token_is_shown_once_and_kept_nowhere(client: httpx2.AsyncClient, database: Database) -> None:
    made = await client.post(KEYS, json={"kind": "server", "name": "Shop"})

    listed = await client.get(KEYS)
    async with database.reading() as tx:
        stored = "".join((await tx.execute(text("SELECT api_key::text FROM api_key"))).scalars())
        logged = "".join((await tx.execute(text("SELECT audit_entry::text FROM audit_entry"))).scalars())
    token = made.json()["token"]
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert token not in listed.text + stored + logged
    [item] = listed.json()["items"]
    assert item == {name: value for name, value in made.json().items() if name != "token"}
    assert token.startswith(item["prefix"])
    assert "access_key.create" in logged


async def test_a_revoked_key_is_gone(client: httpx2.AsyncClient) -> None:
    made = (await client.post(KEYS, json={"kind": "client", "name": "Web"})).json()

    gone = await client.delete(f"{KEYS}/{made['id']}")
    again = await client.delete(f"{KEYS}/{made['id']}")

    assert gone.status_code == 204
    assert (again.status_code, again.json()["code"]) == (404, "access_key_not_found")
    assert (await client.get(KEYS)).json()["items"] == []


async def test_a_key_of_another_environment_is_not_found(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects/default/environments", json={"key": "staging", "name": "S"})
    made = (await client.post(KEYS, json={"kind": "client", "name": "Web"})).json()

    answer = await client.delete(f"{KEYS.replace('production', 'staging')}/{made['id']}")

    assert answer.status_code == 404


@pytest.mark.parametrize("body", [{"kind": "admin", "name": "x"}, {"kind": "server"}, {"name": "x"}])
async def test_only_known_kinds_are_made(client: httpx2.AsyncClient, body: dict[str, str]) -> None:
    assert (await client.post(KEYS, json=body)).status_code == 422


async def test_events_come_from_the_environment_of_their_key(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects/default/environments", json={"key": "staging", "name": "S"})
    token = (
        await client.post(KEYS.replace("production", "staging"), json={"kind": "server", "name": "x"})
    ).json()["token"]
    batch = [{"kind": "event", "name": "order", "unit": "u", "at": "2026-11-01T00:00:00Z", "id": "1"}]

    with_key = await client.post("/api/v1/events", json=batch, headers={"x-api-key": token})
    in_staging = await client.post("/api/v1/events", json=batch, params={"environment": "staging"})
    in_production = await client.post("/api/v1/events", json=batch)
    unknown = await client.post("/api/v1/events", json=batch, headers={"authorization": "Bearer nobody"})

    assert (with_key.json()["accepted"], in_staging.json()["repeated"]) == (1, 1)
    assert in_production.json()["accepted"] == 1
    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
