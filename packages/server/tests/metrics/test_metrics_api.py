"""Metrics over HTTP."""

from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio
METRICS = "/api/v1/projects/default/metrics"


def a_metric(key: str = "conversion", **parts: Any) -> dict[str, Any]:
    return {"key": key, "name": "Conversion", "definition": {"kind": "proportion", "event": "order"}} | parts


async def test_a_metric_is_read_as_it_was_defined(client: httpx2.AsyncClient) -> None:
    ratio = {
        "kind": "ratio",
        "numerator": {"event": "order", "aggregate": "sum"},
        "denominator": {"event": "order", "aggregate": "count"},
    }

    made = await client.post(METRICS, json=a_metric("basket", definition=ratio, direction="decrease"))

    assert made.status_code == 201
    read = (await client.get(made.headers["location"])).json()
    assert read["definition"] == ratio
    assert read["direction"] == "decrease"
    assert read["version"] == 1


async def test_another_definition_makes_another_version(client: httpx2.AsyncClient) -> None:
    await client.post(METRICS, json=a_metric())

    renamed = await client.patch(f"{METRICS}/conversion", json={"name": "Orders"})
    redefined = await client.patch(
        f"{METRICS}/conversion", json={"definition": {"kind": "proportion", "event": "paid"}}
    )

    assert renamed.json()["version"] == 1
    assert redefined.json()["version"] == 2
    assert redefined.json()["name"] == "Orders"


@pytest.mark.parametrize(
    "definition",
    [
        {"kind": "median", "event": "order"},
        {"kind": "mean"},
        {"kind": "mean", "event": "order", "aggregate": "max"},
        {"kind": "ratio", "numerator": {"event": "a"}},
        {"kind": "proportion", "event": ""},
        {"kind": "mean", "event": "order", "cap_quantile": 1.0},
        {"kind": "mean", "event": "order", "cap_quantile": False},
        {"kind": "mean", "event": "order", "delay_hours": 5, "conversion_hours": 5},
        {"kind": "mean", "event": "order", "cap_quantile": 0.1, "floor_quantile": 0.2},
        {"kind": "mean", "event": "order", "aggregate": "distinct"},
        {"kind": "mean", "event": "order", "aggregate": "count", "property": "net"},
        {"kind": "retention", "event": "open", "from_day": 3, "to_day": 2},
        {"kind": "funnel", "steps": [{"event": "view"}]},
        {"kind": "quantile", "event": "load"},
        {"kind": "count", "event": "view", "filters": [{"property": "a", "operator": "like", "value": "b"}]},
        {"kind": "count", "event": "view", "filters": [{"operator": "contains", "value": "b"}]},
    ],
)
async def test_a_definition_that_cannot_be_computed_is_refused(
    client: httpx2.AsyncClient, definition: dict[str, Any]
) -> None:
    answer = await client.post(METRICS, json=a_metric(definition=definition))

    assert answer.status_code == 422


async def test_a_metric_key_can_be_taken_only_once(client: httpx2.AsyncClient) -> None:
    await client.post(METRICS, json=a_metric())

    assert (await client.post(METRICS, json=a_metric())).json()["code"] == "metric_key_taken"


async def test_the_same_key_may_live_in_two_projects(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/projects", json={"key": "other", "name": "Other"})
    await client.post(METRICS, json=a_metric())

    answer = await client.post("/api/v1/projects/other/metrics", json=a_metric())

    assert answer.status_code == 201


async def test_owner_tags_and_margin_are_kept_and_the_list_is_filtered(client: httpx2.AsyncClient) -> None:
    about = {
        "owner": "growth",
        "tags": ["money", "core", "core"],
        "margin": {"kind": "relative", "value": 0.02},
    }
    made = await client.post(METRICS, json=a_metric("revenue", **about))
    await client.post(METRICS, json=a_metric("other"))

    found = (await client.get(METRICS, params={"tag": "money"})).json()["items"]

    assert made.json() | about | {"tags": ["core", "money"]} == made.json()
    assert [metric["key"] for metric in found] == ["revenue"]


async def test_a_margin_can_be_taken_away_and_makes_another_version(client: httpx2.AsyncClient) -> None:
    await client.post(METRICS, json=a_metric(margin={"kind": "absolute", "value": 1.5}))

    changed = (await client.patch(f"{METRICS}/conversion", json={"margin": None, "owner": "x"})).json()

    assert (changed["margin"], changed["owner"], changed["version"]) == (None, "x", 2)


KINDS: list[dict[str, Any]] = [
    {"kind": "proportion", "event": "order", "conversion_hours": 168, "lookback_hours": 336},
    {"kind": "mean", "event": "order", "aggregate": "sum", "property": "net", "cap_quantile": None,
     "cap_value": 100.0, "without_events": "left_out"},
    {"kind": "count", "event": "view", "cap_quantile": 0.99, "floor_quantile": 0.01,
     "filters": [{"property": "path", "operator": "starts_with", "value": "/shop"}]},
    {"kind": "distinct", "event": "view", "property": "session", "cap_quantile": None},
    {"kind": "quantile", "event": "load", "aggregate": "sum", "quantile": 0.9},
    {"kind": "retention", "event": "open", "from_day": 1, "to_day": 7},
    {"kind": "funnel", "steps": [{"event": "view"}, {"event": "order"}], "conversion_hours": 24},
    {"kind": "mean", "event": "order", "aggregate": "sum", "cap_quantile": None,
     "filters": [{"property": None, "operator": "in", "values": [1.0, "a"]},
                 {"property": "new", "operator": "equals", "value": True}]},
]  # fmt: skip


@pytest.mark.parametrize("definition", KINDS, ids=lambda definition: definition["kind"])
async def test_every_kind_is_read_as_it_was_defined(
    client: httpx2.AsyncClient, definition: dict[str, Any]
) -> None:
    made = await client.post(METRICS, json=a_metric(definition=definition))

    assert made.status_code == 201, made.text
    assert (await client.get(made.headers["location"])).json()["definition"] == definition
