"""Flags for tests, and the short way to publish them over HTTP."""

import uuid
from typing import Any

import httpx2

FLAGS = "/api/v1/projects/default/flags"
PRODUCTION = "/api/v1/projects/default/environments/production"


def flags_of(project: str) -> str:
    """The address of a project's flags."""
    return f"/api/v1/projects/{project}/flags"


def at(key: str, environment: str = "production", project: str = "default") -> str:
    """The address of a flag in an environment."""
    return f"{flags_of(project)}/{key}/environments/{environment}"


def a_rollout(share: int = 3_000, **parts: Any) -> dict[str, Any]:
    """A rule that serves `on` to a share of units in basis points, and `off` to the others."""
    ranges = [
        {"low": 0, "high": share, "variant": "on"},
        {"low": share, "high": 10_000, "variant": "off"},
    ]
    return {"id": "rollout", "serve": {"split": {"salt": "rollout", "ranges": ranges} | parts}}


def a_rule_for(plan: str, variant: str = "on", rule: str = "beta") -> dict[str, Any]:
    """A rule that serves a variant to one plan."""
    condition = {"attribute": "plan", "operator": "equals", "values": [plan]}
    return {"id": rule, "condition": condition, "serve": {"variant": variant}}


def a_configuration(*rules: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Enabled, `off` for everyone whom no rule serves."""
    return {"enabled": True, "rules": list(rules), "fallthrough": {"variant": "off"}, "off": "off"} | parts


async def make(
    client: httpx2.AsyncClient, key: str = "checkout", project: str = "default", **parts: Any
) -> dict[str, Any]:
    """A new flag."""
    answer = await client.post(flags_of(project), json={"key": key} | parts)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def draft(
    client: httpx2.AsyncClient,
    key: str,
    configuration: dict[str, Any],
    environment: str = "production",
    project: str = "default",
) -> httpx2.Response:
    """The answer to another draft."""
    place = at(key, environment, project)
    tag = (await client.get(place)).headers["etag"]
    return await client.put(f"{place}/draft", json=configuration, headers={"If-Match": tag})


async def publish(
    client: httpx2.AsyncClient,
    key: str = "checkout",
    configuration: dict[str, Any] | None = None,
    environment: str = "production",
    project: str = "default",
) -> httpx2.Response:
    """The answer to publishing a configuration, or the draft there is."""
    if configuration is not None:
        drafted = await draft(client, key, configuration, environment, project)
        assert drafted.status_code == 200, drafted.text
    place = at(key, environment, project)
    tag = (await client.get(place)).headers["etag"]
    return await client.post(f"{place}/publish", json={}, headers={"If-Match": tag})


async def a_project(client: httpx2.AsyncClient) -> str:
    """The key of a project of its own, for tests whose changes stay."""
    key = f"project-{uuid.uuid4().hex}"
    answer = await client.post("/api/v1/projects", json={"key": key, "name": key})
    assert answer.status_code == 201, answer.text
    return key
