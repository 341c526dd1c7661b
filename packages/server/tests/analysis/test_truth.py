"""Simulated shops whose effects are known: what is estimated is true, as often as the intervals say."""

import math
from datetime import timedelta, timezone
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from numpy.typing import NDArray

from assay.analysis.document import Comparison, Estimate
from assay.analysis.experiment import Options, analyze_events, distinct_events
from assay.sources.service import local_engine

from .measuring import EVENTS, START, a_metric, a_plan, result

Array = NDArray[Any]
UNITS = 1500
RATES = {"a": 0.8, "b": 1.1}
BASKET = 10.0
WINDOW_HOURS = 72
COLUMNS = ("unit", "hours", "variant", "value")
PLAN = a_plan(
    a_metric("bought", kind="proportion", event="order", conversion_hours=WINDOW_HOURS),
    a_metric("spent", kind="mean", event="order", conversion_hours=WINDOW_HOURS, lookback_hours=240),
    a_metric("orders", kind="count", event="order", conversion_hours=WINDOW_HOURS, cap_value=2.0),
    options=Options(has_looks=False),
)
TRUTH = {
    "bought": math.exp(-RATES["a"]) - math.exp(-RATES["b"]),
    "spent": (RATES["b"] - RATES["a"]) * BASKET,
    "orders": 2 * (math.exp(-RATES["a"]) - math.exp(-RATES["b"]))
    + RATES["a"] * -math.exp(-RATES["a"])
    + RATES["b"] * math.exp(-RATES["b"]),
}


def a_shop(rng: np.random.Generator) -> pa.Table:
    """Orders inside the window by the arm's rate; outside it, before and after, many that must not count."""
    arms = rng.choice(["a", "b"], UNITS)
    entered = rng.uniform(0, 14 * 24, UNITS)
    taste = rng.gamma(4.0, 0.25, UNITS)
    rows: dict[str, list[Any]] = {
        "unit": [np.arange(UNITS)],
        "hours": [entered],
        "variant": [arms],
        "value": [np.full(UNITS, np.nan)],
    }

    def add(units: Array, hours: Array, values: Array) -> None:
        rows["unit"].append(units)
        rows["hours"].append(hours)
        rows["value"].append(values)
        rows["variant"].append(np.full(len(units), None, dtype=object))

    rates = np.where(arms == "a", RATES["a"], RATES["b"])
    for rate, first, last, size in (
        (rates, 0, 72, BASKET),
        (3 * taste, -240, -1, BASKET),
        (rates, 73, 200, 99.0),
    ):
        units = np.repeat(np.arange(UNITS), rng.poisson(rate))
        add(units, entered[units] + rng.uniform(first, last, len(units)), rng.exponential(size, len(units)))
    again = rng.choice(UNITS, UNITS // 4)
    rows["unit"].append(again)
    rows["hours"].append(entered[again] + rng.uniform(0, 100, len(again)))
    switched = rng.random(len(again)) < 0.1
    rows["variant"].append(np.where(switched, np.where(arms[again] == "a", "b", "a"), arms[again]))
    rows["value"].append(np.full(len(again), np.nan))
    return _as_events({name: np.concatenate(parts) for name, parts in rows.items()}, rng)


def _as_events(columns: dict[str, Array], rng: np.random.Generator) -> pa.Table:
    rows = [
        _row(str(number), "e", *values)
        for number, values in enumerate(zip(*(columns[name] for name in COLUMNS), strict=True))
    ]
    # Some events come twice, some exposures belong to another experiment, and nothing is in order.
    others = [_row(f"other {number}", "another", *values) for number, values in enumerate(_others())]
    repeated = [rows[int(number)] for number in rng.integers(0, len(rows), len(rows) // 20)]
    every = [*rows, *repeated, *others]
    shuffled = [every[int(number)] for number in rng.permutation(len(every))]
    return pa.Table.from_pylist(shuffled, schema=EVENTS)


def _others() -> list[tuple[int, float, str, float]]:
    return [(unit, float(unit % 300), "ab"[unit % 2], math.nan) for unit in range(UNITS)]


def _row(
    identifier: str, experiment: str, unit: int, hours: float, variant: str | None, value: float
) -> dict[str, Any]:
    zone = timezone(timedelta(hours=int(unit) % 24 - 12))
    return {
        "event_id": identifier,
        "kind": "event" if variant is None else "exposure",
        "name": "order" if variant is None else experiment,
        "unit": f"unit {unit}",
        "at": (START + timedelta(hours=float(hours))).astimezone(zone),
        "variant": None if variant is None else str(variant),
        "value": None if math.isnan(value) else float(value),
    }


def estimates(seed: int) -> dict[str, tuple[float, float]]:
    """Per metric how many standard errors the estimate is from the truth; adjusted ones too."""
    engine = local_engine()
    shop = engine.create_table("events", ibis.memtable(a_shop(np.random.default_rng(seed))), temp=True)
    document = analyze_events({None: distinct_events(shop)}, PLAN, shows_sql=False)
    return {key: _distance(result(document, key).comparisons[0], TRUTH[key]) for key in TRUTH}


def _distance(comparison: Comparison, truth: float) -> tuple[float, float]:
    plain = comparison.difference
    adjusted = plain if comparison.adjusted is None else comparison.adjusted.difference
    return _errors(plain, truth), _errors(adjusted, truth)


def _errors(found: Estimate, truth: float) -> float:
    assert found.estimate is not None
    assert found.low is not None
    assert found.high is not None
    return (found.estimate - truth) / ((found.high - found.low) / (2 * 1.96))


def assert_true(seeds: int) -> None:
    distances = [estimates(seed) for seed in range(seeds)]
    for key in TRUTH:
        for which in (0, 1):
            z = np.array([each[key][which] for each in distances])
            missed = int((np.abs(z) > 1.96).sum())
            assert abs(z.mean()) < 4 / math.sqrt(seeds), key
            assert missed <= float(scipy.stats.binom.isf(1e-4, seeds, 0.05)), key
            assert z.std(ddof=1) < 1 + 4 / math.sqrt(2 * seeds), key


def test_known_effects_are_found() -> None:
    assert_true(8)


@pytest.mark.slow
def test_known_effects_are_found_in_many_shops() -> None:
    assert_true(200)
