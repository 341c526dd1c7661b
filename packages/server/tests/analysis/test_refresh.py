"""A result refreshed day by day is the result of everything at once."""

import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis.conclude import conclude
from assay.analysis.document import Document
from assay.analysis.experiment import analyze_events
from assay.analysis.refresh import EventsBetween, can_refresh, refresh
from assay.sources.service import local_engine

from .measuring import START, Row, a_metric, a_plan, event, exposure, table_of

PLAN = a_plan(
    a_metric("bought", kind="proportion", event="order", lookback_hours=48),
    a_metric("spent", kind="mean", event="order", conversion_hours=60, cap_value=20.0, lookback_hours=48),
    a_metric("views", kind="count", event="view", without_events="left_out"),
    a_metric("days", kind="distinct", event="view"),
    a_metric(
        "basket",
        kind="ratio",
        numerator={"event": "order"},
        denominator={"event": "view", "aggregate": "count"},
    ),
)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def reader(engine: Backend, rows: Sequence[Row], asked: list[datetime | None] | None = None) -> EventsBetween:
    table = engine.create_table(f"events_{uuid.uuid4().hex}", ibis.memtable(table_of(rows)), temp=True)

    def between(since: datetime | None, until: datetime | None) -> Table:
        if asked is not None:
            asked.append(since)
        found = table if since is None else table.filter(table["at"] >= since)
        return found if until is None else found.filter(found["at"] < until)

    return between


def a_shop(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for number in range(60):
        unit, hours = f"u{number}", rng.randrange(0, 120) * 1.0
        rows.append(exposure(unit, "ab"[number % 2], hours))
        if rng.random() < 0.15:
            rows.append(exposure(unit, rng.choice("ab"), rng.randrange(0, 140) * 1.0))
        for _ in range(rng.randrange(6)):
            at = rng.randrange(-48, 144) * 1.0
            rows.append(event("order", unit, at, rng.randrange(3000) / 100))
            rows.append(event("view", unit, rng.randrange(-48, 144) * 1.0))
    rng.shuffle(rows)
    return rows


def whole(rows: Sequence[Row], until: datetime) -> Document:
    engine = local_engine()
    return analyze_events({None: reader(engine, rows)(None, until)}, PLAN, shows_sql=False)


def _close(value: float | None, rel: float = 1e-12) -> Any:
    return None if value is None else pytest.approx(value, rel=rel, abs=1e-12)


def assert_same(found: Document, wanted: Document) -> None:
    assert found.arms == wanted.arms
    assert found.excluded == wanted.excluded
    for one, other in zip(found.metrics, wanted.metrics, strict=True):
        assert [(arm.units, arm.missing) for arm in one.arms] == [
            (arm.units, arm.missing) for arm in other.arms
        ]
        for left, right in zip(one.comparisons, other.comparisons, strict=True):
            assert left.p_value == _close(right.p_value, rel=1e-9)
            assert left.difference.estimate == _close(right.difference.estimate)
            assert [look.day for look in left.looks] == [look.day for look in right.looks]
            for first, second in zip(left.looks, right.looks, strict=True):
                assert first.estimate == _close(second.estimate)


@settings(max_examples=2, deadline=None, suppress_health_check=SLOW)
@given(st.randoms(use_true_random=False))
def test_day_by_day_is_the_same_as_at_once(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random
) -> None:
    folder, rows = tmp_path_factory.mktemp("refresh"), a_shop(rng)

    for number in (2, 3, 6):
        engine = local_engine()
        found = refresh(engine, reader(engine, rows), PLAN, folder, until=day(number))

    assert_same(conclude(PLAN, found), whole(rows, day(6)))


def test_late_events_are_repaired(tmp_path: Path) -> None:
    rows = a_shop(random.Random(5))
    late = [event("order", "u1", 30.0, 99.0), exposure("new", "a", 26.0), event("view", "new", 50.0)]
    for number in (3, 5):
        engine = local_engine()
        refresh(engine, reader(engine, rows), PLAN, tmp_path, until=day(number))

    engine = local_engine()
    found = refresh(engine, reader(engine, [*rows, *late]), PLAN, tmp_path, until=day(5), late_from=day(1))

    assert_same(conclude(PLAN, found), whole([*rows, *late], day(5)))


def test_a_new_day_reads_no_old_event_but_what_covariates_look_back_to(tmp_path: Path) -> None:
    rows, asked = a_shop(random.Random(7)), list[datetime | None]()
    engine = local_engine()
    refresh(engine, reader(engine, rows), PLAN, tmp_path, until=day(5))

    refresh(engine, reader(engine, rows, asked), PLAN, tmp_path, until=day(6))
    again = list[datetime | None]()
    refresh(engine, reader(engine, rows, again), PLAN, tmp_path, until=day(6))

    assert asked == [day(5), day(3)]
    assert again == []


def test_a_plan_whose_days_do_not_add_up_says_so() -> None:
    assert can_refresh(PLAN)
    assert not can_refresh(a_plan(a_metric("m", kind="quantile", event="order", quantile=0.5)))
    assert not can_refresh(a_plan(a_metric("m", kind="mean", event="order", cap_quantile=0.9)))
