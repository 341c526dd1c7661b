"""Whole journeys of a plan hold what it promises: from the engine's assignment to the decision, look by look.

A shop whose truth is known is walked through by hundreds of seeds. Visitors are assigned by the rule that an
experiment writes into its flag, what they do stands in tables like those of the lake, and each look goes the
product's whole way: plan, one pass of DuckDB, intervals by the plan's method, decision. A journey ends where
something is settled. Frequencies are held against exact binomial bounds that kept promises break with a
probability of at most one in a thousand, for all claims of a run together.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any

import ibis
import numpy as np
import pytest

from assay.analysis.document import Claim, Document
from assay.analysis.experiment import measure_events, plan_of
from assay.analysis.record import concluded
from assay.experiments.past import Baseline
from assay.experiments.plan import Plan
from assay.experiments.schemas import ExperimentOut
from assay.experiments.sizing import Split, needs
from assay.experiments.splitting import Assigned, running
from assay.sources.service import local_engine
from assay_engine import CompiledRuleset, Context, Flag, FlagType, Ruleset, compile_ruleset, evaluate
from assay_engine.model import ServeVariant, Variant
from assay_stats.calibration.acceptance import Kind, acceptance

from .measuring import START, Row, a_metric, table_of

MEAN, SD, LIFT = 20.0, 10.0, 0.075
DAYS = 6
ALPHA, POWER = 0.05, 0.8
FALSE_ALARM, CLAIMS = 1e-3, 2
METRIC = a_metric("spent", kind="mean", event="order")
METHODS: dict[str, dict[str, Any]] = {
    "fixed": {"kind": "fixed"},
    "group_sequential": {"kind": "group_sequential", "looks": 3},
    "always_valid": {"kind": "always_valid"},
    # Hardly any prior: its interval then excludes 0 about as often as a fixed one.
    "bayesian": {"kind": "bayesian", "prior": {"standard_deviation": 1.0}, "ship_above": 0.975},
}
LOOKS = {
    "fixed": (DAYS,),
    "group_sequential": (2, 4, DAYS),
    "always_valid": (1, 2, 4, DAYS),
    "bayesian": (DAYS,),
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a journey ended.

    Attributes:
        day: Of the look that ended it.
        side: Of what was settled: 1 better, -1 worse, 0 nothing.
    """

    day: int
    side: int
    verdict: str | None


def test_10_group_sequential_journeys_keep_their_promises() -> None:
    check("group_sequential", seeds=10)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_500_group_sequential_journeys_keep_their_promises() -> None:
    check("group_sequential", seeds=500, workers=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", ["fixed", "always_valid", "bayesian"])
def test_100_journeys_of_each_other_method_keep_their_promises(method: str) -> None:
    check(method, seeds=100, workers=2)


def check(method: str, *, seeds: int, workers: int = 1) -> None:
    """Holds what so many journeys without and with an effect ended with against what the plan promises."""
    nothing, something = (journeys(method, lift, seeds=seeds, workers=workers) for lift in (0.0, LIFT))
    false_findings = np.mean([ending.side != 0 for ending in nothing])
    power = np.mean([ending.side == 1 for ending in something])
    wasted = {ending.verdict for ending in nothing if ending.side == 0}
    print(f"{method}: {seeds} seeds, false {false_findings:.3f}, power {power:.3f}")  # noqa: T201 — the figures

    # A sequence that holds at any moment spends part of its error rate on moments at which nobody looks.
    promise = Kind.AT_MOST if method == "always_valid" else Kind.EQUAL
    assert within(float(false_findings), ALPHA, promise, seeds=seeds)
    assert within(float(power), POWER, Kind.EQUAL, seeds=seeds)
    assert all(ending.verdict == "ship" for ending in something if ending.side == 1)
    assert wasted <= {"do_not_ship", "keep_going"}


def within(share: float, target: float, kind: Kind, *, seeds: int) -> bool:
    bounds = acceptance(kind, target=target, slack=0.01, trials=seeds, false_alarm=FALSE_ALARM / CLAIMS)
    return bounds.accept(share)


def journeys(method: str, lift: float, *, seeds: int, workers: int) -> list[Ending]:
    """How each seed's journey ended."""
    walk = partial(journey, method, lift)
    if workers == 1:
        return [walk(seed) for seed in range(seeds)]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(walk, range(seeds), chunksize=10))


def journey(method: str, lift: float, seed: int) -> Ending:
    """From the first visitor to the look that settles something, or to the last."""
    events = a_shop(method, lift, np.random.default_rng([seed, round(1000 * lift)]), salt=f"salt {seed}")
    ending = Ending(0, 0, None)
    for day in LOOKS[method]:
        ending = looked_at(method, events, day)
        if ending.side:
            break
    return ending


