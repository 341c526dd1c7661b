"""Explanations, and which flags nobody needs any more."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from assay.core.clock import utc_now
from assay.core.database import Database
from assay.flags import service
from assay.projects import service as projects
from assay.projects.errors import EnvironmentNotFound

from .factories import PRODUCTION, a_configuration, a_rollout, a_rule_for, at, draft, make, publish

pytestmark = pytest.mark.anyio
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def counted(database: Database, *batches: tuple[Mapping[tuple[str, str], int], datetime]) -> None:
    async with database.writing() as tx:
        environment = await projects.get_environment(tx, "default", "production")
        for counts, moment in batches:
            await service.record_evaluations(tx, environment.id, counts, moment)


async def staleness(client: httpx2.AsyncClient, app: FastAPI, now: datetime) -> dict[str, dict[str, Any]]:
    app.dependency_overrides[utc_now] = lambda: now
    answer = await client.get(f"{PRODUCTION}/staleness", params={"days": 30})
    return {item["key"]: item for item in answer.json()["items"]}


async def test_counters_of_a_day_add_up(database: Database, client: httpx2.AsyncClient, app: FastAPI) -> None:
    await make(client)
    late = AT + timedelta(days=1)

    await counted(
        database,
        ({("checkout", "on"): 3, ("checkout", "off"): 1, ("gone", "on"): 9}, late),
        ({("checkout", "on"): 2, ("checkout", ""): 4}, AT),
        ({}, AT),
    )

    flag = (await staleness(client, app, late))["checkout"]
    assert flag["last_evaluated_at"] == "2026-03-02T12:00:00Z"
    assert flag["served"] == [
        {"variant": "", "count": 4},
        {"variant": "off", "count": 1},
        {"variant": "on", "count": 5},
    ]


async def test_a_flag_is_stale_for_reasons_that_are_told(
    database: Database, client: httpx2.AsyncClient, app: FastAPI
) -> None:
    for key, configuration in {
        "used": a_configuration(a_rollout()),
        "one": a_configuration(fallthrough={"variant": "on"}),
        "done": a_configuration(a_rollout(10_000)),
        "quiet": a_configuration(a_rule_for("pro")),
        "unheard": a_configuration(a_rule_for("pro")),
    }.items():
        await make(client, key)
        await publish(client, key, configuration)
    await make(client, "unpublished")
    now = utc_now()
    later = now + timedelta(days=60)
    recently = {(key, "on"): 1 for key in ("used", "one", "done")}
    await counted(database, ({("quiet", "on"): 1}, now), (recently, later))

    fresh = await staleness(client, app, now)
    aged = await staleness(client, app, later)

    assert not any(flag["stale"] for flag in fresh.values())
    assert {key: flag["reasons"] for key, flag in aged.items()} == {
        "used": [],
        "one": ["serves only 'on'"],
        "done": ["serves only 'on'"],
        "quiet": [f"last evaluated on {now.date().isoformat()}"],
        "unheard": ["never evaluated here"],
        "unpublished": ["never published here"],
    }
    assert aged["done"]["only_variant"] == "on"
    assert aged["used"]["only_variant"] is None


async def test_an_explanation_answers_as_served_and_as_drafted(client: httpx2.AsyncClient) -> None:
    await make(client)
    await publish(client, "checkout", a_configuration())
    await draft(client, "checkout", a_configuration(a_rule_for("pro")))
    asking = {"context": {"targetingKey": "u1", "plan": "pro"}}

    served = (await client.post(f"{at('checkout')}/explain", json=asking)).json()
    drafted = (await client.post(f"{at('checkout')}/explain", json=asking | {"draft": True})).json()

    assert (served["value"], served["rule"]) == (False, None)
    assert (drafted["value"], drafted["rule"]) == (True, "beta")
    assert [step["holds"] for step in drafted["steps"]] == [True]


async def test_an_unpublished_flag_explains_that_it_is_not_there(client: httpx2.AsyncClient) -> None:
    await make(client)

    answer = (await client.post(f"{at('checkout')}/explain", json={})).json()

    assert (answer["error_code"], answer["variant"]) == ("FLAG_NOT_FOUND", None)


async def test_a_ruleset_of_no_environment_is_not_found(database: Database) -> None:
    async with database.reading() as tx:
        with pytest.raises(EnvironmentNotFound):
            await service.published_ruleset(tx, uuid.uuid4())
