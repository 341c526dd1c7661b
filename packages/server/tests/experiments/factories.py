"""Planned experiments for tests, with the flag and the metrics they need."""

from datetime import UTC, datetime
from typing import Any

import httpx2

from assay_engine import Context, Evaluation, Ruleset, compile_ruleset, evaluate, loads
from assay_engine.parsing import FORMAT

PROJECT = "/api/v1/projects/default"
EXPERIMENTS = f"{PROJECT}/experiments"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RULESET = f"{PROJECT}/environments/production/ruleset"


def a_plan(**parts: Any) -> dict[str, Any]:
    """A plan that may start."""
    return {
        "hypothesis": "A shorter form sells more.",
        "flag": "form",
        "goals": [{"metric": "orders", "smallest_effect": 0.05}],
        "guardrails": [{"metric": "refunds", "margin": 0.02}],
        "duration_days": 14,
    } | parts


def a_planned_experiment(key: str = "shorter", **parts: Any) -> dict[str, Any]:
    """A DRAFT over the flag of `prepare`."""
    return {
        "key": key,
        "name": "Shorter form",
        "arms": [{"key": "old"}, {"key": "new"}],
        "control": "old",
        "plan": a_plan(),
    } | parts


async def prepare(client: httpx2.AsyncClient, *, project: str = PROJECT, **ruleset: Any) -> None:
    """The metrics and the published flag that a plan names; further parts of the environment's ruleset."""
    for key in ("orders", "refunds", "visits"):
        body = {"key": key, "name": key, "definition": {"kind": "proportion", "event": key}}
        (await client.post(f"{project}/metrics", json=body)).raise_for_status()
    document = {"format": FORMAT, "flags": [a_flag()]} | ruleset
    answer = await client.post(f"{project}/environments/production/ruleset", json=document)
    assert answer.status_code == 200, answer.text


def a_flag(key: str = "form", *rules: dict[str, Any]) -> dict[str, Any]:
    """A flag with the variants `old` and `new` that serves `old`."""
    return {
        "key": key,
        "type": "string",
        "variants": {"old": "long", "new": "short"},
        "rules": list(rules),
        "fallthrough": {"variant": "old"},
        "off": "old",
    }


def a_layer(key: str = "checkout", **parts: Any) -> dict[str, Any]:
    """A layer with all its room."""
    return {"id": key, "bucketing": {"salt": f"layer {key}"}} | parts


async def make(client: httpx2.AsyncClient, key: str = "shorter", **parts: Any) -> dict[str, Any]:
    """A new DRAFT."""
    answer = await client.post(EXPERIMENTS, json=a_planned_experiment(key, **parts))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def attempt(
    client: httpx2.AsyncClient, move: str, key: str = "shorter", *, if_match: str = "*", **body: Any
) -> httpx2.Response:
    """The answer to a move."""
    return await client.post(f"{EXPERIMENTS}/{key}/{move}", json=body, headers={"If-Match": if_match})


async def moved(client: httpx2.AsyncClient, move: str, key: str = "shorter", **body: Any) -> dict[str, Any]:
    """The experiment after a move that must succeed."""
    answer = await attempt(client, move, key, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def served(client: httpx2.AsyncClient) -> Ruleset:
    """What production serves."""
    return loads((await client.get(RULESET)).content)


def evaluated(ruleset: Ruleset, unit: str, flag: str = "form", **attributes: Any) -> Evaluation:
    """What a unit is served."""
    return evaluate(compile_ruleset(ruleset), flag, Context.of(unit, attributes), now=NOW)


def assignments(
    ruleset: Ruleset, units: int = 2_000, flag: str = "form", **attributes: Any
) -> dict[str, Evaluation]:
    """What many units are served."""
    compiled = compile_ruleset(ruleset)
    names = [f"u{number}" for number in range(units)]
    return {name: evaluate(compiled, flag, Context.of(name, attributes), now=NOW) for name in names}


async def log(client: httpx2.AsyncClient, key: str = "shorter") -> list[str]:
    """What the change log says was done to an experiment, oldest first."""
    answer = await client.get(f"{PROJECT}/audit", params={"subject": f"experiments/{key}", "limit": 500})
    return [entry["action"] for entry in reversed(answer.json()["items"])]
