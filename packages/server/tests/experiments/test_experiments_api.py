"""Observed experiments over HTTP."""

from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio
EXPERIMENTS = "/api/v1/projects/default/experiments"


def an_experiment(**parts: Any) -> dict[str, Any]:
    return {
        "key": "gate",
        "name": "Gate",
        "arms": [{"key": "gate_30"}, {"key": "gate_40", "weight": 2.0}],
        "control": "gate_30",
        "metrics": [],
    } | parts


async def test_an_experiment_is_read_as_it_was_registered(client: httpx2.AsyncClient) -> None:
    made = await client.post(EXPERIMENTS, json=an_experiment())

    read = (await client.get(made.headers["location"])).json()
    assert [arm["weight"] for arm in read["arms"]] == [1.0, 2.0]
    assert read["assignments"] == {"source": "exposures", "environment": "production"}


async def test_metrics_must_exist_and_all_missing_ones_are_named(client: httpx2.AsyncClient) -> None:
    answer = await client.post(EXPERIMENTS, json=an_experiment(metrics=["a", "b"]))

    assert answer.status_code == 422
    assert "'a', 'b'" in answer.json()["detail"]


async def test_the_environment_must_exist(client: httpx2.AsyncClient) -> None:
    source = {"source": "exposures", "environment": "mars"}

    answer = await client.post(EXPERIMENTS, json=an_experiment(assignments=source))

    assert answer.json()["code"] == "unknown_environment"


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"control": "gate_50"}, "control 'gate_50' is not an arm; the arms are gate_30, gate_40"),
        ({"arms": [{"key": "a"}, {"key": "a"}], "control": "a"}, "arm 'a' is listed more than once"),
        ({"arms": [{"key": "gate_30"}]}, "at least 2 items"),
        ({"metrics": ["m", "m"]}, "metric 'm' is listed more than once"),
        ({"arms": [{"key": "gate_30", "weight": 0}, {"key": "b", "weight": 0}]}, "every weight is 0"),
        ({"arms": [{"key": "gate_30", "weight": -1}, {"key": "b"}]}, "greater than or equal to 0"),
        ({"arms": [{"key": "gate_30", "weight": True}, {"key": "b"}]}, "valid number"),
        ({"known_effects": {"m": [{"arm": "mars", "difference": 1.0}]}}, "'mars' is not an arm"),
    ],
)
async def test_parts_that_do_not_fit_are_refused_with_a_sentence(
    client: httpx2.AsyncClient, parts: dict[str, Any], sentence: str
) -> None:
    answer = await client.post(EXPERIMENTS, json=an_experiment(**parts))

    assert answer.status_code == 422
    assert sentence in answer.text


async def test_what_it_is_read_by_may_change(client: httpx2.AsyncClient) -> None:
    await client.post(EXPERIMENTS, json=an_experiment())
    definition = {"kind": "proportion", "event": "order"}
    await client.post(
        "/api/v1/projects/default/metrics", json={"key": "m", "name": "M", "definition": definition}
    )

    answer = await client.patch(f"{EXPERIMENTS}/gate", json={"metrics": ["m"], "description": "new"})

    assert answer.json()["metrics"] == ["m"]
    assert answer.json()["name"] == "Gate"


async def test_nothing_changes_when_a_change_names_an_unknown_metric(client: httpx2.AsyncClient) -> None:
    await client.post(EXPERIMENTS, json=an_experiment())

    answer = await client.patch(f"{EXPERIMENTS}/gate", json={"name": "New", "metrics": ["none"]})

    assert answer.status_code == 422
    assert (await client.get(f"{EXPERIMENTS}/gate")).json()["name"] == "Gate"
