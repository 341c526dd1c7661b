"""Results over HTTP: begin, poll, result; the digits of a small experiment counted by hand."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any

import httpx2
import pytest
from rich.console import Console

from assay.analysis.document import Document
from assay.analysis.handlers import handlers
from assay.cli.report import report
from assay.core.config import Settings
from assay.core.database import Database
from assay.jobs.worker import perform
from assay.main import build_app
from support_app import borrowed, serving

pytestmark = pytest.mark.anyio
AT = "2026-11-0{day}T00:00:00Z"


@pytest.fixture
async def committing(settings: Settings, committing_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose writes are committed: the analysis reads on a connection of its own."""
    async with serving(build_app(settings, lambda: borrowed(committing_database))) as http:
        yield http


@asynccontextmanager
async def a_project(client: httpx2.AsyncClient, key: str) -> AsyncGenerator[str]:
    await client.post("/api/v1/projects", json={"key": key, "name": key})
    yield f"/api/v1/projects/{key}"


def exposure(unit: str, variant: str, day: int = 1) -> dict[str, Any]:
    return {
        "kind": "exposure", "experiment": "e", "variant": variant, "unit": unit, "at": AT.format(day=day)
    }  # fmt: skip


def order(unit: str, value: float, day: int = 2) -> dict[str, Any]:
    return {"kind": "event", "name": "order", "unit": unit, "value": value, "at": AT.format(day=day)}


ARMS: Sequence[Mapping[str, Any]] = ({"key": "a"}, {"key": "b"})


async def define(
    client: httpx2.AsyncClient,
    root: str,
    metrics: Mapping[str, Any],
    arms: Sequence[Mapping[str, Any]] = ARMS,
) -> None:
    for key, definition in metrics.items():
        made = await client.post(f"{root}/metrics", json={"key": key, "name": key, "definition": definition})
        assert made.status_code == 201
    body = {
        "key": "e", "name": "E", "arms": list(arms), "control": "a",
        "metrics": list(metrics),
    }  # fmt: skip
    assert (await client.post(f"{root}/experiments", json=body)).status_code == 201


async def results(
    client: httpx2.AsyncClient, root: str, settings: Settings, database: Database, url: str
) -> dict[str, Any]:
    task = (await client.post(f"{root}/experiments/e/results")).json()
    await perform(database, task["id"], handlers(settings, database, url))
    answer = await client.get(f"{root}/experiments/e/results/{task['id']}/document")
    assert answer.status_code == 200, answer.text
    return answer.json()["document"]


def means(document: dict[str, Any], key: str) -> list[float]:
    return [
        arm["mean"] for metric in document["metrics"] if metric["metric"] == key for arm in metric["arms"]
    ]


METRICS = {
    "bought": {"kind": "proportion", "event": "order"},
    "spent": {"kind": "mean", "event": "order"},
    "orders": {"kind": "mean", "event": "order", "aggregate": "count"},
    "basket": {
        "kind": "ratio",
        "numerator": {"event": "order"},
        "denominator": {"event": "order", "aggregate": "count"},
    },
}


