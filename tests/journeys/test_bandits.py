"""A bandit from plan to ship over HTTP, in a shop whose truth is known: the better arm gets the units.

Epochs end by Assay's own clock, which a journey cannot turn: what began is moved into the past, and what is
due to now.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx2
import psycopg
import pytest

from assay.core.database import libpq_url
from assay.core.embedded import start
from assay_engine import CompiledRuleset, Context, compile_ruleset, evaluate
from journey_support import data_folder, running_assay

PROJECT = "/api/v1/projects/default"
KEY = "headline"
PLACE = f"{PROJECT}/experiments/{KEY}"
DAYS = 14
ORDERS = {"old": 0.10, "new": 0.20}
VISITORS = (600, 1600, 1600)
AT_MOST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class World:
    """A running Assay, its database, and when the bandit began."""

    http: httpx2.Client
    database_url: str
    began_at: datetime

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """The answer to a request that must succeed."""
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def turn(self, statement: str, *values: Any) -> None:
        """Moves what happened, which no request can."""
        with psycopg.connect(libpq_url(self.database_url), options="-csearch_path=assay") as connection:
            connection.execute(statement.encode(), values)

    def epochs(self) -> list[dict[str, Any]]:
        return self.http.get(f"{PLACE}/epochs").raise_for_status().json()["items"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    settings = {"ASSAY_RESULTS_REFRESH_SECONDS": "0"}
    with (
        data_folder() as data,
        start(data.parent / "postgres", durable=False, note="a journey") as postgres,
        running_assay(data, settings=settings | {"ASSAY_DATABASE_URL": postgres.url}) as assay,
        httpx2.Client(base_url=assay.url, timeout=30) as http,
    ):
        yield World(http, postgres.url, datetime.now(UTC) - timedelta(days=DAYS, hours=-2))


def test_the_better_arm_gets_the_units_and_is_shipped(world: World) -> None:
    planned(world)
    world.post(f"{PLACE}/start", {}, **{"If-Match": "*"})
    begin_at(world, world.began_at)
    world.turn("UPDATE bandit_epoch SET began_at = %s", world.began_at)
    visit(world, 0, {"old": 0.5, "new": 0.5})
    regular = served(world, "regular", {})

    early = analysed(world)
    for epoch in (1, 2):
        reweighed(world, epoch)
        visit(world, epoch, world.epochs()[-1]["weights"])
        analysed(world)
    begin_at(world, world.began_at - timedelta(hours=3))
    result = analysed(world)

    weights = [epoch["weights"]["new"] for epoch in world.epochs()]
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
    assert share_of_new(datafile(world)) > 0.9
    assert 'id="weights"' in world.http.get(f"/projects/default/experiments/{KEY}").text
    assert json.loads(printed(world, "--format", "json"))["items"] == world.epochs()
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


def begin_at(world: World, at: datetime) -> None:
    world.turn("UPDATE experiment SET started_at = %s", at)
    world.turn("UPDATE experiment_phase SET started_at = %s", at)


def reweighed(world: World, epoch: int) -> None:
    """Ends the epoch now, and sets its end to a day after its begin once the worker has done it."""
    world.turn("UPDATE experiment_due SET at = %s WHERE action = 'reweigh' AND state = 'WAITING'", now())
    assert eventually(lambda: len(world.epochs()) == epoch + 1), world.epochs()
    last = world.epochs()[-1]
    assert last["moved"], last
    assert eventually(lambda: share_of_new(datafile(world)) > 0.85)
    begun = world.began_at + timedelta(days=epoch)
    world.turn("UPDATE bandit_epoch SET began_at = %s WHERE number = %s", begun, epoch + 1)


def visit(world: World, epoch: int, weights: Mapping[str, float]) -> None:
    """New visitors of an epoch, each in the arm that the flag gives; as many of each as the weights say.

    Of any hundred as many order as the rate says, so that neither salt nor chance hides the truth.
    """
    ruleset = datafile(world)
    arms = {arm: visitors(ruleset, epoch, arm, round(VISITORS[epoch] * weights[arm])) for arm in ORDERS}
    batch = [event for arm, units in arms.items() for event in visits(world, epoch, arm, units)]
    for first in range(0, len(batch), 1000):
        part = batch[first : first + 1000]
        assert world.post("/api/v1/events", part)["accepted"] == len(part)


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


def datafile(world: World) -> CompiledRuleset:
    return compile_ruleset(world.http.get("/api/v1/datafile").raise_for_status().content)


def printed(world: World, *options: str) -> str:
    """What the command line says of the weights."""
    command = [sys.executable, "-m", "assay", "experiment", "weights", KEY]
    place = ["--url", str(world.http.base_url), *options]
    done = subprocess.run([*command, *place], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def share_of_new(ruleset: CompiledRuleset) -> float:
    answers = [evaluate(ruleset, KEY, Context.of(f"new:{unit}", {}), now=now()) for unit in range(400)]
    return sum(answer.variant == "new" for answer in answers) / len(answers)


def analysed(world: World) -> dict[str, Any]:
    place = f"{PLACE}/results"
    task = world.post(place, {})["id"]
    assert eventually(lambda: world.http.get(f"{place}/{task}").json()["state"] == "COMPLETED")
    document = world.http.get(f"{place}/{task}/document").json()["document"]
    return {"document": document, "decision": document["decisions"][0]}


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + AT_MOST_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def now() -> datetime:
    return datetime.now(UTC)
