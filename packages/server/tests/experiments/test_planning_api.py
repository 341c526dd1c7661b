"""Power, the choice of a method, readiness with data, templates, the log and the archive."""

import uuid
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from assay.core.clock import utc_now
from assay.core.database import Database, WriteSession
from assay.experiments import service
from assay.jobs import service as jobs
from assay.jobs.worker import Task, perform

from .conftest import ServeOver
from .factories import (
    EXPERIMENTS,
    PROJECT,
    a_flag,
    a_layer,
    a_plan,
    a_planned_experiment,
    make,
    moved,
    prepare,
)

pytestmark = pytest.mark.anyio
GIVEN = {"orders": {"mean": 2.0, "variance": 1.0}, "refunds": {"mean": 1.0, "variance": 1.0}}


async def ask(client: httpx2.AsyncClient, what: str, **body: Any) -> httpx2.Response:
    return await client.post(f"{EXPERIMENTS}/shorter/{what}", json=body)


async def with_result(database: Database, key: str, *, p_value: float = 0.5) -> uuid.UUID:
    """A finished analysis of an experiment, as its document says it."""
    document = {
        "control": "old",
        "arms": [{"arm": "old", "units": 5_000}, {"arm": "new", "units": 5_000}],
        "sample_ratio": {"suspicious": False},
        "metrics": [
            {
                "metric": metric,
                "arms": [{"arm": "old", "units": 5_000, "mean": 0.1, "standard_deviation": 0.3}],
                "comparisons": [{"p_value": p_value}],
            }
            for metric in ("orders", "refunds")
        ],
    }

    async def begin(tx: WriteSession) -> uuid.UUID:
        subject = str(await service.identify(tx, "default", key))
        run = await jobs.begin(
            tx, kind="results", key=f"r{key}", subject=subject, arguments={}, now=utc_now()
        )
        return run.id

    async def work(_: Task) -> dict[str, Any]:
        return {"document": document, "record": {"structure": {}, "numbers": ""}}

    task = await database.write(begin)
    await perform(database, task, {"results": work})
    return task


async def test_the_power_is_that_of_the_statistics_page(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client, plan=a_plan(guardrails=[], duration_days=30))

    found = (await ask(client, "power", baselines=GIVEN, units_per_day=100.0)).json()

    # docs/statistics/power.md: an effect of 0.1 at variance 1 needs 3,142 units.
    assert found["units"] == 3_142
    assert found["needs"][0]["effect"] == pytest.approx(0.1)
    assert (found["days"], found["reachable"]) == (32, False)
    assert found["sentence"].startswith("3,142 units are needed, which takes 32 days, but the plan has 30")
    assert 0.1 < found["needs"][0]["detectable"] < 0.11


async def test_looks_weights_arms_and_coverage_are_paid_for(client: httpx2.AsyncClient) -> None:
    await prepare(client, flags=[a_flag()])
    looks = {"kind": "group_sequential", "looks": 4}
    units: list[int] = []
    for key, plan in (
        ("fixed", {}),
        ("looks", {"method": looks}),
        ("always", {"method": {"kind": "always_valid"}}),
    ):
        await make(client, key, plan=a_plan(guardrails=[], **plan))
        answer = await client.post(f"{EXPERIMENTS}/{key}/power", json={"baselines": GIVEN})
        units.append(answer.json()["units"])
    arms = [{"key": "old"}, {"key": "new", "weight": 3.0}]
    await make(client, "uneven", arms=arms, plan=a_plan(guardrails=[], coverage=0.5))

    uneven = await client.post(
        f"{EXPERIMENTS}/uneven/power", json={"baselines": GIVEN, "units_per_day": 1_000.0}
    )

    # docs/statistics/power.md again: four looks need 3,202 at most.
    assert units[:2] == [3_142, 3_202]
    assert 3_900 < units[2] < 6_000
    assert uneven.json()["units"] == pytest.approx(3_142 / (4 * 0.25 * 0.75), rel=0.01)
    assert uneven.json()["days"] == 9


