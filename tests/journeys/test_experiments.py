"""A planned experiment from its flag to its winner, over HTTP and the command line."""

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

import support_commands
from journey_support import RunningAssay, data_folder, running_assay

UNITS = 240
PROJECT = "/api/v1/projects/default"
FLAG = {
    "key": "form",
    "type": "string",
    "variants": {"long": "twelve fields", "short": "five fields"},
    "fallthrough": {"variant": "long"},
    "off": "long",
}
EXPERIMENT: dict[str, Any] = {
    "key": "shorter",
    "name": "Shorter form",
    "arms": [{"key": "long"}, {"key": "short"}],
    "control": "long",
    "plan": {},
}
PLAN: dict[str, Any] = {
    "hypothesis": "Five fields are enough, and more people order.",
    "flag": "form",
    "goals": [{"metric": "orders", "smallest_effect": 0.2}],
    "guardrails": [{"metric": "refunds", "margin": 0.05, "relative": False}],
    "method": {"kind": "group_sequential", "looks": 4},
    "duration_days": 14,
}


@pytest.fixture(scope="module")
def running(database_url: str) -> Iterator[RunningAssay]:
    settings = {"ASSAY_DATABASE_URL": database_url, "ASSAY_EVALUATION_FLUSH_SECONDS": "0.2"}
    with data_folder() as data, running_assay(data, settings=settings) as assay:
        yield assay


@pytest.fixture
def http(running: RunningAssay) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running.url, timeout=30) as client:
        yield client


