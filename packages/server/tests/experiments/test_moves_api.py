"""An experiment's moves over HTTP: what the flag serves, what is logged, what is refused."""

from typing import Any

import httpx2
import pytest

from assay.experiments.lifecycle import TABLE, Move, State
from assay_engine.parsing import FORMAT

from .factories import (
    EXPERIMENTS,
    PROJECT,
    a_flag,
    a_layer,
    a_plan,
    assignments,
    attempt,
    evaluated,
    log,
    make,
    moved,
    prepare,
    served,
)

pytestmark = pytest.mark.anyio

MOVES: dict[Move, dict[str, Any]] = {
    Move.START: {},
    Move.PAUSE: {},
    Move.RESUME: {},
    Move.COVER: {"coverage": 0.9},
    Move.DEVIATE: {"reason": "a question came up", "secondary": ["visits"]},
    Move.RESTART: {"reason": "the form was broken"},
    Move.COMPLETE: {"outcome": "ROLLED_BACK"},
}
PATHS = {Move.COVER: "coverage", Move.DEVIATE: "deviations"}
WAYS: dict[State, list[Move]] = {
    State.DRAFT: [],
    State.ACTIVE: [Move.START],
    State.PAUSED: [Move.START, Move.PAUSE],
    State.COMPLETED: [Move.START, Move.COMPLETE],
}


async def an_experiment_in(client: httpx2.AsyncClient, state: State, **plan: Any) -> dict[str, Any]:
    await prepare(client)
    found = await make(client, plan=a_plan(coverage=0.5, **plan))
    for each in WAYS[state]:
        found = await moved(client, PATHS.get(each, each), **MOVES[each])
    return found


async def everything(client: httpx2.AsyncClient) -> Any:
    """All that a refused move must leave as it was."""
    found = [
        await client.get(f"{EXPERIMENTS}/shorter{part}") for part in ("", "/phases", "/schedule", "/log")
    ]
    ruleset = await client.get(f"{PROJECT}/environments/production/ruleset")
    logged = await client.get(f"{PROJECT}/audit", params={"limit": 500})
    return [answer.json() for answer in (*found, ruleset, logged)]


@pytest.mark.parametrize(("state", "move"), [each for each in TABLE if each[1] in MOVES])
async def test_a_move_of_the_table_leads_where_it_says(
    client: httpx2.AsyncClient, state: State, move: Move
) -> None:
    await an_experiment_in(client, state)

    answer = await attempt(client, PATHS.get(move, move), **MOVES[move])

    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == TABLE[state, move]
    assert agrees(await everything(client))


@pytest.mark.parametrize("state", State)
async def test_every_move_that_is_not_in_the_table_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient, state: State
) -> None:
    await an_experiment_in(client, state)
    before = await everything(client)

    for move in (each for each in MOVES if (state, each) not in TABLE):
        answer = await attempt(client, PATHS.get(move, move), **MOVES[move])

        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_move"), move
        assert state in answer.json()["detail"]
        assert await everything(client) == before, move


def agrees(found: Any) -> bool:
    """Whether state, phase, log and flag tell the same story."""
    experiment, phases, _, logged, ruleset, audit = found
    rules = {rule["id"]: rule for rule in ruleset["flags"][0].get("rules", [])}
    split = rules.get("experiment:shorter", {}).get("serve", {}).get("split")
    expected = {
        "DRAFT": split is None,
        "ACTIVE": split is not None and split.get("experiment") == "shorter",
        "PAUSED": split is not None and "experiment" not in split,
        "COMPLETED": split is None,
    }
    last = experiment["phase"] or {"salt": None, "ended_at": None}
    return (
        expected[experiment["state"]]
        and (split is None or split["salt"] == last["salt"])
        and [phase["ended_at"] is None for phase in phases["items"]][-1:]
        == [experiment["state"] != "COMPLETED"][: len(phases["items"])]
        and logged["items"][0]["body"]["state"]["to"] == experiment["state"]
        and audit["items"][0]["action"] == f"experiment.{logged['items'][0]['kind']}"
    )


