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
