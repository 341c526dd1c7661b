"""Planted novelties, interactions and segment effects are found in events; clean events have none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import ibis
import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from numpy.typing import NDArray

from assay.analysis.document import Document
from assay.analysis.experiment import Options, complete, distinct_events, observe_events, plan_of
from assay.analysis.plan import Dimension, Plan
from assay.analysis.record import concluded
from assay.experiments.schemas import ExperimentOut
from assay.sources.service import local_engine

from .measuring import EVENTS, START, a_metric, an_experiment

COUNTRIES = np.array(["de", "fr", "it"])
ACTIVITY = np.array([3.0, 1.5, 1.0, 1.0, 1.0, 0.5, 0.5])


@dataclass(frozen=True, slots=True)
class World:
    """What is true.

    Attributes:
        lift: Of the rate of orders, the same on all days of a unit.
        fading: What is added to it on a unit's first day and gone after a week.
        clash: What the treatment of the other experiment adds to it.
        french: What is added to it in France.
    """

    lift: float = 0.2
    fading: float = 0.0
    clash: float = 0.0
    french: float = 0.0


def events_of(world: World, seed: int, *, units: int = 3_000) -> tuple[pa.Table, pa.Table]:
    """Events of the experiment, and exposures of another one that half of the units were in."""
    rng = np.random.default_rng(seed)
    arms: list[int] = rng.integers(0, 2, units).tolist()
    others: list[int] = rng.integers(0, 2, units).tolist()
    met, country = rng.random(units) < 0.5, rng.choice(COUNTRIES, units)
    entered = rng.uniform(0, 4 * 24, units)
    rows = [_row("exposure", "e", n, entered[n], "ab"[arms[n]], None, country[n]) for n in range(units)]
    meeting = [
        _row("exposure", "other", int(n), entered[n] + 1, ("off", "on")[others[n]], None, None)
        for n in np.flatnonzero(met)
    ]
    lift = world.lift + world.clash * (met & (np.array(others) == 1)) + world.french * (country == "fr")
    for day in range(7):
        factor = 1 + np.array(arms) * (lift + world.fading * (1 - day / 3))
        times = cast("NDArray[np.int64]", rng.poisson(ACTIVITY[day] * factor))
        who = np.repeat(np.arange(units), times)
        hours = entered[who] + 24 * day + rng.uniform(0, 24, len(who))
        rows += [
            _row("event", "order", n, at, None, 1.0, None)
            for n, at in zip(who.tolist(), hours.tolist(), strict=True)
        ]
    rows.append(_row("event", "order", units, 12 * 24.0, None, 1.0, None))
    return _table(rows), _table(meeting)


def _row(
    kind: str, name: str, unit: int, hours: float, variant: str | None, value: float | None, country: Any
) -> dict[str, Any]:
    return {
        "kind": kind, "name": name, "unit": f"u{unit}", "at": START + timedelta(hours=float(hours)),
        "variant": variant, "value": value,
        "properties": None if country is None else json.dumps({"country": str(country)}),
    }  # fmt: skip


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    filled = [
        {name: row.get(name) for name in EVENTS.names} | {"event_id": f"{row['kind']}{at}"}
        for at, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, schema=EVENTS)


def the_other() -> ExperimentOut:
    return an_experiment("off", "on").model_copy(update={"key": "other"})


def a_plan() -> Plan:
    options = Options(segments=[Dimension("country")], has_looks=False)
    metrics = [a_metric("orders", kind="count", event="order")]
    return plan_of(an_experiment("a", "b"), metrics, options, overlapping=[the_other()])


def document_of(tables: tuple[pa.Table, pa.Table]) -> Document:
    engine = local_engine()
    own, others = (
        engine.create_table(name, ibis.memtable(table)) for name, table in zip("eo", tables, strict=True)
    )
    return concluded(observe_events({None: complete(own)}, a_plan(), others=others))


def found_in(document: Document) -> Mapping[str, str]:
    (trend,) = document.novelty
    (change,) = document.interactions
    (cut,) = document.heterogeneity
    return {"novelty": trend.finding, "interaction": change.finding, "segments": cut.finding}


CLEAN = {"novelty": "steady", "interaction": "no_difference", "segments": "chance"}


def test_a_planted_novelty_is_found_and_named_in_the_alarms() -> None:
    document = document_of(events_of(World(fading=0.3), 1))

    assert found_in(document) == CLEAN | {"novelty": "fades"}
    (trend,) = document.novelty
    assert len(trend.effects) == 7
    assert trend.sentence in document.alarms
    assert trend.sentence.startswith("The lift of orders in b fades over the first 7 days of a unit (−")


def test_a_planted_interaction_is_found_and_named_in_the_alarms() -> None:
    document = document_of(events_of(World(clash=0.5), 2))

    assert found_in(document) == CLEAN | {"interaction": "differs"}
    (change,) = document.interactions
    assert change.sentence in document.alarms
    assert [(cell.arm, cell.other_arm) for cell in change.cells] == [
        ("a", "off"), ("a", "on"), ("b", "off"), ("b", "on"),
    ]  # fmt: skip
    assert document.shared_units[0].units == sum(cell.units for cell in change.cells)
    assert document.shared_units[0].is_tested


def test_a_planted_segment_effect_is_found_and_shrinks_towards_the_others() -> None:
    document = document_of(events_of(World(french=0.4), 3))

    assert found_in(document) == CLEAN | {"segments": "differs"}
    (cut,) = document.heterogeneity
    assert "most in fr (+" in cut.sentence
    assert cut.sentence not in document.alarms
    french = next(each for each in cut.segments if each.value == "fr")
    assert french.shrunken is not None
    assert french.estimate is not None
    assert french.shrunken < french.estimate
    assert all(
        comparison.claim is None
        for segment in document.segments
        for metric in segment.metrics
        for comparison in metric.comparisons
    )


def assert_clean(seeds: int) -> None:
    """No more findings among clean experiments than exact binomial bounds at the promised rates allow."""
    found = [found_in(document_of(events_of(World(), 100 + seed, units=1_000))) for seed in range(seeds)]
    for what, rate in (("novelty", 0.01), ("interaction", 0.01), ("segments", 0.05)):
        rang = sum(each[what] != CLEAN[what] for each in found)
        assert rang <= scipy.stats.binom.isf(1e-4, seeds, rate), what


def test_clean_experiments_have_no_findings_beyond_chance() -> None:
    assert_clean(4)


@pytest.mark.slow
def test_many_clean_experiments_have_no_findings_beyond_chance() -> None:
    assert_clean(200)


def test_reordered_split_and_repeated_batches_are_the_same_document() -> None:
    own, others = events_of(World(fading=0.3, clash=0.5), 5, units=800)
    rng = np.random.default_rng(6)

    def again(table: pa.Table) -> pa.Table:
        rows: list[dict[str, Any]] = table.to_pylist()
        places = [*range(len(rows)), *rng.integers(0, len(rows), len(rows) // 10).tolist()]
        order: list[int] = rng.permutation(places).tolist()
        return pa.Table.from_pylist([rows[place] for place in order], schema=EVENTS)

    first = document_of((own, others))
    engine = local_engine()
    tables = [
        engine.create_table(name, ibis.memtable(again(each))) for name, each in (("e", own), ("o", others))
    ]
    distinct = [complete(distinct_events(table)) for table in tables]
    second = concluded(observe_events({None: distinct[0]}, a_plan(), others=distinct[1]))

    assert first.novelty == second.novelty
    assert first.interactions == second.interactions
    assert first.heterogeneity == second.heterogeneity
    assert first.exposures == second.exposures


def test_only_the_experiments_with_the_most_units_in_common_are_tested_and_the_rest_is_named() -> None:
    own, others = events_of(World(), 7, units=600)
    names = [f"x{number}" for number in range(10)]
    rows = others.to_pylist()
    many = _table([row | {"name": name} for at, name in enumerate(names) for row in rows[: len(rows) - at]])
    overlapping = [the_other().model_copy(update={"key": name}) for name in [*names, "never met"]]
    metrics = [a_metric("orders", kind="count", event="order")]
    plan = plan_of(an_experiment("a", "b"), metrics, Options(has_looks=False), overlapping=overlapping)
    engine = local_engine()

    document = concluded(
        observe_events(
            {None: complete(engine.create_table("e", ibis.memtable(own)))},
            plan,
            others=engine.create_table("o", ibis.memtable(many)),
        )
    )

    assert [each.experiment for each in document.shared_units if each.is_tested] == names[:8]
    assert [each.experiment for each in document.shared_units if not each.is_tested] == names[8:]
    assert {each.experiment for each in document.interactions} == set(names[:8])
