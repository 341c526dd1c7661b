"""What the engine computes is what a slow, obvious computation finds; and looks are what was known then."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.analysis import compare
from assay.analysis.compare import Evidence
from assay.analysis.document import Comparison, Document
from assay.analysis.experiment import DEFAULT
from assay.analysis.plan import MetricPlan
from assay.metrics.definition import Quantile
from assay.metrics.filters import Windowed
from assay.metrics.schemas import MetricOut
from assay_stats.moments import JointMoments, NullPolicy
from assay_stats.quantiles import quantile_of

from .measuring import Row, a_metric, a_plan, analyze, event, exposure, result
from .reference import values_of

pytest.importorskip("pandas")

ORDERS: dict[str, Any] = {"event": "order"}
VIEWS: dict[str, Any] = {"event": "view"}
METRICS = [
    a_metric("bought", kind="proportion", **ORDERS, lookback_hours=48),
    a_metric("spent", kind="mean", **ORDERS, conversion_hours=60, lookback_hours=72),
    a_metric("spent_late", kind="mean", **ORDERS, delay_hours=12, conversion_hours=96, cap_value=20),
    a_metric("capped", kind="mean", **ORDERS, cap_quantile=0.8, floor_quantile=0.1),
    a_metric("buyers_spent", kind="mean", **ORDERS, without_events="left_out"),
    a_metric("points", kind="mean", event="view", property="points"),
    a_metric("views", kind="count", event="view", lookback_hours=24, without_events="left_out"),
    a_metric("sessions", kind="distinct", event="view", property="session", conversion_hours=72),
    a_metric("days", kind="distinct", event="view"),
    a_metric(
        "per_session",
        kind="ratio",
        numerator=ORDERS,
        denominator={"event": "view", "aggregate": "distinct", "property": "session"},
        lookback_hours=48,
    ),
    a_metric("median", kind="quantile", **ORDERS, quantile=0.5),
    a_metric("came_back", kind="retention", event="view", from_day=1, to_day=2),
    a_metric("funnel", kind="funnel", steps=[VIEWS, ORDERS, VIEWS], conversion_hours=96),
    a_metric("filtered", kind="count", event="view", filters=[
        {"property": "points", "operator": "at_least", "value": 2},
        {"property": "session", "operator": "not_in", "values": ["s1", 7]},
    ]),
    a_metric("odd", kind="count", event="view", filters=[
        {"property": "new", "operator": "not_equals", "value": True},
        {"property": "session", "operator": "starts_with", "value": "s"},
    ]),
    a_metric("large", kind="count", event="order", filters=[{"operator": "greater", "value": 5}]),
    a_metric("bare", kind="count", event="view", filters=[{"property": "points", "operator": "absent"}]),
]  # fmt: skip
UNITS = [f"u{number}" for number in range(12)]
# Steps of six hours, so that boundaries of windows and days are met and not only passed.
HOURS = st.integers(-13, 25).map(lambda step: step * 6.0)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "session": st.sampled_from(["s0", "s1", "s2", 7, None]),
        "points": st.sampled_from([0, 1, 2.5, 3, "4", "none", None]),
        "new": st.booleans(),
    },
)
CENTS = st.integers(0, 3000).map(lambda cents: cents / 100)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def a_view(unit: str, hours: float, properties: dict[str, Any]) -> Row:
    return event("view", unit, hours, **properties)


@st.composite
def shops(draw: st.DrawFn) -> list[Row]:
    rows = [exposure(unit, "ab"[number % 2], draw(HOURS)) for number, unit in enumerate(UNITS)]
    again = st.tuples(st.sampled_from(UNITS), st.sampled_from("ab"), HOURS)
    rows += [exposure(*each) for each in draw(st.lists(again, max_size=4))]
    orders = st.builds(event, st.just("order"), st.sampled_from(UNITS), HOURS, st.none() | CENTS)
    views = st.builds(
        a_view,
        st.sampled_from([*UNITS, "stranger"]),
        HOURS,
        PROPERTIES,
    )
    return rows + draw(st.lists(orders, max_size=40)) + draw(st.lists(views, max_size=40))


@settings(max_examples=4, deadline=None, suppress_health_check=SLOW)
@given(shops())
def test_every_kind_of_metric_is_what_a_slow_computation_finds(rows: list[Row]) -> None:
    assert_like_reference(rows)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(shops())
def test_every_kind_of_metric_is_what_a_slow_computation_finds_at_length(rows: list[Row]) -> None:
    assert_like_reference(rows)


@settings(max_examples=2, deadline=None, suppress_health_check=SLOW)
@given(shops(), st.randoms(use_true_random=False))
def test_a_look_is_what_was_known_at_the_end_of_its_day(rows: list[Row], rng: random.Random) -> None:
    single = [row for row in rows if row["kind"] == "event" or row["unit"] not in _in_several(rows)]
    fixed = [metric for metric in METRICS if metric.key not in {"capped", "median"}]
    whole = analyze(single, *fixed)
    days = [look.day for look in result(whole, "days").comparisons[0].looks]
    day = rng.choice(days)

    then = analyze([row for row in single if row["at"].date() <= day], *fixed)

    for metric in fixed:
        (look,) = [look for look in result(whole, metric.key).comparisons[0].looks if look.day == day]
        (known,) = result(then, metric.key).comparisons
        assert look.estimate == _close(known.difference.estimate), metric.key
        assert look.arm_units == result(then, metric.key).arms[1].units
        if known.adjusted is not None and look.adjusted_standard_error is not None:
            adjusted = known.adjusted.difference.estimate
            if adjusted is not None:
                assert look.adjusted_estimate == pytest.approx(adjusted, rel=1e-7, abs=1e-7), metric.key


@settings(max_examples=2, deadline=None, suppress_health_check=SLOW)
@given(shops(), st.randoms(use_true_random=False))
def test_no_order_of_rows_changes_a_result(rows: list[Row], rng: random.Random) -> None:
    known = [{**row, "event_id": str(number)} for number, row in enumerate(rows)]
    shuffled = rng.sample(known, len(known))

    first, second = analyze(known, *METRICS), analyze(shuffled, *METRICS)

    assert_equal(first, second)


def assert_equal(first: Document, second: Document) -> None:
    """The same document, up to the rounding of sums in another order."""
    assert first.arms == second.arms
    assert first.excluded == second.excluded
    for one, other in zip(first.metrics, second.metrics, strict=True):
        assert one.failure is None
        assert _figures(one.comparisons) == pytest.approx(_figures(other.comparisons), rel=1e-9, abs=1e-9)


def assert_like_reference(rows: Sequence[Row]) -> None:
    document = analyze(rows, *METRICS, options=DEFAULT)
    plan = a_plan(*METRICS)
    for metric, planned in zip(METRICS, plan.metrics, strict=True):
        found = result(document, metric.key)
        assert found.failure is None, found.failure
        expected = {arm: _evidence(rows, metric, arm) for arm in "ab"}
        for summary in found.arms:
            wanted = compare.summary(summary.arm, planned, expected[summary.arm])
            assert summary.units == wanted.units, metric.key
            assert summary.missing == wanted.missing, metric.key
            assert summary.mean == _close(wanted.mean), metric.key
        wanted_comparison = compare.comparison("b", planned, expected["a"], expected["b"], alpha=0.05)
        _assert_alike(found.comparisons[0], wanted_comparison, planned)


def _assert_alike(found: Comparison, wanted: Comparison, metric: MetricPlan) -> None:
    assert found.difference.estimate == _close(wanted.difference.estimate), metric.key
    assert found.difference.low == _close(wanted.difference.low), metric.key
    assert found.p_value == _close(wanted.p_value), metric.key
    assert (found.adjusted is None) == (wanted.adjusted is None), metric.key
    if found.adjusted is not None and wanted.adjusted is not None:
        assert found.adjusted.difference.estimate == _close(wanted.adjusted.difference.estimate), metric.key
        assert found.adjusted.difference.low == _close(wanted.adjusted.difference.low), metric.key


def _evidence(rows: Sequence[Row], metric: MetricOut, arm: str) -> Evidence:
    definition = metric.definition
    table = values_of(rows, definition)
    own = table[table["arm"] == arm]
    columns = [column for column in (0, 1) if column in table.columns]
    values = own[columns].to_numpy(dtype=float)
    moments = JointMoments.from_values(values, nulls=NullPolicy.EXCLUDE)
    if isinstance(definition, Quantile):
        present = values[~np.isnan(values)]
        mean = quantile_of(present, definition.quantile)
        return Evidence(
            JointMoments(len(present), [float(mean.value)], [[0.0]], np.isnan(values).sum()), quantile=mean
        )
    if not isinstance(definition, Windowed) or definition.lookback_hours is None:
        return Evidence(moments)
    before = values_of(rows, definition, before=True)
    both = np.column_stack([values, before[before["arm"] == arm][columns].to_numpy(dtype=float)])
    return Evidence(moments, adjusted=JointMoments.from_values(both, nulls=NullPolicy.EXCLUDE))


def _close(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)


def _figures(comparisons: Sequence[Comparison]) -> dict[str, float]:
    shown = {
        f"{each.arm}.{name}": value
        for each in comparisons
        for name, value in (
            ("estimate", each.difference.estimate),
            ("low", each.difference.low),
            ("p", each.p_value),
        )
    }
    return {name: value for name, value in shown.items() if value is not None}


def _in_several(rows: Sequence[Row]) -> set[str]:
    seen: dict[str, set[str]] = {}
    for row in rows:
        if row["kind"] == "exposure":
            seen.setdefault(row["unit"], set()).add(row["variant"])
    return {unit for unit, arms in seen.items() if len(arms) > 1}