async def test_a_guardrail_is_sized_by_its_margin(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client, plan=a_plan(guardrails=[{"metric": "refunds", "margin": 0.1, "relative": False}]))

    needs = (await ask(client, "power", baselines=GIVEN)).json()["needs"]

    # Non-inferiority at one side of 2.5 %: the same drift as a two-sided test of 5 %.
    assert [(need["role"], need["units"]) for need in needs] == [("goal", 3_142), ("guardrail", 3_142)]


async def test_what_is_not_known_is_asked_for(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client)

    unknown = await ask(client, "power", baselines={"orders": GIVEN["orders"]})
    pace = await ask(client, "recommendation", baselines=GIVEN)

    assert (unknown.status_code, unknown.json()["code"]) == (422, "not_computable")
    assert "nothing is known of 'refunds'" in unknown.json()["detail"]
    assert "give `units_per_day`" in pace.json()["detail"]


async def test_figures_come_from_the_newest_result_that_measures_the_metric(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await prepare(client)
    await make(client, "earlier")
    await with_result(database, "earlier")
    await make(client)

    found = (await ask(client, "power", units_per_day=500.0)).json()

    assert [(need["source"], need["mean"]) for need in found["needs"]] == [("earlier", 0.1), ("earlier", 0.1)]
    assert found["needs"][0]["variance"] == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("asked", "method", "word"),
    [
        ({}, "group_sequential", "on average"),
        ({"watch_continuously": True}, "always_valid", "any moment"),
        ({"deadline_days": 32}, "fixed", "32 days are enough"),
        ({"deadline_days": 5}, None, "No method is done within 5 days"),
    ],
)
async def test_the_recommended_method_fits_traffic_and_deadline(
    client: httpx2.AsyncClient, asked: dict[str, Any], method: str | None, word: str
) -> None:
    await prepare(client)
    await make(client, plan=a_plan(guardrails=[], alpha=0.05))

    answer = await ask(client, "recommendation", baselines=GIVEN, units_per_day=100.0, **asked)

    found = answer.json()
    options = {option["method"]: option for option in found["options"]}
    assert found["recommended"] == method
    assert word in found["sentence"]
    assert options["fixed"]["days"] == options["fixed"]["expected_days"] == 32
    assert options["group_sequential"]["expected_days"] < 32 < options["group_sequential"]["days"]
    assert options["always_valid"]["expected_days"] < options["always_valid"]["days"]
    assert all(option["price"] for option in options.values())


async def levels(client: httpx2.AsyncClient, key: str = "shorter") -> dict[str, str]:
    found = (await client.get(f"{EXPERIMENTS}/{key}/readiness")).json()
    return {check["check"]: check["level"] for check in found["checks"]}


async def test_a_plan_on_nothing_is_blocked_at_each_gap(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client, plan={})

    found = (await client.get(f"{EXPERIMENTS}/shorter/readiness")).json()

    blocking = {check["check"] for check in found["checks"] if check["level"] == "blocking"}
    assert not found["ready"]
    assert blocking == {"goals", "flag", "rule"}
    assert all(check["way_out"] for check in found["checks"] if check["level"] != "ok")


async def test_a_careful_plan_is_ready(client: httpx2.AsyncClient, database: Database) -> None:
    await prepare(client)
    await make(client, "a-a", tags=["aa"])
    await moved(client, "start", "a-a")
    await with_result(database, "a-a")
    await moved(client, "complete", "a-a", outcome="ROLLED_BACK")
    await make(client)

    found = await levels(client)

    assert set(found.values()) <= {"ok", "warning"}
    assert {check for check, level in found.items() if level == "warning"} == {"power"}