def assay(running: RunningAssay, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return support_commands.assay("experiment", *arguments, settings={"ASSAY_URL": running.url})


def test_from_the_flag_to_the_winner(running: RunningAssay, http: httpx2.Client, tmp_path: Path) -> None:
    prepare(http)
    plan = written(tmp_path / "plan.json", PLAN)
    assert assay(running, "create", written(tmp_path / "experiment.json", EXPERIMENT)).returncode == 0
    unready = assay(running, "ready", "shorter")
    assert (unready.returncode, "✗ goals: The plan has no goal" in unready.stdout) == (1, True)

    assert assay(running, "plan", "shorter", "--file", plan).stderr == "shorter is planned\n"
    power = posted(
        http,
        "experiments/shorter/power",
        {
            "baselines": {
                "orders": {"mean": 0.3, "variance": 0.21},
                "refunds": {"mean": 0.05, "variance": 0.05},
            },
            "units_per_day": 500,
        },
    )
    assert power["reachable"]
    ready = assay(running, "ready", "shorter")
    assert (ready.returncode, ready.stderr) == (0, "shorter is ready\n")

    started = assay(running, "start", "shorter", "--note", "as agreed")
    assert started.stderr.startswith("shorter is ACTIVE, phase 1 covers 100.00%, plan ")

    assigned = evaluated(http, wanted=lambda found: {"long", "short"} <= set(found.values()))
    assert set(assigned.values()) == {"long", "short"}
    send_orders(http, assigned)
    result = analysed(http)
    arms = {arm["arm"]: arm["units"] for arm in result["document"]["arms"]}
    orders = next(each for each in result["document"]["metrics"] if each["metric"] == "orders")
    assert arms == Counter(assigned.values())
    assert orders["comparisons"][0]["difference"]["low"] > 0

    decision = {"decision": "ship", "arm": "short", "result": result["task"]["id"], "note": "clearly better"}
    assert posted(http, "experiments/shorter/decisions", decision)["kind"] == "decided"
    shipped = assay(running, "complete", "shorter", "ship", "--arm", "short")
    assert shipped.stderr == "shorter is COMPLETED, SHIPPED\n"

    served = evaluated(http, wanted=lambda found: set(found.values()) == {"short"})
    assert set(served.values()) == {"short"}
    log = assay(running, "log", "shorter")
    assert [line.split("  ")[2].split(":")[0] for line in log.stdout.splitlines()] == [
        "completed", "decided", "started",
    ]  # fmt: skip
    found = json.loads(
        assay(running, "list", "--search", "five", "--outcome", "SHIPPED", "--format", "json").stdout
    )
    assert [(each["key"], each["outcome"]) for each in found] == [("shorter", "SHIPPED")]
    page = http.get("/projects/default/experiments/shorter").text
    assert found[0]["phase"]["plan_hash"] in page
    assert "COMPLETED" in page


def test_a_pause_a_ramp_and_a_new_phase_by_the_command_line(
    running: RunningAssay, http: httpx2.Client, tmp_path: Path
) -> None:
    prepare(http, flag="page")
    draft = EXPERIMENT | {"key": "page", "plan": PLAN | {"flag": "page", "coverage": 0.2}}
    assay(running, "create", written(tmp_path / "page.json", draft))

    told = [
        assay(running, "start", "page").stderr,
        assay(running, "cover", "page", "50%").stderr,
        assay(running, "pause", "page", "--note", "a fault").stderr,
        assay(running, "start", "page").stderr,
        assay(running, "resume", "page").stderr,
        assay(running, "restart", "page", "--reason", "mended", "--weight", "short=3").stderr,
        assay(running, "complete", "page", "roll-back").stderr,
    ]

    shown = assay(running, "show", "page").stdout
    assert [line.split(", plan ")[0].strip() for line in told] == [
        "page is ACTIVE, phase 1 covers 20.00%",
        "page is ACTIVE, phase 1 covers 50.00%",
        "page is PAUSED, phase 1 covers 50.00%",
        "Error: a PAUSED experiment cannot start; it can schedule, resume, deviate, restart, complete",
        "page is ACTIVE, phase 1 covers 50.00%",
        "page is ACTIVE, phase 2 covers 20.00%",
        "page is COMPLETED, ROLLED_BACK",
    ]
    assert "short (3)" in shown
    assert "ROLLED_BACK on" in shown


def prepare(http: httpx2.Client, *, flag: str = "form") -> None:
    for metric in ("orders", "refunds"):
        body = {"key": metric, "name": metric, "definition": {"kind": "proportion", "event": metric}}
        assert http.post(f"{PROJECT}/metrics", json=body).status_code in {201, 409}
    ruleset = {"format": "assay.datafile/1", "flags": [FLAG | {"key": flag}]}
    assert http.post(f"{PROJECT}/environments/production/ruleset", json=ruleset).status_code == 200


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def posted(http: httpx2.Client, path: str, body: Any) -> Any:
    answer = http.post(f"{PROJECT}/{path}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


def evaluated(http: httpx2.Client, *, wanted: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    """The variant of every unit, once what was published is served, by any process."""
    deadline = time.monotonic() + 120
    units = [f"u{number}" for number in range(UNITS)]
    while not wanted({unit: variant_of(http, unit) for unit in units[:20]}) and time.monotonic() < deadline:
        time.sleep(0.1)
    return {unit: variant_of(http, unit) for unit in units}


def variant_of(http: httpx2.Client, unit: str) -> str:
    answer = http.post("/ofrep/v1/evaluate/flags/form", json={"context": {"targetingKey": unit}})
    assert answer.status_code == 200, answer.text
    return answer.json()["variant"]


def send_orders(http: httpx2.Client, assigned: dict[str, str]) -> None:
    """Whether a unit orders: 20 % of those with the long form, 60 % of those with the short one."""
    chance = random.Random(6)
    rate = {"long": 0.2, "short": 0.6}
    events = [
        {"kind": "event", "id": f"{unit}:order", "name": "orders", "unit": unit, "at": now()}
        for unit, variant in assigned.items()
        if chance.random() < rate[variant]
    ]
    answer = http.post("/api/v1/events", json=events)
    assert answer.status_code == 202, answer.text


def analysed(http: httpx2.Client) -> Any:
    """A result in which every evaluated unit is exposed; the journal writes exposures every now and then."""
    deadline = time.monotonic() + 120
    while True:
        task = posted(http, "experiments/shorter/results", {})["id"]
        while http.get(f"{PROJECT}/experiments/shorter/results/{task}").json()["state"] != "COMPLETED":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        found = http.get(f"{PROJECT}/experiments/shorter/results/{task}/document").json()
        if sum(arm["units"] for arm in found["document"]["arms"]) == UNITS:
            return found
        assert time.monotonic() < deadline, found["document"]["arms"]


def now() -> str:
    return datetime.now(UTC).isoformat()
