"""Holdouts as something to analyse, by the command line, against a running Assay."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from journey_support import RunningAssay, data_folder, running_assay
from support_commands import assay

UNITS = 400


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAssay]:
    """An Assay with a metric, and the holdout `idle` that keeps nobody out of anything."""
    folder = tmp_path_factory.mktemp("definitions")
    metric = {"key": "orders", "name": "Orders", "definition": {"kind": "proportion", "event": "order"}}
    with data_folder() as data, running_assay(data) as served:
        told(served, "metric", "create", written(folder, metric))
        told(served, "flag", "holdout", "set", "idle", "--file", written(folder, a_holdout()))
        yield served


def a_holdout(*experiments: str) -> dict[str, Any]:
    return {"range": {"low": 0, "high": 5_000}, "experiments": list(experiments)}


def written(folder: Path, definition: dict[str, Any]) -> Path:
    file = folder / f"{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps(definition), encoding="utf-8")
    return file


def opened(running: RunningAssay, folder: Path, key: str) -> None:
    """Makes a holdout, under which units are exposed and order."""
    told(running, "flag", "holdout", "set", key, "--file", written(folder, a_holdout("shorter")))
    sent = httpx2.post(f"{running.url}/api/v1/events", json=list(events(key, datetime.now(UTC))))
    assert sent.json()["rejected"] == 0


def events(key: str, began: datetime) -> Iterator[dict[str, Any]]:
    """Of those who are open twice as many order."""
    exposure = {"kind": "exposure", "experiment": f"holdout:production:{key}", "at": began.isoformat()}
    for number in range(UNITS):
        unit, arm = f"{key}{number}", ("held_out", "open")[number % 2]
        yield exposure | {"variant": arm, "unit": unit}
        if number % (4 if arm == "held_out" else 2) in {0, 1}:
            at = (began + timedelta(milliseconds=1)).isoformat()
            yield {"kind": "event", "name": "order", "unit": unit, "at": at}


def holdout(running: RunningAssay, *arguments: str) -> subprocess.CompletedProcess[str]:
    return assay("holdout", *arguments, settings={"ASSAY_URL": running.url})


def told(running: RunningAssay, *arguments: str | Path) -> str:
    done = assay(*arguments, settings={"ASSAY_URL": running.url})
    done.check_returncode()
    return done.stdout


def test_a_holdout_is_read_by_metrics_and_remembers_how(running: RunningAssay, tmp_path: Path) -> None:
    opened(running, tmp_path, "spring")

    unread = holdout(running, "results", "spring")
    table = holdout(running, "results", "spring", "--metric", "orders")
    again = holdout(running, "results", "spring", "--latest", "--format", "json")

    assert (unread.returncode, unread.stdout) == (1, "")
    assert "nobody has said by which metrics holdout 'spring' is read" in unread.stderr
    assert "assay holdout results spring --metric METRIC" in unread.stderr
    assert table.returncode == 0, table.stderr
    assert "Held out (control)" in table.stdout
    assert "Under this holdout" in table.stdout
    found = json.loads(again.stdout)
    assert found["holdout"]["reading"]["metrics"] == ["orders"]
    assert sum(arm["units"] for arm in found["document"]["arms"]) == UNITS
    assert found["document"]["metrics"][0]["comparisons"][0]["claim"]["method"] == "always_valid"


def test_a_release_lets_everybody_in_and_ends_the_analysis(running: RunningAssay, tmp_path: Path) -> None:
    opened(running, tmp_path, "summer")
    holdout(running, "results", "summer", "--metric", "orders")

    released = holdout(running, "release", "summer", "--note", "the summer is over")
    again = holdout(running, "release", "summer")
    after = holdout(running, "results", "summer", "--format", "json")
    served = json.loads(told(running, "flag", "holdout", "get", "summer", "--format", "json"))

    assert released.stderr.startswith("summer is released in production")
    assert again.returncode == 1
    assert again.stderr == "Error: 'production' serves this of holdout 'summer' already\n"
    assert served["published"]["document"]["experiments"] == []
    assert served["published"]["note"] == "the summer is over"
    reading = json.loads(after.stdout)["holdout"]
    assert reading["ended_at"] is not None
    assert reading["notes"][0].startswith("Released on ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("results", "none"), "Error: 'production' has no holdout 'none'"),
        (
            ("results", "idle", "--metric", "orders"),
            "Error: holdout 'idle' keeps its units out of nothing yet",
        ),
        (("results", "idle", "--metric", "sales"), "Error: project 'default' has no metric 'sales'"),
        (("results", "idle", "--fixed"), "Error: say with --metric by what the holdout is read"),
        (("results", "idle", "--latest", "--metric", "orders"), "Error: --latest shows what there is"),
        (
            ("results", "idle", "--metric", "orders", "--fixed"),
            "Error: body: one look at the end needs an end",
        ),
        (("release", "none"), "Error: 'production' has no holdout 'none'"),
    ],
)
def test_a_mistake_is_one_sentence(running: RunningAssay, arguments: tuple[str, ...], sentence: str) -> None:
    done = holdout(running, *arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(sentence)
    assert "Traceback" not in done.stderr