def looked_at(method: str, events: Sequence[Row], day: int) -> Ending:
    """What a look at the end of a day says, by all that has happened until then."""
    now = START + timedelta(days=day)
    seen = table_of(row for row in events if row["at"] < now)
    engine = local_engine()
    table = engine.create_table("events", ibis.memtable(seen), temp=True)
    plan = plan_of(an_experiment(method), [METRIC], now=now)
    record = measure_events({None: table}, plan, shows_sql=False)
    engine.disconnect()
    return ended(concluded(record), day)


def ended(document: Document, day: int) -> Ending:
    claim = claim_of(document)
    side = 0 if not claim.is_settled else 1 if (claim.low or 0.0) > 0 else -1
    return Ending(day, side, document.decisions[0].verdict)


def claim_of(document: Document) -> Claim:
    claim = document.metrics[0].comparisons[0].claim
    assert claim is not None
    return claim


def a_shop(method: str, lift: float, rng: np.random.Generator, *, salt: str) -> list[Row]:
    """Exposures and orders of all visitors; some are exposed again, some order before their exposure."""
    count = int(rng.poisson(visitors(method)))
    arms = [assigned_by(ruleset(salt), f"visitor {number}") for number in range(count)]
    hours = np.sort(rng.uniform(0, 24 * DAYS - 0.1, count))
    means = np.where(np.array(arms) == "new", MEAN * (1 + lift), MEAN)
    values = rng.normal(means, SD)
    rows = [
        row
        for number, (arm, hour, value) in enumerate(zip(arms, hours, values, strict=True))
        for row in visit(number, arm, float(hour), float(value))
    ]
    return [rows[int(place)] for place in rng.permutation(len(rows))]


def visit(number: int, arm: str, hour: float, value: float) -> Sequence[dict[str, Any]]:
    """What one visitor does."""
    unit = f"visitor {number}"
    exposed = {"kind": "exposure", "name": "e", "unit": unit, "variant": arm, "at": at(hour)}
    bought = {"kind": "event", "name": "order", "unit": unit, "value": value, "at": at(hour + 0.05)}
    rows = [exposed | {"event_id": f"{number} e"}, bought | {"event_id": f"{number} o"}]
    if number % 5 == 0:
        rows.append(exposed | {"event_id": f"{number} again", "at": at(hour + 0.09)})
        rows.append(bought | {"event_id": f"{number} before", "at": at(hour - 1), "value": 1000.0})
    return rows


def at(hour: float) -> Any:
    return START + timedelta(hours=hour)


@cache
def visitors(method: str) -> int:
    """As many as the product says that the plan needs."""
    known = {"spent": Baseline("spent", MEAN, SD**2, "given")}
    (need,) = needs(a_plan(method), Split.of({"old": 1.0, "new": 1.0}, "old"), known, None)
    assert need.units is not None
    return need.units


def a_plan(method: str) -> Plan:
    return Plan.model_validate(
        {
            "flag": "form",
            "goals": [{"metric": "spent", "smallest_effect": LIFT}],
            "method": METHODS[method],
            "alpha": ALPHA,
            "power": POWER,
            "duration_days": DAYS,
        }
    )


@cache
def an_experiment(method: str) -> ExperimentOut:
    """A running experiment by the plan."""
    phase: dict[str, Any] = {
        "number": 1, "salt": "", "coverage": 1.0, "plan_hash": "", "frozen": {"plan": a_plan(method)},
        "started_at": START, "ended_at": None,
    }  # fmt: skip
    return ExperimentOut.model_validate(
        {
            "key": "e", "name": "E", "description": "", "arms": [{"key": "old"}, {"key": "new"}],
            "control": "old", "assignments": {"source": "exposures"}, "metrics": ["spent"],
            "known_effects": {}, "created_at": START, "updated_at": START, "state": "ACTIVE",
            "plan": a_plan(method), "phase": phase, "started_at": START,
        }
    )  # fmt: skip


@cache
def ruleset(salt: str) -> CompiledRuleset:
    """What is served while the experiment runs: its rule in its flag."""
    rule = running(Assigned("e", "E", salt, ("targetingKey",), [("old", 1.0), ("new", 1.0)], 1.0))
    variants = (Variant("old", "long"), Variant("new", "short"))
    flag = Flag("form", FlagType.STRING, variants, True, (rule,), ServeVariant("old"), "old")
    return compile_ruleset(Ruleset(flags=(flag,)))


def assigned_by(served: CompiledRuleset, visitor: str) -> str:
    """The arm that the engine gives a visitor."""
    found = evaluate(served, "form", Context.of(visitor, {}), now=START)
    assert found.experiment == "e"
    assert found.variant is not None
    return found.variant
