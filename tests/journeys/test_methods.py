"""By each method from the plan to the archive, over HTTP, in a shop whose truth is known.

Plans run by Assay's own clock, which a journey cannot turn: a start is moved into the past instead, where the
shop's two weeks lie.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from assay_engine import CompiledRuleset, Context, evaluate

from .past_shop import DAYS, PROJECT, World, running_world

VISITORS_PER_ARM = 1200
ORDERS, REFUNDS = 0.10, 0.05
METHODS: dict[str, dict[str, Any]] = {
    "fixed": {"kind": "fixed"},
    "group_sequential": {"kind": "group_sequential", "looks": 4},
    "always_valid": {"kind": "always_valid"},
    # The usual prior hardly believes in orders that double; this one does not rule it out.
    "bayesian": {"kind": "bayesian", "prior": {"standard_deviation": 1.0}},
}
LOOKS = {"fixed": 2, "group_sequential": 4, "always_valid": 3, "bayesian": 2}


@pytest.fixture(scope="module")
def world(database_url: str) -> Iterator[World]:
    with running_world(database_url) as world:
        furnish(world)
        yield world


@pytest.mark.parametrize("method", METHODS)
def test_a_better_arm_is_found_shipped_and_remembered(world: World, method: str) -> None:
    key = f"better-{method.replace('_', '-')}"
    arms = started(world, key, METHODS[method])

    decided = looked_at(world, key, arms, looks=LOOKS[method], orders={"old": ORDERS, "new": 2 * ORDERS})
    end(world, key, decided, outcome="SHIPPED", arm="new")

    claim = claim_of(decided["document"])
    assert (decided["document"]["read"]["method"], claim["method"]) == (method, method)
    assert claim["low"] > 0
    assert claim["low"] < ORDERS < claim["high"]
    assert decided["decision"]["sentence"].startswith("Ship")
    assert served_after(world, key) == {"new"}
    assert archived(world, key) == ("COMPLETED", "SHIPPED", "ship")


@pytest.mark.parametrize("method", METHODS)
def test_an_arm_that_does_nothing_is_never_shipped(world: World, method: str) -> None:
    key = f"same-{method.replace('_', '-')}"
    arms = started(world, key, METHODS[method])

    decided = looked_at(world, key, arms, looks=LOOKS[method], orders={"old": ORDERS, "new": ORDERS})
    end(world, key, decided, outcome="ROLLED_BACK")

    claim = claim_of(decided["document"])
    assert decided["decision"]["verdict"] != "ship"
    assert claim["low"] < 0 < claim["high"]
    assert decided["document"]["read"]["is_final"]
    assert served_after(world, key) == {"old"}
    assert archived(world, key) == ("COMPLETED", "ROLLED_BACK", "roll_back")


def furnish(world: World) -> None:
    """Metrics, and a flag for each journey."""
    for key, direction in (("orders", "increase"), ("refunds", "decrease")):
        body = {"key": key, "name": key, "direction": direction}
        world.post(f"{PROJECT}/metrics", body | {"definition": {"kind": "proportion", "event": key}})
    flags = [
        {
            "key": f"{truth}-{method.replace('_', '-')}",
            "type": "string",
            "variants": {"old": "long", "new": "short"},
            "fallthrough": {"variant": "old"},
            "off": "old",
        }
        for truth in ("better", "same")
        for method in METHODS
    ]
    ruleset = {"format": "assay.datafile/1", "flags": flags}
    world.post(f"{PROJECT}/environments/production/ruleset", ruleset)


def started(world: World, key: str, method: dict[str, Any]) -> dict[str, list[str]]:
    """The visitors of each arm of an experiment that has been planned, found ready and started."""
    plan = {
        "hypothesis": "Five fields are enough.",
        "flag": key,
        "goals": [{"metric": "orders", "smallest_effect": 0.5}],
        "guardrails": [{"metric": "refunds", "margin": 0.05, "relative": False}],
        "method": method,
        "duration_days": DAYS,
    }
    arms = [{"key": "old"}, {"key": "new"}]
    draft = {"key": key, "name": key, "arms": arms, "control": "old", "plan": plan}
    world.post(f"{PROJECT}/experiments", draft)
    moved = world.post(f"{PROJECT}/experiments/{key}/start", {}, **{"If-Match": "*"})
    assert moved["state"] == "ACTIVE"
    assert len(moved["phase"]["plan_hash"]) == 64
    world.begin_at(key, world.began_at)
    return visitors(datafile(world, key, is_split=True), key)


def datafile(world: World, key: str, *, is_split: bool) -> CompiledRuleset:
    """What an SDK evaluates with, once the flag's last publication has come as far as delivery."""
    deadline = time.monotonic() + 120
    while True:
        compiled = world.datafile()
        found = evaluate(compiled, key, Context.of("anybody", {}), now=datetime.now(UTC))
        if (found.experiment == key) == is_split:
            return compiled
        assert time.monotonic() < deadline
        time.sleep(0.05)


