"""Simulated shops under a holdout: the holdout tells what all that was tried and shipped did together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pytest
import scipy.stats
from msgspec import structs

from assay.analysis.document import Document
from assay.analysis.experiment import plan_of, watch_events
from assay.analysis.holdouts import Part, notes_of, sum_of
from assay.audit.diff import Kind
from assay.audit.schemas import AuditEntryOut, ChangeOut
from assay.experiments.holdouts import Revision, arms_of, gone_at, is_under, share_of, standing_of
from assay.experiments.schemas import ExperimentOut
from assay.experiments.splitting import Assigned, running, shipped
from assay.sources.service import local_engine
from assay_engine import (
    CompiledRuleset,
    Context,
    Flag,
    FlagType,
    HoldoutArm,
    Rule,
    Ruleset,
    compile_ruleset,
    evaluate,
    holdout_experiment,
    holdout_exposures,
)
from assay_engine.model import Bounds, BucketerName, Bucketing, Holdout, Range, ServeVariant, Variant

from .measuring import START, Row, a_metric, after, event, table_of

UNITS, DAYS, SHARE = 2_000, 10, 0.2
NAME = holdout_experiment("production", "quarter")
METRIC = a_metric("spent", kind="mean", event="order")
# The first runs for five days and ships, the second from day three to day eight and is taken back.
ENDS, SECOND = 5, (3, 8)
HOLDOUT = Holdout("quarter", Bucketing("q"), Range(0, 2_000))
RULES = {"first": Assigned("first", "", "1", ("targetingKey",), [("off", 1), ("on", 1)], 1.0)}
RULES["second"] = replace(RULES["first"], experiment="second", salt="2")


def rules_on(day: float) -> Mapping[str, Rule | None]:
    first = running(RULES["first"])
    if day >= ENDS:
        first = shipped(RULES["first"], "on", everyone=False, holdouts=[HOLDOUT])
    return {"first": first, "second": running(RULES["second"]) if SECOND[0] <= day < SECOND[1] else None}


def ruleset_on(day: float) -> CompiledRuleset:
    flags = [
        Flag(
            key=key,
            type=FlagType.BOOLEAN,
            variants=(Variant("off", value=False), Variant("on", value=True)),
            rules=() if rule is None else (rule,),
            fallthrough=ServeVariant("off"),
        )
        for key, rule in rules_on(day).items()
    ]
    return compile_ruleset(Ruleset(tuple(flags), holdouts=(HOLDOUT,), environment="production"))


def a_shop(seed: int, effects: Mapping[str, float]) -> list[Row]:
    """Everybody comes once, is asked for both flags, and buys; who is open gets what runs then."""
    rng, days = np.random.default_rng(seed), [ruleset_on(day) for day in range(DAYS)]
    rows: list[Row] = []
    for number, hours in enumerate(rng.uniform(0, 24 * DAYS, UNITS)):
        context, now = Context.of(f"{seed}/{number}"), after(float(hours))
        given = [evaluate(days[int(hours // 24)], key, context, now=now) for key in effects]
        value = rng.gamma(4.0, 5.0)
        value += sum(effects[each.flag_key] for each in given if each.variant == "on")
        for each in given:
            met = holdout_exposures(days[0].ruleset, each, context)
            rows.extend(
                {
                    "kind": "exposure",
                    "name": one.experiment,
                    "unit": one.unit,
                    "at": now,
                    "variant": one.variant.value,
                }
                for one in met
            )
        rows.append(event("order", f"{seed}/{number}", float(hours) + 0.1, float(value)))
    return rows


def truth(effects: Mapping[str, float]) -> float:
    """Of the open, half had the first until it shipped and then all, and half the second while it ran."""
    first = effects["first"] * (0.5 * ENDS + (DAYS - ENDS)) / DAYS
    return first + effects["second"] * 0.5 * (SECOND[1] - SECOND[0]) / DAYS


def looked_at(rows: Sequence[Row]) -> Document:
    engine = local_engine()
    table = engine.create_table("events", ibis.memtable(table_of(rows)), temp=True)
    reading = {"metrics": ["spent"]}
    source = {"source": "holdout", "environment": "production", "holdout": "quarter", "reading": reading}
    experiment = ExperimentOut.model_validate(
        {
            "key": NAME,
            "name": "Quarter",
            "description": "",
            "arms": arms_of(SHARE),
            "control": HoldoutArm.HELD_OUT.value,
            "assignments": source,
            "metrics": ["spent"],
            "known_effects": {},
            "created_at": START,
            "updated_at": START,
            "started_at": START,
        }
    )
    return watch_events({None: table}, plan_of(experiment, [METRIC], now=after(24 * DAYS)))


def missed(effects: Mapping[str, float], seeds: range) -> tuple[int, float]:
    """How often the interval misses the truth, and how far the estimates are from it in their mean."""
    wrong, far = 0, list[float]()
    for seed in seeds:
        document = looked_at(a_shop(seed, effects))
        claim = document.metrics[0].comparisons[0].claim
        assert claim is not None
        assert claim.low is not None
        assert claim.high is not None
        assert claim.estimate is not None
        assert not document.sample_ratio.suspicious
        assert sum(arm.units for arm in document.arms) == UNITS
        wrong += not claim.low < truth(effects) < claim.high
        far.append(claim.estimate - truth(effects))
    return wrong, float(np.mean(far))


def assert_true(effects: Mapping[str, float], seeds: range) -> None:
    wrong, far = missed(effects, seeds)
    # A gamma of variance 100, and of the effects at most as much again.
    error = np.sqrt(200 / (UNITS * SHARE * (1 - SHARE)) / len(seeds))

    assert wrong <= float(scipy.stats.binom.isf(1e-4, len(seeds), 0.05))
    assert abs(far) < 4 * error


def test_a_holdout_tells_the_cumulative_effect_of_what_was_tried_and_shipped() -> None:
    assert_true({"first": 4.0, "second": 2.0}, range(2))


def test_a_holdout_over_nothing_finds_nothing() -> None:
    assert_true({"first": 0.0, "second": 0.0}, range(100, 102))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("effects", [{"first": 4.0, "second": 2.0}, {"first": 0.0, "second": 0.0}])
def test_in_many_shops_a_holdout_is_as_true_as_it_says(effects: Mapping[str, float]) -> None:
    assert_true(effects, range(1_000, 1_200))


def test_exposures_that_are_lost_on_one_side_of_a_holdout_are_noticed() -> None:
    rows = a_shop(7, {"first": 0.0, "second": 0.0})
    held = sorted({str(row["unit"]) for row in rows if row.get("variant") == "held_out"})
    lost = set(held[: len(held) // 2])
    document = looked_at([row for row in rows if row["kind"] == "event" or row["unit"] not in lost])

    assert document.sample_ratio.suspicious


def revisions(*holdouts: Holdout) -> list[Revision]:
    return [Revision(START + timedelta(days=day), holdout) for day, holdout in enumerate(holdouts)]


def a_holdout(high: float, *experiments: str, **bucketing: Any) -> Holdout:
    return Holdout("quarter", Bucketing("q", **bucketing), Range(0, high), frozenset(experiments))


def test_a_holdout_stands_from_the_first_experiment_on_until_it_is_released() -> None:
    history = revisions(a_holdout(10), a_holdout(10, "a"), a_holdout(10, "a", "b"), a_holdout(10))
    before, running_, joined, released = (standing_of(history[: count + 1]) for count in range(4))

    assert before is None
    assert running_ == joined
    assert released is not None
    assert (released.started_at, released.ended_at) == (history[1].at, history[3].at)
    assert "Released" in notes_of(released)[0]


def logged(day: int, action: str, *experiments: str) -> AuditEntryOut:
    change = ChangeOut(kind=Kind.CHANGED, path=["experiments"], before=None, after=list(experiments))
    changes = [] if action == "deleted" else [change]
    return AuditEntryOut(
        at=START + timedelta(days=day), actor="ada", action=f"holdout.{action}", subject="s", note="",
        changes=changes,
    )  # fmt: skip


def test_a_holdout_that_is_gone_ended_with_its_release_or_else_with_its_deletion() -> None:
    life = [logged(1, "created", "a"), logged(2, "published"), logged(3, "deleted")]
    unreleased = [logged(5, "created"), logged(6, "updated", "b"), logged(7, "deleted")]

    def told(*entries: AuditEntryOut) -> datetime | None:
        return gone_at(entries[::-1])

    assert told(*life) == life[1].at
    assert told(*life, *unreleased) == unreleased[2].at
    assert told(*life, logged(7, "deleted")) == logged(7, "deleted").at
    assert told() is None


def test_another_share_or_a_new_begin_makes_a_new_standing() -> None:
    history = revisions(a_holdout(10, "a"), a_holdout(20, "a"), a_holdout(20), a_holdout(20, "c"))
    wider, reopened = standing_of(history[:2]), standing_of(history)

    assert wider is not None
    assert (wider.started_at, wider.is_redivided, wider.ended_at) == (history[1].at, True, None)
    assert reopened is not None
    assert (reopened.started_at, reopened.is_redivided) == (history[3].at, False)


def test_the_share_of_a_holdout_is_that_of_its_bucketers_line() -> None:
    closed = structs.replace(a_holdout(9, "a"), range=Range(0, 9, Bounds.CLOSED))
    percent = Bucketing("q", bucketer=BucketerName.FLAGSMITH)

    assert share_of(a_holdout(500, "a")) == 0.05
    assert share_of(closed) == 0.001
    assert share_of(structs.replace(a_holdout(25, "a"), bucketing=percent)) == 0.25
    assert share_of(structs.replace(a_holdout(0, "a"), range=Range(-5, 20_000))) == 1


def test_an_experiment_is_under_a_holdout_that_names_it_while_it_or_its_remains_are_served() -> None:
    history = revisions(a_holdout(10, "a"), a_holdout(10, "a", "b"), a_holdout(10))
    first, second, third = (each.at for each in history)

    assert is_under("a", first, None, history)
    assert is_under("b", first, None, history)
    assert not is_under("b", first, second, history)
    assert not is_under("a", third, None, history)
    assert not is_under("c", first, None, history)


def test_the_sum_of_what_shipped_is_plain_and_says_so_or_says_why_there_is_none() -> None:
    found = sum_of("spent", [Part("one", 0.10, 0.03), Part("two", -0.02, 0.04)])
    assert found.lift == pytest.approx(0.08)
    assert found.low == pytest.approx(0.08 - 1.96 * 0.05, abs=1e-4)
    assert "plain sum" in found.sentence

    none = sum_of("spent", [Part("one", 0.10, 0.03), Part("two", None)])
    assert (none.lift, none.low, none.high) == (None, None, None)
    assert "two was shipped and has no result on spent" in none.sentence