async def test_a_start_assigns_units_freezes_the_plan_and_is_logged(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    made = await make(client)

    started = await moved(client, "start", note="go")

    found = assignments(await served(client))
    arms = [answer.variant for answer in found.values()]
    assert (made["state"], started["state"]) == ("DRAFT", "ACTIVE")
    assert 900 < arms.count("new") < 1_100
    assert all(answer.experiment == "shorter" and answer.is_exposure for answer in found.values())
    assert started["phase"]["frozen"]["plan"] == started["plan"]
    assert started["phase"]["frozen"]["metrics"][0] == {
        "key": "orders",
        "version": 1,
        "direction": "increase",
    }
    assert len(started["phase"]["plan_hash"]) == 64
    assert started["departure"] == {"fields": [], "metrics": [], "is_exploratory": False}
    assert await log(client) == ["experiment.created", "experiment.started"]
    flag_log = (await client.get(f"{PROJECT}/audit", params={"subject": "flags/form"})).json()["items"]
    assert flag_log[0]["action"] == "flag.experiment_started"
    assert flag_log[0]["note"] == "go"


async def test_targeting_and_coverage_say_who_takes_part(client: httpx2.AsyncClient) -> None:
    await prepare(
        client,
        segments=[{"id": "pro", "condition": {"attribute": "plan", "operator": "equals", "values": ["pro"]}}],
    )
    await make(client, plan=a_plan(targeting={"segment": "pro"}, coverage=0.2))

    await moved(client, "start")

    ruleset = await served(client)
    exposed = sum(answer.is_exposure for answer in assignments(ruleset, plan="pro").values())
    assert 300 < exposed < 500
    assert not any(answer.is_exposure for answer in assignments(ruleset, plan="free").values())


async def test_a_pause_ends_exposures_and_everybody_keeps_the_variant(client: httpx2.AsyncClient) -> None:
    await an_experiment_in(client, State.ACTIVE)
    before = assignments(await served(client))

    await moved(client, "pause", note="too many errors")
    paused = assignments(await served(client))
    await moved(client, "resume")
    resumed = assignments(await served(client))

    assert {unit: answer.variant for unit, answer in paused.items()} == {
        unit: answer.variant for unit, answer in before.items()
    }
    assert not any(answer.is_exposure for answer in paused.values())
    assert resumed == before


async def test_a_higher_coverage_keeps_everybody_in_their_arm(client: httpx2.AsyncClient) -> None:
    await an_experiment_in(client, State.ACTIVE)
    before = assignments(await served(client))

    raised = await moved(client, "coverage", coverage=0.8)

    after = assignments(await served(client))
    assert raised["phase"]["coverage"] == 0.8
    assert all(after[unit] == answer for unit, answer in before.items() if answer.is_exposure)
    assert 1_500 < sum(answer.is_exposure for answer in after.values()) < 1_700


async def test_coverage_only_rises_within_a_phase(client: httpx2.AsyncClient) -> None:
    await an_experiment_in(client, State.ACTIVE)

    answer = await attempt(client, "coverage", coverage=0.5)

    assert answer.json()["code"] == "coverage_not_raised"
    assert "covers 50.00% already" in answer.json()["detail"]


async def test_a_new_phase_assigns_anew_with_other_weights_and_a_new_digest(
    client: httpx2.AsyncClient,
) -> None:
    started = await an_experiment_in(client, State.ACTIVE)
    before = assignments(await served(client))

    restarted = await moved(client, "restart", reason="a bug", weights={"new": 3.0}, coverage=1.0)

    after = assignments(await served(client))
    phases = (await client.get(f"{EXPERIMENTS}/shorter/phases")).json()["items"]
    stayed = sum(
        after[unit].variant == answer.variant for unit, answer in before.items() if answer.is_exposure
    )
    assert 1_400 < sum(answer.variant == "new" for answer in after.values()) < 1_600
    assert stayed / sum(answer.is_exposure for answer in before.values()) < 0.6
    assert [phase["number"] for phase in phases] == [1, 2]
    assert phases[0]["ended_at"] == phases[1]["started_at"]
    assert phases[0]["plan_hash"] == started["phase"]["plan_hash"] != restarted["phase"]["plan_hash"]


@pytest.mark.parametrize(
    ("body", "variants", "outcome"),
    [
        ({"outcome": "SHIPPED", "arm": "new"}, {"new"}, "SHIPPED"),
        ({"outcome": "ROLLED_BACK"}, {"old"}, "ROLLED_BACK"),
        ({"outcome": "KEPT"}, {"old", "new"}, "KEPT"),
    ],
)
async def test_the_end_leaves_in_the_flag_what_was_decided(
    client: httpx2.AsyncClient, body: dict[str, Any], variants: set[str], outcome: str
) -> None:
    await prepare(client)
    await make(client)
    await moved(client, "start")

    done = await moved(client, "complete", **body)

    found = assignments(await served(client))
    assert {answer.variant for answer in found.values()} == variants
    assert not any(answer.is_exposure for answer in found.values())
    assert (done["state"], done["outcome"]) == ("COMPLETED", outcome)
    assert done["ended_at"] >= done["started_at"]


async def test_a_winner_is_shipped_to_the_targeted_or_to_everyone(client: httpx2.AsyncClient) -> None:
    targeting = {"attribute": "plan", "operator": "equals", "values": ["pro"]}
    await prepare(client, flags=[a_flag(), a_flag("page")])
    for key, flag in (("some", "form"), ("all", "page")):
        await make(client, key, plan=a_plan(targeting=targeting, flag=flag))
        await moved(client, "start", key)

    await moved(client, "complete", "some", outcome="SHIPPED", arm="new")
    await moved(client, "complete", "all", outcome="SHIPPED", arm="new", everyone=True)

    ruleset = await served(client)
    found = {
        (flag, plan): evaluated(ruleset, "u", flag, plan=plan).variant
        for flag in ("form", "page")
        for plan in ("pro", "free")
    }
    assert found == {
        ("form", "pro"): "new", ("form", "free"): "old", ("page", "pro"): "new", ("page", "free"): "new",
    }  # fmt: skip


async def test_shipping_needs_an_arm(client: httpx2.AsyncClient) -> None:
    await an_experiment_in(client, State.ACTIVE)

    nobody = await attempt(client, "complete", outcome="SHIPPED")
    pointless = await attempt(client, "complete", outcome="KEPT", arm="new")

    assert "which is shipped: old, new" in nobody.json()["detail"]
    assert "ships nothing" in pointless.json()["detail"]


async def test_deviations_are_recorded_with_their_reason_and_marked_exploratory(
    client: httpx2.AsyncClient,
) -> None:
    started = await an_experiment_in(client, State.ACTIVE)

    added = await moved(client, "deviations", reason="sales asked", secondary=["visits"])
    longer = await moved(client, "deviations", reason="a holiday", duration_days=28)

    logged = (await client.get(f"{EXPERIMENTS}/shorter/log", params={"kind": "deviated"})).json()["items"]
    assert added["departure"] == {"fields": ["secondary"], "metrics": ["visits"], "is_exploratory": False}
    assert added["metrics"] == ["orders", "visits", "refunds"]
    assert longer["departure"]["fields"] == ["secondary", "duration_days"]
    assert longer["departure"]["is_exploratory"]
    assert longer["phase"]["plan_hash"] == started["phase"]["plan_hash"]
    assert [entry["note"] for entry in logged] == ["a holiday", "sales asked"]
    assert logged[0]["body"]["changes"][0]["path"] == ["duration_days"]


async def test_a_deviation_that_does_not_fit_changes_nothing(client: httpx2.AsyncClient) -> None:
    await an_experiment_in(client, State.ACTIVE)

    twice = await attempt(client, "deviations", reason="r", secondary=["orders"])
    unknown = await attempt(client, "deviations", reason="r", secondary=["none"])

    assert (twice.status_code, twice.json()["code"]) == (422, "invalid_plan")
    assert unknown.json()["code"] == "unknown_metric"
    assert (await client.get(f"{EXPERIMENTS}/shorter")).json()["metrics"] == ["orders", "refunds"]


async def test_only_a_draft_is_deleted(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client)
    await make(client, "running")
    await moved(client, "start", "running")

    gone = await client.delete(f"{EXPERIMENTS}/shorter", headers={"If-Match": "*"})
    kept = await client.delete(f"{EXPERIMENTS}/running", headers={"If-Match": "*"})

    assert gone.status_code == 204
    assert (await client.get(f"{EXPERIMENTS}/shorter")).status_code == 404
    assert (kept.status_code, kept.json()["code"]) == (409, "illegal_move")
    assert (await log(client))[-1] == "experiment.deleted"


async def test_a_move_names_the_version_it_was_made_from(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    made = await make(client)

    missing = await client.post(f"{EXPERIMENTS}/shorter/start", json={})
    await client.patch(f"{EXPERIMENTS}/shorter", json={"name": "New"}, headers={"If-Match": made["etag"]})
    stale = await attempt(client, "start", if_match=made["etag"])

    assert (missing.status_code, missing.json()["code"]) == (428, "version_missing")
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")


async def test_a_pause_needs_no_version(client: httpx2.AsyncClient) -> None:
    await an_experiment_in(client, State.ACTIVE)

    answer = await client.post(f"{EXPERIMENTS}/shorter/pause", json={})

    assert answer.json()["state"] == "PAUSED"


async def test_an_observed_experiment_has_no_moves(client: httpx2.AsyncClient) -> None:
    await client.post(
        EXPERIMENTS,
        json={
            "key": "shorter",
            "name": "S",
            "arms": [{"key": "a"}, {"key": "b"}],
            "control": "a",
            "metrics": [],
        },
    )

    answer = await attempt(client, "start")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_planned")


async def test_arms_and_plan_change_until_the_start(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client)
    tag = {"If-Match": "*"}
    arms = [{"key": "old", "weight": 3.0}, {"key": "new"}]

    patched = await client.patch(f"{EXPERIMENTS}/shorter", json={"arms": arms}, headers=tag)
    planned = await client.put(f"{EXPERIMENTS}/shorter/plan", json=a_plan(secondary=["visits"]), headers=tag)
    await moved(client, "start")
    late = await client.patch(f"{EXPERIMENTS}/shorter", json={"arms": arms}, headers=tag)
    replanned = await client.put(f"{EXPERIMENTS}/shorter/plan", json=a_plan(), headers=tag)

    assert patched.json()["arms"][0]["weight"] == 3.0
    assert planned.json()["metrics"] == ["orders", "visits", "refunds"]
    assert (late.status_code, late.json()["code"]) == (409, "illegal_move")
    assert (replanned.status_code, replanned.json()["code"]) == (409, "illegal_move")


async def test_a_rule_that_somebody_took_out_is_not_put_back_unseen(client: httpx2.AsyncClient) -> None:
    await an_experiment_in(client, State.ACTIVE)
    await client.post(
        f"{PROJECT}/environments/production/ruleset", json={"format": FORMAT, "flags": [a_flag()]}
    )

    paused = await attempt(client, "pause")
    done = await moved(client, "complete", outcome="ROLLED_BACK")

    assert (paused.status_code, paused.json()["code"]) == (409, "rule_missing")
    assert done["state"] == "COMPLETED"


async def test_a_waiting_draft_of_the_flag_gets_the_rule_too(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client)
    place = f"{PROJECT}/flags/form/environments/production"
    tag = (await client.get(place)).headers["etag"]
    rule = {
        "id": "vip",
        "condition": {"attribute": "vip", "operator": "present"},
        "serve": {"variant": "new"},
    }
    await client.patch(f"{place}/draft", json={"rules": [rule]}, headers={"If-Match": tag})

    await moved(client, "start")
    tag = (await client.get(place)).headers["etag"]
    published = await client.post(f"{place}/publish", json={}, headers={"If-Match": tag})

    rules = published.json()["published"]["document"]["rules"]
    assert [each["id"] for each in rules] == ["vip", "experiment:shorter"]


async def test_a_waiting_draft_of_a_layer_keeps_the_slices_of_those_who_started(
    client: httpx2.AsyncClient,
) -> None:
    await prepare(client, layers=[a_layer()])
    await make(client, plan=a_plan(layer="checkout", coverage=0.5))
    place = f"{PROJECT}/environments/production/layers/checkout"
    tag = (await client.get(place)).headers["etag"]
    drafted = {"slices": [{"experiment": "later", "low": 9_000, "high": 10_000}]}
    answer = await client.patch(f"{place}/draft", json=drafted, headers={"If-Match": tag})
    assert answer.status_code == 200, answer.text

    await moved(client, "start")
    tag = (await client.get(place)).headers["etag"]
    published = await client.post(f"{place}/publish", json={}, headers={"If-Match": tag})

    assert published.status_code == 200, published.text
    slices = {(each.experiment, each.low, each.high) for each in (await served(client)).layers[0].slices}
    assert slices == {("later", 9_000, 10_000), ("shorter", 0, 5_000)}


async def test_experiments_of_a_layer_share_no_unit(client: httpx2.AsyncClient) -> None:
    await prepare(client, flags=[a_flag(), a_flag("page")], layers=[a_layer()])
    await make(client, "one", plan=a_plan(layer="checkout", coverage=0.5))
    await make(client, "two", plan=a_plan(layer="checkout", coverage=0.5, flag="page"))
    await moved(client, "start", "one")
    await moved(client, "start", "two")

    ruleset = await served(client)
    one, two = assignments(ruleset), assignments(ruleset, flag="page")
    exposed = [(one[unit].is_exposure, two[unit].is_exposure) for unit in one]
    assert (True, True) not in exposed
    assert (False, False) not in exposed
    assert 900 < sum(first for first, _ in exposed) < 1_100


async def test_a_layer_without_room_keeps_an_experiment_from_starting(client: httpx2.AsyncClient) -> None:
    await prepare(client, layers=[a_layer(slices=[{"experiment": "other", "low": 0, "high": 8_000}])])
    await make(client, plan=a_plan(layer="checkout", coverage=0.5))

    answer = await attempt(client, "start")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert "has 20.00% left" in answer.json()["detail"]


async def test_the_room_of_a_completed_experiment_is_free_again(client: httpx2.AsyncClient) -> None:
    await prepare(client, layers=[a_layer()])
    await make(client, plan=a_plan(layer="checkout"))
    await moved(client, "start")
    before = (await served(client)).layers[0].slices

    await moved(client, "complete", outcome="SHIPPED", arm="new")

    assert [(each.low, each.high) for each in before] == [(0, 10_000)]
    assert (await served(client)).layers[0].slices == ()


async def test_in_a_layer_too_coverage_rises_without_moving_anybody(client: httpx2.AsyncClient) -> None:
    ramp = [{"coverage": 0.1, "hours": 1.0}]
    await prepare(client, layers=[a_layer()])
    await make(client, plan=a_plan(layer="checkout", coverage=0.4, ramp=ramp))
    await moved(client, "start")
    first = assignments(await served(client))
    await moved(client, "coverage", coverage=0.3)
    second = assignments(await served(client))
    await moved(client, "coverage", coverage=0.9)
    third = assignments(await served(client))

    for fewer, more in ((first, second), (second, third)):
        assert all(more[unit] == answer for unit, answer in fewer.items() if answer.is_exposure)
    shares = [
        sum(answer.is_exposure for answer in found.values()) / 2_000 for found in (first, second, third)
    ]
    assert shares == pytest.approx([0.1, 0.3, 0.9], abs=0.04)


async def test_holdouts_keep_their_units_out(client: httpx2.AsyncClient) -> None:
    held: dict[str, Any] = {
        "id": "held",
        "bucketing": {"salt": "h"},
        "range": {"low": 0, "high": 3_000},
        "experiments": [],
    }
    await prepare(client, holdouts=[held])
    await make(client, plan=a_plan(holdouts=["held"]))

    await moved(client, "start")

    ruleset = await served(client)
    found = assignments(ruleset)
    assert ruleset.holdouts[0].experiments == frozenset({"shorter"})
    assert 1_300 < sum(answer.is_exposure for answer in found.values()) < 1_500
    assert all((answer.holdout == "held") is not answer.is_exposure for answer in found.values())


async def test_who_is_held_out_gets_what_is_shipped_when_the_holdout_is_released(
    client: httpx2.AsyncClient,
) -> None:
    held: dict[str, Any] = {"id": "held", "bucketing": {"salt": "h"}, "range": {"low": 0, "high": 3_000}}
    await prepare(client, holdouts=[held])
    await make(client)
    await moved(client, "start")
    await moved(client, "complete", outcome="SHIPPED", arm="new")

    shipped = assignments(await served(client))
    held_out = {unit for unit, answer in shipped.items() if answer.variant != "new"}
    assert 500 < len(held_out) < 700
    assert held_out == {unit for unit, answer in shipped.items() if answer.holdout == "held"}
    address = f"{PROJECT}/environments/production/holdouts/held"
    refused = await client.delete(address, headers={"If-Match": "*"})
    assert (refused.status_code, refused.json()["code"]) == (409, "holdout_in_use")
    released = await client.patch(address, json={"experiments": []}, headers={"If-Match": "*"})
    assert released.status_code == 200, released.text
    assert {answer.variant for answer in assignments(await served(client)).values()} == {"new"}
    assert (await client.delete(address, headers={"If-Match": "*"})).status_code == 204


async def test_a_later_holdout_does_not_take_away_what_was_shipped(client: httpx2.AsyncClient) -> None:
    await prepare(client)
    await make(client)
    await moved(client, "start")
    await moved(client, "complete", outcome="SHIPPED", arm="new")
    later = {"key": "later", "range": {"low": 0, "high": 10_000}}

    made = await client.post(f"{PROJECT}/environments/production/holdouts", json=later)

    assert made.status_code == 201, made.text
    assert {answer.variant for answer in assignments(await served(client)).values()} == {"new"}


async def test_running_experiments_that_meet_the_same_units_are_listed(client: httpx2.AsyncClient) -> None:
    await prepare(client, flags=[a_flag(), a_flag("page")], layers=[a_layer()])
    await make(client, "one", plan=a_plan(layer="checkout", coverage=0.5))
    await make(client, "two", plan=a_plan(layer="checkout", coverage=0.5, flag="page"))
    await make(client, "elsewhere", plan=a_plan(flag="page", unit="account"))
    await moved(client, "start", "one")

    two = (await client.get(f"{EXPERIMENTS}/two/overlaps")).json()["items"]
    elsewhere = (await client.get(f"{EXPERIMENTS}/elsewhere/overlaps")).json()["items"]

    assert two == [
        {
            "experiment": "one", "state": "ACTIVE", "same_flag": False, "same_layer": True, "same_unit": True,
            "excluded": True, "metrics": ["orders", "refunds"],
        }
    ]  # fmt: skip
    assert elsewhere == []
