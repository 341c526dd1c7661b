"""Other ways of assignment, from plan to result over HTTP: whole clusters, and switchbacks."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

import support_commands
from assay_engine import CompiledRuleset, Context, compile_ruleset, evaluate
from journey_support import RunningAssay, data_folder, running_assay

PROJECT = "/api/v1/projects/default"
METRICS = {
    "spent": {"kind": "mean", "event": "order"},
    "basket": {
        "kind": "ratio",
        "numerator": {"event": "order"},
        "denominator": {"event": "order", "aggregate": "count"},
    },
}
EFFECT = 4.0


@pytest.fixture(scope="module")
def running(database_url: str) -> Iterator[RunningAssay]:
    settings = {"ASSAY_DATABASE_URL": database_url, "ASSAY_EVALUATION_FLUSH_SECONDS": "0.2"}
    with data_folder() as data, running_assay(data, settings=settings) as assay:
        yield assay


@pytest.fixture(scope="module")
def http(running: RunningAssay) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running.url, timeout=30) as client:
        for key, definition in METRICS.items():
            body = {"key": key, "name": key, "definition": definition}
            client.post(f"{PROJECT}/metrics", json=body).raise_for_status()
        yield client


def started(http: httpx2.Client, key: str, **plan: Any) -> dict[str, Any]:
    """A started experiment over a flag of its own."""
    made(http, key, **plan)
    return start(http, key)


def made(http: httpx2.Client, key: str, **plan: Any) -> None:
    """A DRAFT over a flag of its own, with the arms `old` and `new`."""
    flag = {
        "key": key,
        "type": "string",
        "variants": {"old": "long", "new": "short"},
        "fallthrough": {"variant": "old"},
        "off": "old",
    }
    document = {"format": "assay.datafile/1", "flags": [flag]}
    http.post(f"{PROJECT}/environments/production/ruleset", json=document).raise_for_status()
    goals = [{"metric": "spent", "smallest_effect": 0.05}]
    new = {
        "key": key,
        "name": key,
        "arms": [{"key": "old"}, {"key": "new"}],
        "control": "old",
        "plan": {"flag": key, "goals": goals, "secondary": ["basket"], "duration_days": 7} | plan,
    }
    answer = http.post(f"{PROJECT}/experiments", json=new)
    assert answer.status_code == 201, answer.text


def start(http: httpx2.Client, key: str) -> dict[str, Any]:
    """Starts, and waits until what was published is served."""
    answer = http.post(f"{PROJECT}/experiments/{key}/start", json={}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    published = http.get(f"{PROJECT}/environments/production").json()["revision"]
    deadline = time.monotonic() + 30
    while served(http) < published:
        assert time.monotonic() < deadline
    return answer.json()


def served(http: httpx2.Client) -> int:
    """The revision that is served; asked for nobody, so that nobody is exposed."""
    return int(http.post("/ofrep/v1/evaluate/flags", json={"context": {}}).json()["metadata"]["version"])


def sent(http: httpx2.Client, events: Sequence[dict[str, Any]]) -> None:
    answer = http.post("/api/v1/events", json=events)
    assert answer.status_code == 202, answer.text
    assert answer.json()["rejected"] == 0, answer.text


def completed(http: httpx2.Client, key: str, *, units: int) -> dict[str, Any]:
    """The document of the experiment, rolled back so that its reading is final.

    Args:
        units: So many are waited for, as the journal writes exposures every now and then.
    """
    body = {"outcome": "ROLLED_BACK"}
    done = http.post(f"{PROJECT}/experiments/{key}/complete", json=body, headers={"If-Match": "*"})
    assert done.status_code == 200, done.text
    deadline = time.monotonic() + 120
    while True:
        document = analysed(http, f"{PROJECT}/experiments/{key}/results", deadline)
        if sum(arm["units"] for arm in document["arms"]) == units:
            return document
        assert time.monotonic() < deadline, document["arms"]


def analysed(http: httpx2.Client, path: str, deadline: float) -> dict[str, Any]:
    task = http.post(path, json={}).json()["id"]
    while (state := http.get(f"{path}/{task}").json()["state"]) != "COMPLETED":
        assert state != "FAILED"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return http.get(f"{path}/{task}/document").json()["document"]


def comparison(document: dict[str, Any], metric: str) -> dict[str, Any]:
    return next(each for each in document["metrics"] if each["metric"] == metric)["comparisons"][0]


def stamp(at: datetime) -> str:
    return at.isoformat()


def test_companies_are_assigned_whole_and_their_users_analysed(http: httpx2.Client) -> None:
    started(http, "teams", unit="company", analysis_unit="targetingKey")
    rng, orders, arms = Random(4), list[dict[str, Any]](), dict[str, set[str]]()
    for company in range(24):
        taste = rng.gauss(50, 3)
        for user in range(6):
            unit, name = f"c{company}u{user}", f"company{company}"
            context = {"context": {"targetingKey": unit, "company": name}}
            variant = http.post("/ofrep/v1/evaluate/flags/teams", json=context).json()["variant"]
            arms.setdefault(name, set()).add(variant)
            value = taste + rng.gauss(0, 1) + EFFECT * (variant == "new")
            at = stamp(datetime.now(UTC) + timedelta(seconds=1))
            orders.append({"kind": "event", "name": "order", "unit": unit, "at": at, "value": value})
    sent(http, orders)

    document = completed(http, "teams", units=144)

    assert all(len(variants) == 1 for variants in arms.values())
    assert document["clusters"]["assigned"] == document["clusters"]["error_unit"] == "company"
    assert sum(document["clusters"]["counts"].values()) == 24
    found = comparison(document, "spent")
    assert found["difference"]["method"] == "cluster_cr2"
    assert found["difference"]["low"] < EFFECT < found["difference"]["high"]
    assert found["claim"]["low"] == found["difference"]["low"]


def switched(ruleset: CompiledRuleset, city: str, at: datetime) -> str:
    variant = evaluate(ruleset, "dispatch", Context.of("rider", {"city": city}), now=at).variant
    assert variant is not None
    return variant


def test_cities_switch_every_hour_and_are_analysed_by_window(http: httpx2.Client) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    anchor = now - timedelta(hours=48)
    plan = {"window_minutes": 60, "burn_in_minutes": 10, "anchor": stamp(anchor)}
    begun = started(http, "dispatch", unit="city", switchback=plan)
    ruleset = compile_ruleset(http.get(f"{PROJECT}/environments/production/ruleset").content)
    rng, events = Random(5), list[dict[str, Any]]()
    for city in (f"city{number}" for number in range(6)):
        for hour in range(48):
            at = anchor + timedelta(hours=hour)
            variant = switched(ruleset, city, at)
            for minute in (1, 30):
                when = stamp(at + timedelta(minutes=minute))
                exposure = {"kind": "exposure", "experiment": "dispatch", "variant": variant}
                events.append(exposure | {"unit": city, "at": when})
            # The treatment of the hour before lasts into the first minutes of this one.
            events.append(ordered(city, at + timedelta(minutes=5), 500.0))
            value = rng.gauss(100, 4) + EFFECT * (variant == "new")
            events.append(ordered(city, at + timedelta(minutes=40), value))
    sent(http, events)

    context = {"context": {"targetingKey": "rider", "city": "city3"}}
    before = datetime.now(UTC)
    served = http.post("/ofrep/v1/evaluate/flags/dispatch", json=context).json()["variant"]
    assert served in {switched(ruleset, "city3", before), switched(ruleset, "city3", datetime.now(UTC))}
    document = completed(http, "dispatch", units=288)

    assert begun["phase"]["frozen"]["windows"] == {"minutes": 60, "anchor": stamp(anchor), "block": 2}
    assert [arm["units"] for arm in document["arms"]] == [144, 144]
    assert (document["clusters"]["window_minutes"], document["clusters"]["error_unit"]) == (60, "city")
    found = comparison(document, "spent")
    assert found["difference"]["low"] < EFFECT < found["difference"]["high"]
    assert found["claim"]["finding"] == "better", json.dumps(found["claim"])


def ordered(city: str, at: datetime, value: float) -> dict[str, Any]:
    return {
        "kind": "event",
        "name": "order",
        "units": {"rider": f"r{at.timestamp():.0f}", "city": city},
        "at": stamp(at),
        "value": value,
    }


def test_a_salt_is_searched_for_put_into_the_plan_and_told_in_the_result(
    running: RunningAssay, http: httpx2.Client, tmp_path: Path
) -> None:
    made(http, "shops")
    rng = Random(8)
    shops = {f"s{number}": (rng.lognormvariate(3, 1), rng.choice("NS")) for number in range(30)}
    rows = [f"{shop},{sales},{region}" for shop, (sales, region) in shops.items()]
    file = tmp_path / "shops.csv"
    file.write_text("\n".join(["shop,sales,region", *rows]), encoding="utf-8")

    options = ("--unit", "shop", "--share", "0.05")
    done = support_commands.assay(
        "experiment", "salt", "shops", file, *options, settings={"ASSAY_URL": running.url}
    )

    assert done.returncode == 0, done.stderr
    assert "is in the plan: the first of" in done.stderr
    begun = start(http, "shops")
    chosen = begun["plan"]["balanced_salt"]
    assert begun["phase"]["salt"] == chosen["salt"]
    assert begun["phase"]["frozen"]["plan"]["balanced_salt"]["covariates"] == ["region", "sales"]
    assert chosen["score"] <= chosen["threshold"]
    for shop in shops:
        context = {"context": {"targetingKey": shop}}
        http.post("/ofrep/v1/evaluate/flags/shops", json=context).raise_for_status()
    document = completed(http, "shops", units=30)
    assert "are conservative (Morgan & Rubin 2012)" in document["rerandomised"]["sentence"]