async def test_an_a_a_experiment_that_found_something_is_a_warning(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await prepare(client)
    await make(client, "a-a", tags=["aa"])
    await with_result(database, "a-a", p_value=0.001)
    await make(client)

    assert (await levels(client))["a_a"] == "warning"


@pytest.mark.parametrize(
    ("plan", "ruleset", "check", "sentence"),
    [
        ({"flag": "none"}, {}, "flag", "does not serve flag 'none'"),
        ({}, {"flags": [a_flag() | {"enabled": False}]}, "flag", "is off"),
        (
            {},
            {"flags": [a_flag("form", {"id": "all", "serve": {"variant": "new"}})]},
            "rule",
            "serves everyone",
        ),
        ({"targeting": {"segment": "none"}}, {}, "rule", "no segment 'none'"),
        ({"above": "none"}, {}, "rule", "has no rule 'none'"),
        ({"layer": "none"}, {}, "layer", "has no layer 'none'"),
        ({"layer": "checkout", "unit": "account"}, {"layers": [a_layer()]}, "layer", "divides targetingKey"),
        ({"holdouts": ["none"]}, {}, "holdouts", "has no holdout 'none'"),
        ({"method": {"kind": "group_sequential"}, "duration_days": None}, {}, "duration", "has no duration"),
    ],
)
async def test_each_blocking_check_says_what_is_wrong(
    client: httpx2.AsyncClient, plan: dict[str, Any], ruleset: dict[str, Any], check: str, sentence: str
) -> None:
    await prepare(client, **ruleset)
    await make(client, plan=a_plan(**plan))

    found = (await client.get(f"{EXPERIMENTS}/shorter/readiness")).json()

    told = next(each for each in found["checks"] if each["check"] == check)
    assert (found["ready"], told["level"]) == (False, "blocking")
    assert sentence in told["sentence"]
    start = await client.post(f"{EXPERIMENTS}/shorter/start", json={}, headers={"If-Match": "*"})
    assert (start.status_code, start.json()["code"]) == (409, "not_ready")


async def test_a_rule_above_the_one_that_takes_everybody_is_reached(client: httpx2.AsyncClient) -> None:
    await prepare(client, flags=[a_flag("form", {"id": "all", "serve": {"variant": "new"}})])
    await make(client, plan=a_plan(above="all"))

    assert (await levels(client))["rule"] == "ok"


async def test_templates_are_plans_by_name(client: httpx2.AsyncClient) -> None:
    place = f"{PROJECT}/experiment-templates/careful"
    await client.put(place, json={"plan": a_plan()})
    await client.put(place, json={"description": "For forms.", "plan": a_plan(alpha=0.01)})

    found = (await client.get(place)).json()
    listed = (await client.get(f"{PROJECT}/experiment-templates")).json()["items"]
    await client.delete(place)
    gone = await client.get(place)

    assert (found["description"], found["plan"]["alpha"]) == ("For forms.", 0.01)
    assert listed == [found]
    assert (gone.status_code, gone.json()["code"]) == (404, "template_not_found")


async def test_a_decision_rests_on_a_finished_result(client: httpx2.AsyncClient, database: Database) -> None:
    await prepare(client)
    await make(client)
    result = str(await with_result(database, "shorter"))
    place = f"{EXPERIMENTS}/shorter/decisions"

    decided = await client.post(
        place, json={"decision": "ship", "arm": "new", "result": result, "note": "clear"}
    )
    unknown = await client.post(place, json={"decision": "ship", "result": str(uuid.uuid4())})
    strange = await client.post(place, json={"decision": "iterate", "arm": "none"})
    await client.post(f"{EXPERIMENTS}/shorter/comments", json={"text": "Well done."})

    entries = (await client.get(f"{EXPERIMENTS}/shorter/log")).json()["items"]
    assert decided.json()["body"] == {"decision": "ship", "arm": "new", "result": result}
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_result")
    assert (strange.status_code, strange.json()["code"]) == (422, "invalid_design")
    assert [(entry["kind"], entry["note"]) for entry in entries] == [
        ("commented", "Well done."),
        ("decided", "clear"),
    ]


async def test_the_archive_is_found_by_words_state_tag_and_outcome(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client, "shorter", tags=["checkout"])
    await make(client, "longer", plan=a_plan(hypothesis="More fields, better orders."))
    await moved(client, "start", "shorter")
    await moved(client, "complete", "shorter", outcome="ROLLED_BACK")
    learnings = {"learnings": "Nobody reads the small print."}
    await client.patch(f"{EXPERIMENTS}/shorter", json=learnings, headers={"If-Match": "*"})

    async def found(**query: str) -> list[str]:
        answer = await client.get(EXPERIMENTS, params=query)
        return [item["key"] for item in answer.json()["items"]]

    assert await found(search="small pri") == ["shorter"]
    assert await found(search="fields") == ["longer"]
    assert await found(search="form") == ["shorter", "longer"]
    assert await found(state="DRAFT") == ["longer"]
    assert await found(tag="checkout") == ["shorter"]
    assert await found(outcome="ROLLED_BACK") == ["shorter"]
    assert await found(search="form", outcome="SHIPPED") == []


async def test_without_a_result_the_events_themselves_tell(
    serve_over: ServeOver, committing_database: Database
) -> None:
    async with serve_over(committing_database) as client:
        found, advised = await foreseen(client)

    (need,) = found["needs"]
    assert (need["source"], need["mean"]) == ("recent events", pytest.approx(0.2))
    assert need["variance"] == pytest.approx(0.16 * 400 / 399)
    assert found["units_per_day"] == pytest.approx(400 / 9.5)
    assert advised["recommended"] is not None
    assert advised["priors"] == []


async def foreseen(client: httpx2.AsyncClient) -> tuple[dict[str, Any], dict[str, Any]]:
    """Power and recommendation of a plan in a project that has events and no result."""
    project = "/api/v1/projects/foreseen"
    (await client.post("/api/v1/projects", json={"key": "foreseen", "name": "F"})).raise_for_status()
    await prepare(client, project=project)
    draft = a_planned_experiment(plan=a_plan(guardrails=[]))
    (await client.post(f"{project}/experiments", json=draft)).raise_for_status()
    now = utc_now()

    def event(unit: int, name: str, days: float) -> dict[str, Any]:
        at = (now - timedelta(days=days)).isoformat()
        return {"kind": "event", "name": name, "unit": f"u{unit}", "at": at}

    visits = [event(unit, "visits", 1 + unit % 10) for unit in range(400)]
    orders = [event(unit, "orders", 0.5 + unit % 10) for unit in range(0, 400, 5)]
    sent = await client.post("/api/v1/events?project=foreseen", json=[*visits, *orders])
    assert sent.json()["accepted"] == 480

    place = f"{project}/experiments/shorter"
    power = (await client.post(f"{place}/power", json={})).json()
    return power, (await client.post(f"{place}/recommendation", json={})).json()


async def test_the_traffic_of_others_tells_how_many_units_come(
    serve_over: ServeOver, committing_database: Database
) -> None:
    project = "/api/v1/projects/busy"
    watched = {
        "key": "watched", "name": "W", "arms": [{"key": "a"}, {"key": "b"}], "control": "a", "metrics": [],
    }  # fmt: skip
    seen = [
        {
            "kind": "exposure", "experiment": "watched", "variant": "ab"[number % 2], "unit": f"u{number}",
            "at": (utc_now() - timedelta(hours=number)).isoformat(),
        }
        for number in range(49)
    ]  # fmt: skip

    async with serve_over(committing_database) as client:
        (await client.post("/api/v1/projects", json={"key": "busy", "name": "B"})).raise_for_status()
        await prepare(client, project=project)
        for body in (watched, a_planned_experiment(plan=a_plan(guardrails=[]))):
            (await client.post(f"{project}/experiments", json=body)).raise_for_status()
        (await client.post("/api/v1/events?project=busy", json=seen)).raise_for_status()
        place, known = f"{project}/experiments/shorter", {"baselines": GIVEN}
        advised = (await client.post(f"{place}/recommendation", json=known)).json()
        power = (await client.post(f"{place}/power", json=known)).json()
        given = (await client.post(f"{place}/power", json=known | {"units_per_day": 100.0})).json()

    assert advised["units_per_day"] == power["units_per_day"] == pytest.approx(24.5, rel=1e-3)
    assert advised["units_per_day_source"] == power["units_per_day_source"] == "recent traffic"
    assert given["units_per_day_source"] == "given"
    assert advised["recommended"] is not None
