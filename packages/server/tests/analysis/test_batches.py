"""A bandit's epochs: each compared by itself, joined, and checked against its own split."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import ibis
import numpy as np
import pytest

from assay.analysis.document import Document
from assay.analysis.experiment import observe_events
from assay.analysis.methods import Role
from assay.analysis.plan import Batch, Batching, Dimension, MarginPlan, Plan
from assay.analysis.record import concluded, read, write
from assay.sources.service import local_engine
from assay_stats.bandits import batch_errors, batched_difference
from assay_stats.results import Estimate

from .measuring import Row, a_metric, a_plan, after, event, exposure, result, table_of

SPENT = a_metric("spent", kind="mean", event="order")
BOUGHT = a_metric("bought", kind="proportion", event="order")
# As a bandit would move them while the base rate doubles: pooled, the better arm looks far better than it is.
WEIGHTS = ((0.5, 0.5), (0.2, 0.8), (0.1, 0.9))
UNITS = ((300, 300), (120, 480), (60, 540))
BASE = (5.0, 10.0, 20.0)
HOURS = 24.0


def batching(weights: Sequence[tuple[float, ...]] = WEIGHTS, *, least: int = 50) -> Batching:
    batches = [Batch(place + 1, after(HOURS * place), each) for place, each in enumerate(weights)]
    return Batching(tuple(batches), least)


def a_bandit(*metrics: Any, least: int = 50, **parts: Any) -> Plan:
    return replace(a_plan(*metrics), batching=batching(least=least), **parts)


def spending(effect: float, seed: int = 1) -> Iterator[tuple[int, str, str, float]]:
    """Batch, unit, arm and amount; whoever comes in a batch spends by its base rate."""
    rng = np.random.default_rng(seed)
    for batch, units in enumerate(UNITS):
        for arm, count in zip("ab", units, strict=True):
            for unit in range(count):
                amount = BASE[batch] + effect * (arm == "b") + rng.normal(0, 2)
                yield batch, f"{batch}{arm}{unit}", arm, round(float(amount), 3)


def rows(effect: float, *, units: Sequence[tuple[str, int]] = (), seed: int = 1) -> Iterator[Row]:
    """Everybody is exposed twice, the second time in a later epoch."""
    lost = dict(units)
    for batch, unit, arm, amount in spending(effect, seed):
        if int(unit[2:]) < lost.get(arm, 0):
            continue
        hours = HOURS * batch + int(unit[2:]) % 23
        yield exposure(unit, arm, hours, colour="red" if int(unit[2:]) % 2 else "blue")
        yield exposure(unit, arm, hours + 2 * HOURS, colour="red")
        yield event("order", unit, hours + 0.5, amount)


def told(events: Iterator[Row], plan: Plan) -> Document:
    table = local_engine().create_table("events", ibis.memtable(table_of(events)), temp=True)
    record = observe_events({None: table}, plan)
    document = concluded(record)
    assert concluded(read(write(record))) == document
    return document


def joined_by_hand(effect: float) -> Estimate:
    cells: dict[tuple[int, str], list[float]] = {}
    for batch, _, arm, amount in spending(effect):
        cells.setdefault((batch, arm), []).append(amount)
    values = [np.mean(cells[batch, "b"]) - np.mean(cells[batch, "a"]) for batch in range(3)]
    variances = [[np.var(cells[batch, arm], ddof=1) for batch in range(3)] for arm in "ab"]
    counts = np.array(UNITS, dtype=float).T
    errors = np.sqrt(batch_errors(variances, counts).sum(axis=0))
    return batched_difference(values, errors)


def test_arms_are_compared_within_epochs_and_joined() -> None:
    document = told(rows(0.0), a_bandit(SPENT))

    found, expected = result(document, "spent").comparisons[0], joined_by_hand(0.0)
    plain = [arm.mean for arm in result(document, "spent").arms]
    assert found.difference.method == "batched difference"
    assert found.difference.estimate == pytest.approx(expected.value, rel=1e-9)
    assert found.difference.low == pytest.approx(expected.lower, rel=1e-9)
    assert found.p_value == pytest.approx(expected.p_value, rel=1e-9)
    assert found.claim is not None
    assert (found.claim.low, found.claim.p_value) == (found.difference.low, found.p_value)
    # The arms' plain means say what pooling would have claimed of arms that are the same.
    assert plain[1] is not None
    assert plain[0] is not None
    assert plain[1] - plain[0] > 4
    assert abs(expected.value) < 0.3


def test_a_lift_and_a_series_are_of_the_joined_arms() -> None:
    found = result(told(rows(1.0), a_bandit(SPENT)), "spent").comparisons[0]

    assert found.lift.estimate is not None
    assert found.lift.low is not None
    assert found.difference.estimate == pytest.approx(1.0, abs=0.3)
    # The control of the joined difference, between the plain mean of the first epoch and that of the last.
    assert 1.2 / 20 < found.lift.estimate < 0.9 / 5
    assert found.looks[-1].estimate == pytest.approx(found.difference.estimate, rel=1e-9)
    assert all(look.low is None for look in found.looks)


def test_the_split_is_checked_against_each_epochs_own_weights() -> None:
    document = told(rows(0.0), a_bandit(SPENT))

    assert document.bandit is not None
    assert [list(batch.units.values()) for batch in document.bandit.batches] == [list(each) for each in UNITS]
    assert (document.sample_ratio.p_value, document.sample_ratio.degrees_of_freedom) == (1.0, 3.0)
    assert [arm.weight for arm in document.arms] == pytest.approx([480 / 1800, 1320 / 1800])
    assert document.diagnosis is not None
    assert document.diagnosis.alarm_at is None
    assert document.halts == []


def test_an_arm_that_loses_units_rings_though_weights_moved() -> None:
    document = told(rows(0.0, units=[("b", 90)]), a_bandit(SPENT))

    assert document.sample_ratio.suspicious
    assert document.diagnosis is not None
    assert document.diagnosis.alarm_at is not None
    assert document.diagnosis.causes[0].arm == "b"
    assert len(document.halts) == 1


def test_an_epoch_with_too_few_units_is_left_out_and_said_so() -> None:
    document = told(rows(0.0), a_bandit(SPENT, least=100))

    assert document.bandit is not None
    assert [batch.is_compared for batch in document.bandit.batches] == [True, True, False]
    assert "leaves 600 units out" in document.bandit.notes[-1]
    assert [arm.units for arm in document.arms] == [480, 1320]


def test_without_an_epoch_large_enough_nothing_is_claimed() -> None:
    found = result(told(rows(1.0), a_bandit(SPENT, least=1000)), "spent").comparisons[0]

    assert found.difference.undefined is not None
    assert found.difference.undefined.reason == "no_batch"
    assert found.p_value is None
    assert found.lift.undefined is not None
    assert found.claim is not None
    assert found.claim.finding == "unknown"


def test_segments_are_joined_over_epochs_too() -> None:
    plan = replace(a_bandit(SPENT, least=20), segments=(Dimension("colour"),))

    document = told(rows(0.0), plan)

    assert {segment.value for segment in document.segments} == {"red", "blue"}
    for segment in document.segments:
        difference = segment.metrics[0].comparisons[0].difference
        assert difference.method == "batched difference"
        assert difference.estimate is not None
        assert abs(difference.estimate) < 0.6
    assert abs(document.heterogeneity[0].segments[0].estimate or 9) < 0.6


def test_a_quantile_is_refused_with_a_way_out_and_leaves_the_others() -> None:
    median = a_metric("median", kind="quantile", event="order", quantile=0.5)

    document = told(rows(0.0), a_bandit(SPENT, median))

    failure = result(document, "median").failure
    assert failure is not None
    assert "share of units above a threshold" in failure.sentence
    assert result(document, "spent").comparisons[0].p_value is not None


def test_a_guardrail_alarms_within_epochs_and_not_by_the_moved_split() -> None:
    def guarded(effect: float) -> Document:
        plan = a_bandit(SPENT)
        rail = replace(
            plan.metrics[0],
            role=Role.GUARDRAIL,
            direction="decrease",
            margin=MarginPlan(0.1, is_relative=True),
        )
        return told(rows(effect), replace(plan, metrics=(rail,)))

    assert guarded(0.0).alarms == []
    assert "has got worse in b" in guarded(3.0).alarms[0]
    margin = result(guarded(0.0), "spent").comparisons[0].margin
    assert margin is not None
    assert margin.is_within