def visitors(ruleset: CompiledRuleset, key: str) -> dict[str, list[str]]:
    """As many visitors of each arm, so that what is found does not hang on the salt."""
    arms: dict[str, list[str]] = {"old": [], "new": []}
    now = datetime.now(UTC)
    for number in count():
        unit = f"{key}:{number}"
        variant = evaluate(ruleset, key, Context.of(unit, {}), now=now).variant
        if len(arms[variant or ""]) < VISITORS_PER_ARM:
            arms[variant or ""].append(unit)
        elif all(len(units) == VISITORS_PER_ARM for units in arms.values()):
            return arms
    raise AssertionError


def looked_at(
    world: World, key: str, arms: dict[str, list[str]], *, looks: int, orders: dict[str, float]
) -> dict[str, Any]:
    """The look that decided, or the last: each comes when its part of the visitors has been there."""
    for look in range(1, looks + 1):
        part = slice(VISITORS_PER_ARM * (look - 1) // looks, VISITORS_PER_ARM * look // looks)
        world.send([event for arm in arms for event in visits(world, key, arm, arms[arm], part, orders[arm])])
        if look == looks:
            world.begin_at(key, world.began_at - timedelta(hours=3))
        found = world.analysed(key)
        if found["decision"]["verdict"] == "ship" or look == looks:
            return found
    raise AssertionError


def visits(
    world: World, key: str, arm: str, units: list[str], part: slice, rate: float
) -> Iterator[dict[str, Any]]:
    """What visitors did: of any hundred as many order as the rate says, so that the truth is seen exactly."""
    for number in range(VISITORS_PER_ARM)[part]:
        at = world.began_at + timedelta(days=(DAYS - 0.1) * number / VISITORS_PER_ARM, seconds=1)
        common = {"unit": units[number], "at": at.isoformat()}
        yield {"kind": "exposure", "id": f"{units[number]}:e", "experiment": key, "variant": arm} | common
        for name, share in (("orders", rate), ("refunds", REFUNDS)):
            if int((number + 1) * share) > int(number * share):
                yield {"kind": "event", "id": f"{units[number]}:{name}", "name": name} | common


def claim_of(document: dict[str, Any]) -> dict[str, Any]:
    orders = next(metric for metric in document["metrics"] if metric["metric"] == "orders")
    return orders["comparisons"][0]["claim"]


def end(world: World, key: str, decided: dict[str, Any], **ending: str) -> None:
    """Writes down what the look says, and does it."""
    place = f"{PROJECT}/experiments/{key}"
    word = "ship" if ending["outcome"] == "SHIPPED" else "roll_back"
    said = {"decision": word, "result": decided["task"], "note": decided["decision"]["sentence"]}
    world.post(f"{place}/decisions", said | ({"arm": ending["arm"]} if "arm" in ending else {}))
    world.post(f"{place}/complete", ending, **{"If-Match": "*"})


def served_after(world: World, key: str) -> set[str | None]:
    """The variants that visitors, old and new ones, are served after the end."""
    ruleset, now = datafile(world, key, is_split=False), datetime.now(UTC)
    units = [f"{key}:{number}" for number in range(2 * VISITORS_PER_ARM)]
    return {evaluate(ruleset, key, Context.of(unit, {}), now=now).variant for unit in units}


def archived(world: World, key: str) -> tuple[str, str, str]:
    """State, outcome and written decision, as a search in the archive finds them."""
    found = world.http.get(f"{PROJECT}/experiments", params={"search": "fields", "state": "COMPLETED"}).json()
    one = next(each for each in found["items"] if each["key"] == key)
    log = world.http.get(f"{PROJECT}/experiments/{key}/log", params={"kind": "decided"}).json()
    return one["state"], one["outcome"], log["items"][0]["body"]["decision"]
