"""Other readings than the planned one, cancelling, time-outs and who looked when, over HTTP."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from duckdb import InterruptException
from ibis.expr.types import Table

from assay.analysis import looks
from assay.analysis.computing import collect
from assay.analysis.experiment import complete
from assay.analysis.handlers import handlers
from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import perform
from assay.main import build_app
from assay.sources.service import local_engine
from support_app import borrowed, serving

from .measuring import a_metric, a_plan

pytestmark = pytest.mark.anyio

METRICS = {
    "spent": {"kind": "mean", "event": "order", "lookback_hours": 48},
    "bought": {"kind": "proportion", "event": "order"},
}


@pytest.fixture
async def committing(settings: Settings, committing_database: Database) -> Any:
    """A client whose writes are committed: the analysis reads on a connection of its own."""
    async with serving(build_app(settings, lambda: borrowed(committing_database))) as http:
        yield http


async def shop(client: httpx2.AsyncClient, key: str) -> str:
    """A project with an experiment, one that had the same units, and their events; its results' address."""
    await client.post("/api/v1/projects", json={"key": key, "name": key})
    root = f"/api/v1/projects/{key}"
    for name, definition in METRICS.items():
        await client.post(f"{root}/metrics", json={"key": name, "name": name, "definition": definition})
    for name in ("e", "other"):
        body = {
            "key": name, "name": name, "arms": [{"key": "a"}, {"key": "b"}], "control": "a",
            "metrics": list(METRICS),
        }  # fmt: skip
        assert (await client.post(f"{root}/experiments", json=body)).status_code == 201
    batch: list[dict[str, Any]] = []
    for number in range(60):
        unit, at = f"u{number}", f"2026-11-0{1 + number % 3}T00:00:00Z"
        known = {"country": ("de", "fr")[number % 2]}
        for experiment, arm in (("e", "ab"[number // 2 % 2]), ("other", "ab"[number // 4 % 2])):
            batch.append(
                {"kind": "exposure", "experiment": experiment, "variant": arm, "unit": unit, "at": at,
                 "properties": known}
            )  # fmt: skip
        batch.append(
            {
                "kind": "event",
                "name": "order",
                "unit": unit,
                "value": number,
                "at": f"2026-11-0{5 + number % 3}T00:00:00Z",
            }
        )
    batch.append({"kind": "event", "name": "order", "unit": "", "value": 1, "at": "2026-11-05T00:00:00Z"})
    await client.post("/api/v1/events", json=batch, params={"project": key})
    return f"{root}/experiments/e/results"


async def run(
    client: httpx2.AsyncClient,
    path: str,
    asked: Mapping[str, Any] | None,
    settings: Settings,
    database: Database,
    url: str,
) -> dict[str, Any]:
    task = (await client.post(path, json=asked)).json()
    await perform(database, task["id"], handlers(settings, database, url))
    return (await client.get(f"{path}/{task['id']}")).json()


async def read(client: httpx2.AsyncClient, path: str, task: Mapping[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"{path}/{task['id']}/document")
    assert answer.status_code == 200, answer.text
    return answer.json()["document"]


async def test_another_reading_is_marked_and_leaves_the_planned_one_alone(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    path = await shop(committing, "recuts")
    asked = {
        "segments": [{"key": "country", "top": 1}], "alpha": 0.1, "method": {"kind": "always_valid"},
        "metrics": ["spent"], "until": "2026-11-05", "adjusted": False,
        "view": {"standard_deviation": 0.2},
    }  # fmt: skip

    planned = await run(committing, path, None, settings, committing_database, database_url)
    other = await run(committing, path, asked, settings, committing_database, database_url)
    document, plain = await read(committing, path, other), await read(committing, path, planned)
    latest = (await committing.get(f"{path}/latest")).json()

    assert document["exploration"] == [
        "read by the method always_valid", "at alpha 0.1", "of the metrics spent alone",
        "as of the end of 2026-11-05", "without adjustment by what was known before",
    ]  # fmt: skip
    (comparison,) = document["metrics"][0]["comparisons"]
    assert comparison["claim"]["is_exploratory"]
    assert comparison["claim"]["method"] == "always_valid"
    assert comparison["view"]["prior_sd"] == 0.2
    assert comparison["adjusted"] is None
    assert {(each["kind"], each["value"]) for each in document["segments"]} == {
        ("value", "de"),
        ("other", None),
    }
    assert (plain["exploration"], plain["segments"]) == ([], [])
    assert latest["task"]["id"] == planned["id"]
    assert [task["id"] for task in (await committing.get(path)).json()["items"]] == [planned["id"]]
    explored = (await committing.get(path, params={"exploratory": True})).json()["items"]
    assert [task["id"] for task in explored] == [other["id"]]


async def test_a_day_later_is_not_read(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    path = await shop(committing, "until")

    early = await run(committing, path, {"until": "2026-11-02"}, settings, committing_database, database_url)
    document = await read(committing, path, early)

    assert sum(arm["units"] for arm in document["arms"]) == 40
    assert [day["day"] for day in document["exposures"]] == ["2026-11-01", "2026-11-02"]
    assert {arm["mean"] for arm in document["metrics"][0]["arms"]} == {0.0}


async def test_results_say_how_events_came_in_and_who_else_had_the_units(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    path = await shop(committing, "arrivals")

    task = await run(committing, path, None, settings, committing_database, database_url)
    document = await read(committing, path, task)

    arrivals = document["arrivals"]
    assert [(each["kind"], each["name"], each["events"]) for each in arrivals["events"]] == [
        ("event", "order", 60), ("exposure", "e", 60),
    ]  # fmt: skip
    assert arrivals["events"][0]["last_at"] == "2026-11-07T00:00:00Z"
    assert arrivals["events"][0]["received_at"] is not None
    assert arrivals["rejected"] == {"order": 1}
    assert document["shared_units"] == [{"experiment": "other", "units": 60, "is_tested": True}]
    assert {each["finding"] for each in document["interactions"]} == {"unknown"}


async def test_the_same_options_are_one_analysis_and_others_another(client: httpx2.AsyncClient) -> None:
    path = await shop(client, "keys")

    tasks = [
        (await client.post(path, json=asked)).json()["id"]
        for asked in ({"alpha": 0.1}, {"alpha": 0.2}, {"alpha": 0.1}, None, {})
    ]

    assert tasks[0] == tasks[2] != tasks[1]
    assert tasks[3] == tasks[4] not in tasks[:2]


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ({"metrics": ["revenue"]}, 422, "'revenue' is no metric of experiment 'e'; it has spent, bought"),
        ({"covariates": {"spent": "bought"}, "metrics": ["spent"]}, 422, "'bought' adjusts or is adjusted"),
        ({"segments": [{"key": "c"}, {"key": "c"}]}, 422, "segment 'c' is listed more than once"),
        ({"until": "2999-01-01"}, 422, "2999-01-01 has not come yet"),
        ({"alpha": 2}, 422, ""),
        ({"until": "yesterday"}, 422, ""),
        ({"speed": "high"}, 422, ""),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_a_sentence(
    client: httpx2.AsyncClient, asked: Mapping[str, Any], status: int, sentence: str
) -> None:
    path = await shop(client, "refused")

    answer = await client.post(path, json=asked)

    assert answer.status_code == status, answer.text
    assert sentence in answer.json()["detail"]


async def test_a_cancelled_analysis_ends_without_a_result_and_says_so(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    path = await shop(committing, "cancelled")
    task = (await committing.post(path)).json()

    answer = await committing.post(f"{path}/{task['id']}/cancel")
    await perform(committing_database, task["id"], handlers(settings, committing_database, database_url))
    ended = (await committing.get(f"{path}/{task['id']}")).json()
    again = (await committing.post(path)).json()

    assert answer.status_code == 202
    assert (ended["state"], ended["error_code"]) == ("FAILED", "analysis_cancelled")
    assert ended["error"] == "the analysis was cancelled; there is no result"
    assert (await committing.get(f"{path}/latest")).json()["code"] == "no_results"
    assert again["id"] != task["id"]


async def test_a_finished_analysis_cannot_be_cancelled_any_more(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    path = await shop(committing, "finished")
    task = await run(committing, path, None, settings, committing_database, database_url)

    answer = (await committing.post(f"{path}/{task['id']}/cancel")).json()

    assert answer["state"] == "COMPLETED"
    assert (await committing.get(f"{path}/latest")).status_code == 200


async def test_an_analysis_that_takes_too_long_is_a_timeout_and_neither_an_error_nor_empty(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    path = await shop(committing, "slow")
    hurried = settings.model_copy(update={"results_timeout_seconds": 1e-6})

    ended = await run(committing, path, None, hurried, committing_database, database_url)

    assert (ended["state"], ended["error_code"]) == ("FAILED", "analysis_timeout")
    assert "took longer than 1e-06 s and was stopped; there is no result" in ended["error"]


async def test_an_interrupt_ends_the_engine_s_query_and_blanks_no_metric() -> None:
    engine = local_engine()
    engine.con.execute(
        "CREATE VIEW endless AS SELECT 'exposure' AS kind, 'e' AS name, (i % 1000)::VARCHAR AS unit, "
        "'a' AS variant, TIMESTAMPTZ '2026-01-01' AS at, NULL::DOUBLE AS value "
        "FROM range(40000000000) AS r(i)"
    )
    tables: Mapping[str | None, Table] = {None: complete(engine.table("endless"))}
    plan = a_plan(a_metric("spent", kind="mean", event="order"))
    done = threading.Event()

    def interrupt() -> None:
        while not done.is_set():
            time.sleep(0.2)
            engine.con.interrupt()

    threading.Thread(target=interrupt, daemon=True).start()
    with anyio.fail_after(60), pytest.raises(InterruptException):
        await anyio.to_thread.run_sync(collect, tables, plan)
    done.set()


async def test_who_reads_a_result_is_remembered_once(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    path = await shop(committing, "looks")
    task = await run(committing, path, None, settings, committing_database, database_url)
    before = (await committing.get(f"{path}/looks")).json()

    for address in ("latest", f"{task['id']}/document", f"{task['id']}/numbers"):
        await committing.get(f"{path}/{address}")
    after = (await committing.get(f"{path}/looks")).json()

    assert before["items"] == []
    assert [(look["result"], look["actor"], look["is_early"]) for look in after["items"]] == [
        (task["id"], "local", False)
    ]
    assert (after["early"], after["sentence"]) == (0, None)


# statistics: fixed p at 5, 14 and 28 looks: 14.2, 22.0 and 27.5 %.
@pytest.mark.parametrize(("count", "rate"), [(1, 0.05), (5, 0.142), (14, 0.220), (28, 0.275)])
async def test_looking_often_raises_the_error_rate_as_the_literature_says(count: int, rate: float) -> None:
    assert looks.error_rate(0.05, count) == pytest.approx(rate, abs=6e-4)