async def test_a_small_experiment_counted_by_hand(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    async with a_project(committing, "by-hand") as root:
        await define(committing, root, METRICS)
        batch = [
            *(exposure(unit, "a") for unit in ("a1", "a2", "a3", "a4")),
            *(exposure(unit, "b") for unit in ("b1", "b2")),
            order("a1", 10), order("a1", 20), order("a2", 6),
            order("b1", 7), order("b1", 9, day=1), order("stranger", 1000),
            {**order("b2", 500), "at": "2026-10-31T23:59:59Z"},
        ]  # fmt: skip
        sent = await committing.post("/api/v1/events", json=batch, params={"project": "by-hand"})
        assert sent.json()["rejected"] == 0

        document = await results(committing, root, settings, committing_database, database_url)

    assert [arm["units"] for arm in document["arms"]] == [4, 2]
    assert means(document, "bought") == [0.5, 0.5]
    assert means(document, "spent") == [9.0, 8.0]
    assert means(document, "orders") == [0.75, 1.0]
    assert means(document, "basket") == [12.0, 8.0]


async def test_sentences_call_arms_by_their_names_as_tables_do(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    async with a_project(committing, "named") as root:
        arms = [{"key": "a", "name": "Old form"}, {"key": "b", "name": "New form"}]
        await define(committing, root, {"bought": METRICS["bought"]}, arms)
        batch = [exposure(f"{arm}{number}", arm) for arm in "ab" for number in range(200)]
        batch += [order(f"b{number}", 1) for number in range(100)]
        await committing.post("/api/v1/events", json=batch, params={"project": "named"})

        document = await results(committing, root, settings, committing_database, database_url)
        page = (await committing.get("/projects/named/experiments/e")).text

    (decided,) = document["decisions"]
    terminal = Console(record=True, width=200, file=StringIO())
    terminal.print(report(Document.model_validate(document)))
    shown = terminal.export_text()
    assert decided["arm"] == "b"
    assert decided["sentence"].startswith("Ship New form: bought rose by 50.00 points")
    assert [arm["name"] for arm in document["arms"]] == ["Old form", "New form"]
    assert "Ship New form: bought rose" in page
    assert "Decision on New form: Ship New form: bought rose" in shown
    assert "Old form (control)   a " in shown


async def test_double_and_strange_exposures_are_counted_and_left_out(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    async with a_project(committing, "double") as root:
        await define(committing, root, {"bought": METRICS["bought"]})
        batch = [
            exposure("1", "a"), exposure("1", "b", day=2), exposure("2", "a"), exposure("2", "a", day=3),
            exposure("3", "b"), exposure("4", "gate_50"),
        ]  # fmt: skip
        await committing.post("/api/v1/events", json=batch, params={"project": "double"})

        document = await results(committing, root, settings, committing_database, database_url)

    assert document["excluded"]["in_several_arms"] == 1
    assert document["excluded"]["unknown_arms"] == {"gate_50": 1}
    assert [arm["units"] for arm in document["arms"]] == [1, 1]


async def test_an_experiment_without_data_says_what_is_missing(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    async with a_project(committing, "empty") as root:
        await define(committing, root, METRICS)

        document = await results(committing, root, settings, committing_database, database_url)

    assert document["sample_ratio"]["p_value"] is None
    assert document["sample_ratio"]["undefined"]["reason"] == "no_information"
    for metric in document["metrics"]:
        (comparison,) = metric["comparisons"]
        assert comparison["difference"]["estimate"] is None
        assert comparison["difference"]["undefined"]["reason"] == "empty_arm"


async def test_beginning_again_while_it_runs_is_the_same_analysis(client: httpx2.AsyncClient) -> None:
    await define(client, "/api/v1/projects/default", {})
    path = "/api/v1/projects/default/experiments/e/results"

    first, second = (await client.post(path)), (await client.post(path))

    assert first.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert (await client.get(first.headers["location"])).json()["state"] == "PENDING"
    assert len((await client.get(path)).json()["items"]) == 1


async def test_there_is_no_document_before_the_end(client: httpx2.AsyncClient) -> None:
    await define(client, "/api/v1/projects/default", {})
    path = "/api/v1/projects/default/experiments/e/results"
    task = (await client.post(path)).json()

    early = await client.get(f"{path}/{task['id']}/document")

    assert (early.status_code, early.json()["code"]) == (409, "task_not_finished")
    assert (await client.get(f"{path}/latest")).json()["code"] == "no_results"


async def test_a_task_of_another_experiment_is_not_found(client: httpx2.AsyncClient) -> None:
    await define(client, "/api/v1/projects/default", {})
    await client.post("/api/v1/projects", json={"key": "p", "name": "P"})
    await define(client, "/api/v1/projects/p", {})
    task = (await client.post("/api/v1/projects/p/experiments/e/results")).json()

    answer = await client.get(f"/api/v1/projects/default/experiments/e/results/{task['id']}")

    assert answer.status_code == 404


async def test_an_event_name_may_hold_any_character(
    committing: httpx2.AsyncClient, settings: Settings, committing_database: Database, database_url: str
) -> None:
    name = 'a\x1fb,"{c}'
    async with a_project(committing, "names") as root:
        await define(committing, root, {"odd": {"kind": "mean", "event": name}})
        events = [exposure(unit, "ab"[int(unit) % 2]) for unit in "1234"]
        await committing.post("/api/v1/events?project=names", json=[*events, order("1", 6) | {"name": name}])
        document = await results(committing, root, settings, committing_database, database_url)

    assert means(document, "odd") == [0.0, 3.0]
