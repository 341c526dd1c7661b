"""A bandit from plan to ship over HTTP, in a shop whose truth is known: the better arm gets the units.

Epochs end by Assay's own clock, which a journey cannot turn: what began is moved into the past, and what is
due to now.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

import support_commands
from assay_engine import CompiledRuleset, Context, evaluate

from .past_shop import DAYS, PROJECT, World, running_world

KEY = "headline"
PLACE = f"{PROJECT}/experiments/{KEY}"
ORDERS = {"old": 0.10, "new": 0.20}
VISITORS = (600, 1600, 1600)
AT_MOST_SECONDS = 60


@pytest.fixture(scope="module")
def world(database_url: str) -> Iterator[World]:
    with running_world(database_url, {"ASSAY_RESULTS_REFRESH_SECONDS": "0"}) as world:
        yield world


def test_the_better_arm_gets_the_units_and_is_shipped(world: World) -> None:
    planned(world)
    world.post(f"{PLACE}/start", {}, **{"If-Match": "*"})
    world.begin_at(KEY, world.began_at)
    world.turn("UPDATE bandit_epoch SET began_at = %s", world.began_at)
    visit(world, 0, {"old": 0.5, "new": 0.5})
    regular = served(world, "regular", {})

    early = world.analysed(KEY)
    for epoch in (1, 2):
        reweighed(world, epoch)
        visit(world, epoch, epochs(world)[-1]["weights"])
        world.analysed(KEY)
    world.begin_at(KEY, world.began_at - timedelta(hours=3))
    result = world.analysed(KEY)

    weights = [epoch["weights"]["new"] for epoch in epochs(world)]
    claim = result["document"]["metrics"][0]["comparisons"][0]["claim"]
    ratio, diagnosis = result["document"]["sample_ratio"], result["document"]["diagnosis"]
    assert weights[0] == 0.5
    assert weights[1] > 0.9
    assert weights[2] > 0.9
    assert early["decision"]["verdict"] != "ship"
    assert (ratio["suspicious"], diagnosis["alarm_at"], result["document"]["halts"]) == (False, None, [])
    assert claim["low"] > 0
    assert claim["low"] < ORDERS["new"] - ORDERS["old"] < claim["high"]
    assert result["decision"]["verdict"] == "ship"
    assert [batch["is_compared"] for batch in result["document"]["bandit"]["batches"]] == [True] * 3
    assert served(world, "regular", {}) == regular
    assert share_of_new(world.datafile()) > 0.9
    assert 'id="weights"' in world.http.get(f"/projects/default/experiments/{KEY}").text
    assert json.loads(printed(world, "--format", "json"))["items"] == epochs(world)
    assert "stayed" not in printed(world)

    world.post(f"{PLACE}/complete", {"outcome": "SHIPPED", "arm": "new"}, **{"If-Match": "*"})

    assert eventually(lambda: served(world, "regular", {}) == "new")
    waiting = world.http.get(f"{PLACE}/schedule").json()["items"]
    assert {each["state"] for each in waiting} == {"DONE", "CANCELLED"}


def planned(world: World) -> None:
    """A metric, a flag and a DRAFT."""
    definition = {"kind": "proportion", "event": "orders"}
    world.post(f"{PROJECT}/metrics", {"key": "orders", "name": "orders", "definition": definition})
    flag = {
        "key": KEY,
        "type": "string",
        "variants": {"old": "long", "new": "short"},
        "fallthrough": {"variant": "old"},
        "off": "old",
    }
    ruleset = {"format": "assay.datafile/1", "flags": [flag]}
    world.post(f"{PROJECT}/environments/production/ruleset", ruleset)
    plan = {
        "flag": KEY,
        "goals": [{"metric": "orders", "smallest_effect": 0.5}],
        "duration_days": DAYS,
        "sticky": True,
        "bandit": {"rule": {"kind": "thompson"}, "least_units": 50},
    }
    arms = [{"key": "old"}, {"key": "new"}]
    draft = {"key": KEY, "name": KEY, "arms": arms, "control": "old", "plan": plan}
    world.post(f"{PROJECT}/experiments", draft)


def epochs(world: World) -> list[dict[str, Any]]:
    return world.http.get(f"{PLACE}/epochs").raise_for_status().json()["items"]


def reweighed(world: World, epoch: int) -> None:
    """Ends the epoch now, and sets its end to a day after its begin once the worker has done it."""
    world.turn("UPDATE experiment_due SET at = %s WHERE action = 'reweigh' AND state = 'WAITING'", now())
    assert eventually(lambda: len(epochs(world)) == epoch + 1), epochs(world)
    last = epochs(world)[-1]
    assert last["moved"], last
    assert eventually(lambda: share_of_new(world.datafile()) > 0.85)
    begun = world.began_at + timedelta(days=epoch)
    world.turn("UPDATE bandit_epoch SET began_at = %s WHERE number = %s", begun, epoch + 1)


def visit(world: World, epoch: int, weights: Mapping[str, float]) -> None:
    """New visitors of an epoch, each in the arm that the flag gives; as many of each as the weights say.

    Of any hundred as many order as the rate says, so that neither salt nor chance hides the truth.
    """
    ruleset = world.datafile()
    arms = {arm: visitors(ruleset, epoch, arm, round(VISITORS[epoch] * weights[arm])) for arm in ORDERS}
    batch = [event for arm, units in arms.items() for event in visits(world, epoch, arm, units)]
    world.send(batch)


def visitors(ruleset: CompiledRuleset, epoch: int, arm: str, wanted: int) -> list[str]:
    found: list[str] = []
    for number in count():
        unit = f"{epoch}:{arm}:{number}"
        if len(found) == wanted:
            return found
        if evaluate(ruleset, KEY, Context.of(unit, {}), now=now()).variant == arm:
            found.append(unit)
    raise AssertionError


def visits(world: World, epoch: int, arm: str, units: list[str]) -> Iterator[dict[str, Any]]:
    for number, unit in enumerate(units):
        at = world.began_at + timedelta(days=epoch + 0.9 * number / len(units), seconds=5)
        common = {"unit": unit, "at": at.isoformat()}
        yield {"kind": "exposure", "id": f"{unit}:e", "experiment": KEY, "variant": arm} | common
        if int((number + 1) * ORDERS[arm]) > int(number * ORDERS[arm]):
            yield {"kind": "event", "id": f"{unit}:o", "name": "orders"} | common


def served(world: World, unit: str, attributes: Mapping[str, Any]) -> str:
    """What a visitor is served who asks the server, which knows who was exposed before."""
    context = {"context": {"targetingKey": unit, **attributes}}
    return (
        world.http.post(f"/ofrep/v1/evaluate/flags/{KEY}", json=context).raise_for_status().json()["variant"]
    )


def printed(world: World, *options: str) -> str:
    """What the command line says of the weights."""
    done = support_commands.assay("experiment", "weights", KEY, "--url", str(world.http.base_url), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def share_of_new(ruleset: CompiledRuleset) -> float:
    answers = [evaluate(ruleset, KEY, Context.of(f"new:{unit}", {}), now=now()) for unit in range(400)]
    return sum(answer.variant == "new" for answer in answers) / len(answers)


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + AT_MOST_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def now() -> datetime:
    return datetime.now(UTC)
