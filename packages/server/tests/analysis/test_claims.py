"""From events to claims: the document says what the plan allows, and what is wrong with the split."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from ibis.expr.types import Table

from assay.analysis.document import Claim, Document
from assay.analysis.experiment import watch_events
from assay.analysis.methods import (
    AlwaysValid,
    Bayesian,
    CauseKind,
    Finding,
    Fixed,
    GroupSequential,
    Method,
    Reading,
    Role,
    Schedule,
)
from assay.analysis.plan import ArmPlan, Kind, MarginPlan, Measure, MetricPlan, Number, Plan
from assay.metrics.definition import Quantity
from assay.sources.service import local_engine

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, PER_DAY = 8, 500
LAST_DAY = date(2026, 3, 9)


def a_plan(method: Method = Fixed(), *, is_final: bool = True, **metric: Any) -> Plan:  # noqa: B008 — frozen
    values: dict[str, Any] = {"role": Role.GOAL, **metric}
    return Plan(
        unit="unit",
        control="old",
        arms=(ArmPlan("old", 1.0), ArmPlan("new", 1.0)),
        metrics=(MetricPlan("spent", "Spent", Kind.MEAN, ("spent",), **values),),
        experiment="e",
        numbers=(Number("spent", Quantity(event="order", aggregate="sum", property=None)),),
        measures=(Measure("spent", "spent"),),
        has_looks=True,
        reading=Reading(method=method, is_final=is_final),
        schedule=Schedule(START, DAYS),
    )


def rows(effect: float, *, days: int = DAYS, bots: float = 0.0, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Units that are exposed over some days and order half an hour later; bots all meet the old variant."""
    rng = np.random.default_rng(seed)
    for number in range(days * PER_DAY):
        is_bot = bool(rng.random() < bots)
        is_new = bool(rng.random() < 0.5) and not is_bot
        at = START + timedelta(days=float(rng.uniform(number // PER_DAY, number // PER_DAY + 0.97)))
        unit = f"u{number}"
        known = {"is_bot": is_bot, "browser": str(rng.choice(["chrome", "safari", "firefox"]))}
        yield {
            "kind": "exposure", "name": "e", "unit": unit, "at": at, "variant": "new" if is_new else "old",
            "value": None, "properties": json.dumps(known),
        }  # fmt: skip
        yield {
            "kind": "event", "name": "order", "unit": unit, "at": at + timedelta(minutes=30), "variant": None,
            "value": float(rng.normal(20 + effect * is_new, 5)), "properties": None,
        }  # fmt: skip


def events(*args: float, **more: Any) -> Table:
    schema = pa.schema(
        [
            ("kind", pa.string()),
            ("name", pa.string()),
            ("unit", pa.string()),
            ("at", pa.timestamp("us", tz="UTC")),
            ("variant", pa.string()),
            ("value", pa.float64()),
            ("properties", pa.string()),
        ]
    )
    return local_engine().create_table(
        "events", ibis.memtable(pa.Table.from_pylist(list(rows(*args, **more)), schema)), temp=True
    )


def claim_of(document: Document) -> Claim:
    claim = document.metrics[0].comparisons[0].claim
    assert claim is not None
    return claim


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (Fixed(), "fixed"),
        (GroupSequential(looks=(0.25, 0.5, 0.75, 1.0)), "group_sequential"),
        (AlwaysValid(), "always_valid"),
        (Bayesian(prior_sd=0.2), "bayesian"),
    ],
)
def test_a_true_effect_is_claimed_and_shipped_by_every_method(method: Method, name: str) -> None:
    document = watch_events({None: events(1.5)}, a_plan(method))

    claim, looks = claim_of(document), document.metrics[0].comparisons[0].looks
    assert document.read is not None
    assert document.read.method == claim.method == name
    assert claim.finding is Finding.BETTER
    assert claim.is_settled
    assert claim.low is not None
    assert claim.high is not None
    assert claim.low < 1.5 < claim.high
    assert claim.day == LAST_DAY
    assert [decided.verdict for decided in document.decisions] == ["ship"]
    assert document.decisions[0].sentence.startswith("Ship new: Spent rose by 1.")
    assert (claim.belief is not None) == (name == "bayesian")
    assert (claim.unbiased is not None) == (name == "group_sequential")
    assert looks[0].low is not None
    assert looks[-1].low is not None
    assert looks[0].low < looks[-1].low


def test_a_planned_look_waits_for_its_share_of_the_days() -> None:
    plan = a_plan(GroupSequential(looks=(0.5, 1.0)), is_final=False)

    early = claim_of(watch_events({None: events(1.5, days=3)}, plan))
    due = claim_of(watch_events({None: events(1.5, days=4)}, plan))

    assert (early.finding, early.low, early.p_value) == (Finding.EARLY, None, None)
    assert early.days_to_plan is None
    assert due.finding is Finding.BETTER
    assert due.day == date(2026, 3, 5)
    assert due.days_to_plan == 4


def test_the_smallest_effect_says_how_many_days_are_missing() -> None:
    plan = a_plan(AlwaysValid(), is_final=False, smallest_effect=0.01)

    claim = claim_of(watch_events({None: events(0.0, days=3)}, plan))

    assert claim.finding is Finding.OPEN
    assert claim.days_to_power is not None
    assert claim.days_to_power > 5


def test_a_guardrail_that_gets_worse_rings_although_its_plan_is_fixed() -> None:
    plan = a_plan(Fixed(), is_final=False, role=Role.GUARDRAIL, margin=MarginPlan(0.02, is_relative=True))

    document = watch_events({None: events(-3.0, days=2)}, plan)

    assert claim_of(document).finding is Finding.EARLY
    assert [alarm.startswith("Guardrail Spent (−") for alarm in document.alarms] == [True]


def test_a_tolerable_loss_is_within_its_margin_in_the_claim_and_in_the_test_of_the_margin() -> None:
    plan = a_plan(role=Role.GUARDRAIL, margin=MarginPlan(0.2, is_relative=True))

    document = watch_events({None: events(-1.0)}, plan)

    margin = document.metrics[0].comparisons[0].margin
    assert margin is not None
    assert claim_of(document).within_margin
    assert margin.is_within
    assert document.decisions[0].verdict == "ship"


def test_bots_in_one_arm_are_named_and_no_number_is_trusted() -> None:
    document = watch_events({None: events(1.5, bots=0.1)}, a_plan())

    assert document.diagnosis is not None
    assert document.diagnosis.alarm_at is not None
    assert document.diagnosis.causes[0].kind is CauseKind.BOTS
    assert (document.diagnosis.segments[0].dimension, document.diagnosis.segments[0].value) == (
        "is_bot",
        "true",
    )
    assert document.decisions[0].verdict == "cannot_say"


def test_a_healthy_split_has_no_causes() -> None:
    document = watch_events({None: events(0.0)}, a_plan())

    assert document.diagnosis is not None
    assert document.diagnosis.p_value is not None
    assert (document.diagnosis.alarm_at, document.diagnosis.causes) == (None, [])
