"""Bandits: which split the next epoch gets, what the flag then serves, and what stays."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.database import Database, ReadSession
from assay.experiments.allocating import ArmSeen, Moves, Seen, Stays, Unseen, decided
from assay.experiments.handlers import tick
from assay.experiments.plan import Bandit
from assay.experiments.reweighing import Wanted
from assay_stats.results import Direction

from .factories import EXPERIMENTS, RULESET, a_plan, assignments, attempt, log, make, moved, prepare, served

pytestmark = pytest.mark.anyio
ARMS = ["old", "new"]
HIGHER, LOWER = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER
BANDIT = {"bandit": {"every_hours": 24, "least_units": 100}, "sticky": True}


def a_bandit(**parts: Any) -> Bandit:
    return Bandit.model_validate(parts)


def seen(**arms: tuple[int, float]) -> Seen:
    """Units and mean of each arm; all of them new."""
    found = {key: ArmSeen(units, mean, 1.0, units) for key, (units, mean) in arms.items()}
    return Seen("a result", "proportion", found)


counts = st.integers(100, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(
    arms=st.lists(counts, min_size=2, max_size=5),
    floor=st.floats(0.001, 0.2),
    rule=st.sampled_from([{"kind": "thompson"}, {"kind": "top_two", "leader_share": 0.6}]),
    kind=st.sampled_from(["proportion", "mean", "count"]),
)
@settings(max_examples=60, deadline=None)
def test_weights_sum_to_one_keep_the_floor_and_flip_with_the_direction(
    arms: list[tuple[int, int]], floor: float, rule: Mapping[str, Any], kind: str
) -> None:
    keys = [f"arm{number}" for number in range(len(arms))]
    units = dict(zip(keys, arms, strict=True))
    known, flipped = (
        Seen("r", kind, {key: ArmSeen(n, abs(less - k / n), 0.4, n) for key, (n, k) in units.items()})
        for less in (0, 1)
    )
    bandit = a_bandit(floor=floor, rule=dict(rule))

    found = decided(bandit, known, arms=keys, direction=HIGHER)
    other = decided(bandit, flipped, arms=keys, direction=LOWER)

    assert isinstance(found, Moves)
    assert isinstance(other, Moves)
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert min(found.weights.values()) >= floor - 1e-9
    assert found.weights == pytest.approx(other.weights, abs=1e-6)


def test_the_better_arm_gets_more_and_lower_may_be_better() -> None:
    known = seen(old=(1000, 0.10), new=(1000, 0.14))

    more = decided(a_bandit(), known, arms=ARMS, direction=HIGHER)
    less = decided(a_bandit(), known, arms=ARMS, direction=LOWER)

    assert isinstance(more, Moves)
    assert isinstance(less, Moves)
    assert more.weights["new"] > 0.9
    assert less.weights["new"] == pytest.approx(more.weights["old"], abs=1e-9)
    assert more.chances["new"] > 0.99


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (Unseen("there is no result yet"), "there is no result yet"),
        (seen(old=(1000, 0.1), new=(99, 0.2)), "arm 'new' has 99 units since the weights moved last"),
        (seen(old=(1000, 0.1)), "says nothing of arm 'new'"),
        (
            Seen("r", "mean", {arm: ArmSeen(500, 0.0, 0.0, 500) for arm in ARMS}),
            "varies in neither variant",
        ),
    ],
)
def test_what_is_not_known_moves_nothing_and_says_why(known: Seen | Unseen, sentence: str) -> None:
    found = decided(a_bandit(), known, arms=ARMS, direction=HIGHER)

    assert isinstance(found, Stays)
    assert sentence in found.reason


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"sticky": False}, "set `sticky`"),
        ({"analysis_unit": "company"}, "leave `analysis_unit` out"),
        ({"method": {"kind": "group_sequential"}}, "read by the method 'fixed', not 'group_sequential'"),
        ({"method": {"kind": "bayesian"}}, "not 'bayesian'"),
        ({"switchback": {"window_minutes": 60}, "sticky": False}, "set `sticky`"),
    ],
)
async def test_a_plan_that_cannot_be_a_bandit_is_refused(
    client: httpx2.AsyncClient, parts: dict[str, Any], sentence: str
) -> None:
    await prepare(client)

    answer = await client.post(
        EXPERIMENTS,
        json={
            "key": "shorter",
            "name": "Shorter",
            "arms": [{"key": "old"}, {"key": "new"}],
            "control": "old",
            "plan": a_plan(**(BANDIT | parts)),
        },
    )

    assert answer.status_code == 422
    assert sentence in answer.text


@pytest.mark.parametrize(
    ("bandit", "goal", "sentence"),
    [
        ({"floor": 0.5}, "orders", None),
        ({"floor": 0.5}, "half", "is a ratio, which has no posterior here"),
    ],
)
async def test_readiness_says_what_weights_would_follow(
    client: httpx2.AsyncClient, bandit: dict[str, Any], goal: str, sentence: str | None
) -> None:
    await prepare(client)
    ratio = {"kind": "ratio", "numerator": {"event": "a"}, "denominator": {"event": "b"}}
    await client.post(
        "/api/v1/projects/default/metrics", json={"key": "half", "name": "h", "definition": ratio}
    )
    await make(client, plan=a_plan(bandit=bandit, sticky=True, goals=[{"metric": goal}]))

    answer = await attempt(client, "start")

    assert (answer.status_code == 200) == (sentence is None)
    assert sentence is None or sentence in answer.text


async def test_a_floor_that_three_arms_cannot_share_keeps_it_from_starting(
    client: httpx2.AsyncClient,
) -> None:
    await prepare(client)
    flag = {"key": "form", "type": "string", "fallthrough": {"variant": "old"}, "off": "old"}
    variants = {"old": "a", "new": "b", "third": "c"}
    body = {"format": "assay.datafile/1", "flags": [flag | {"variants": variants}]}
    await client.post(RULESET, json=body)
    await make(
        client,
        arms=[{"key": key} for key in variants],
        plan=a_plan(bandit={"floor": 0.4}, sticky=True),
    )

    answer = await attempt(client, "start")

    assert "Take one of at most 0.333" in answer.text


def better(units: int = 1000) -> Any:
    """What is known: the new arm is better."""

    async def known(_tx: ReadSession, wanted: Wanted) -> Seen:
        assert wanted.metric == "orders"
        return seen(old=(units, 0.10), new=(units, 0.15))

    return known


async def begun(client: httpx2.AsyncClient, **parts: Any) -> datetime:
    await prepare(client)
    await make(client, plan=a_plan(**(BANDIT | parts)))
    return datetime.fromisoformat((await moved(client, "start"))["started_at"]).astimezone(UTC)


async def epochs(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    return (await client.get(f"{EXPERIMENTS}/shorter/epochs")).json()["items"]


def share_of_new(answers: Mapping[str, Any]) -> float:
    exposed = [answer.variant for answer in answers.values() if answer.is_exposure]
    return exposed.count("new") / len(exposed)


async def test_an_epoch_moves_the_weights_that_the_flag_serves(
    client: httpx2.AsyncClient, database: Database
) -> None:
    start = await begun(client)

    before = share_of_new(assignments(await served(client)))
    done = await tick(database, start + timedelta(hours=24), known=better())

    first, second = await epochs(client)
    assert done == 1
    assert (first["weights"], first["reason"]) == ({"old": 0.5, "new": 0.5}, "the plan's weights")
    assert (second["number"], second["moved"]) == (2, True)
    assert second["basis"]["chances"]["new"] > 0.99
    assert second["weights"]["new"] == pytest.approx(0.95, abs=0.01)
    assert before == pytest.approx(0.5, abs=0.05)
    assert share_of_new(assignments(await served(client))) == pytest.approx(0.95, abs=0.03)
    assert (await log(client))[-1] == "experiment.reweighed"
    entry = (await client.get(f"{EXPERIMENTS}/shorter/log", params={"kind": "reweighed"})).json()["items"][0]
    assert entry["body"]["to"] == second["weights"]


async def test_an_epoch_without_a_result_says_so_and_the_next_one_tries_again(
    client: httpx2.AsyncClient, database: Database
) -> None:
    start = await begun(client)

    for days in (1, 2):
        await tick(database, start + timedelta(days=days))
    await tick(database, start + timedelta(days=3), known=better())

    found = await epochs(client)
    assert [epoch["moved"] for epoch in found] == [True, False, False, True]
    assert found[1]["reason"] == "no analysis runs beside this clock"
    assert found[1]["weights"] == found[0]["weights"]


async def test_pausing_stops_the_epochs_and_resuming_goes_on_with_the_weights_of_before(
    client: httpx2.AsyncClient, database: Database
) -> None:
    start = await begun(client)
    await tick(database, start + timedelta(days=1), known=better())

    await moved(client, "pause")
    paused = await tick(database, start + timedelta(days=9), known=better())
    resting = assignments(await served(client))
    await moved(client, "resume")
    resumed = assignments(await served(client))

    assert paused == 0
    assert not any(answer.is_exposure for answer in resting.values())
    assert {unit: each.variant for unit, each in resting.items()} == {
        unit: each.variant for unit, each in resumed.items()
    }
    assert share_of_new(resumed) > 0.9
    due = (await client.get(f"{EXPERIMENTS}/shorter/schedule")).json()["items"]
    assert [each["state"] for each in due if each["action"] == "reweigh"].count("WAITING") == 1


async def test_a_rule_that_somebody_took_out_leaves_the_weights_and_says_so(
    client: httpx2.AsyncClient, database: Database
) -> None:
    start = await begun(client)
    body = await client.get(RULESET)
    document = body.json()
    document["flags"][0]["rules"] = []
    answer = await client.post(RULESET, json=document)
    assert answer.status_code == 200, answer.text

    await tick(database, start + timedelta(days=1), known=better())

    last = (await epochs(client))[-1]
    assert (last["moved"], last["weights"]["new"]) == (False, 0.5)
    assert "the flag could not be changed: somebody has taken the rule" in last["reason"]


async def test_coverage_and_weights_do_not_disturb_each_other(
    client: httpx2.AsyncClient, database: Database
) -> None:
    start = await begun(client, coverage=0.4)
    before = {unit for unit, each in assignments(await served(client)).items() if each.is_exposure}

    await tick(database, start + timedelta(days=1), known=better())

    answers = assignments(await served(client))
    after = {unit for unit, each in answers.items() if each.is_exposure}
    assert before == after
    assert len(after) == pytest.approx(800, abs=90)
    # Who was not covered learns nothing of an arm by it: more coverage splits them by the new weights.
    await moved(client, "coverage", coverage=1.0)
    added = {unit: each for unit, each in assignments(await served(client)).items() if unit not in after}
    assert share_of_new(added) == pytest.approx(0.95, abs=0.03)


async def test_weights_stay_from_the_planned_moment_on(
    client: httpx2.AsyncClient, database: Database
) -> None:
    until = datetime.now(UTC) + timedelta(days=1, hours=12)
    start = await begun(client, bandit={"least_units": 100, "until": until.isoformat()})

    settled = [await tick(database, start + timedelta(days=days), known=better()) for days in (1, 2, 3)]

    assert settled == [1, 0, 0]
    assert len(await epochs(client)) == 2


async def test_a_new_phase_begins_its_own_epochs(client: httpx2.AsyncClient, database: Database) -> None:
    start = await begun(client)
    await tick(database, start + timedelta(days=1), known=better())

    await moved(client, "restart", reason="a new try", weights={"old": 3, "new": 1})

    found = await epochs(client)
    assert [(each["phase"], each["number"]) for each in found] == [(1, 1), (1, 2), (2, 1)]
    assert found[-1]["weights"] == {"old": 0.75, "new": 0.25}


async def test_what_was_due_makes_one_epoch_however_often_one_looks(
    client: httpx2.AsyncClient, database: Database
) -> None:
    start = await begun(client)

    found = [await tick(database, start + timedelta(days=1), known=better()) for _ in range(2)]

    assert found == [1, 0]
    assert len(await epochs(client)) == 2
