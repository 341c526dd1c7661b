"""A result refreshed day by day is the result of everything at once."""

import random
import shutil
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
from assay.analysis.refresh import Events, Refreshed, can_refresh, refresh
from assay.analysis.stored import MANIFEST, Shelf
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


def reader(engine: Backend, rows: Sequence[Row], asked: list[datetime | None] | None = None) -> Events:
    table = engine.create_table(f"events_{uuid.uuid4().hex}", ibis.memtable(table_of(rows)), temp=True)

    def between(since: datetime | None, until: datetime | None) -> Table:
        if asked is not None:
            asked.append(since)
        found = table if since is None else table.filter(table["at"] >= since)
        return found if until is None else found.filter(found["at"] < until)

    return Events(between, marks_of(rows))


def marks_of(rows: Sequence[Row]) -> dict[int, str]:
    days: dict[int, list[str]] = {}
    for row in rows:
        days.setdefault(int(row["at"].timestamp()) // 86_400, []).append(repr(sorted(row.items())))
    return {number: str(hash(tuple(sorted(found)))) for number, found in days.items()}


def refreshed(
    folder: Path, rows: Sequence[Row], until: datetime, asked: list[datetime | None] | None = None
) -> Refreshed:
    engine = local_engine()
    return refresh(Shelf(engine, folder), reader(engine, rows, asked), PLAN, until=until)


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


def whole(rows: Sequence[Row]) -> Document:
    engine = local_engine()
    return analyze_events({None: reader(engine, rows).between(None, None)}, PLAN, shows_sql=False)


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


def assert_right(found: Refreshed, rows: Sequence[Row]) -> None:
    assert_same(conclude(PLAN, found.collected), whole(rows))


def live(folder: Path, rng: random.Random) -> None:
    """Days pass, events come late, units are forgotten, and somebody looks now and then."""
    shop = a_shop(rng)
    moment, forgotten, late = day(1), set[str](), list[Row]()
    for _ in range(5):
        match rng.choice(["days", "late", "forget", "look"]):
            case "days":
                moment += timedelta(days=rng.randrange(1, 3))
            case "late":
                hours = rng.randrange(-24, 100) * 1.0
                unit = f"u{rng.randrange(60)}"
                late.append(rng.choice([event("order", unit, hours, 9.5), exposure(unit, "a", hours)]))
            case "forget":
                forgotten.add(f"u{rng.randrange(60)}")
            case _:
                pass
        known = moment + timedelta(hours=rng.randrange(24))
        rows = [row for row in [*shop, *late] if row["at"] < known and row["unit"] not in forgotten]

        assert_right(refreshed(folder, rows, moment), rows)


@settings(max_examples=2, deadline=None, suppress_health_check=SLOW)
@given(st.randoms(use_true_random=False))
def test_whatever_happens_a_refresh_is_what_the_full_run_is(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random
) -> None:
    live(tmp_path_factory.mktemp("refresh"), rng)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(st.randoms(use_true_random=False))
def test_whatever_happens_a_refresh_is_what_the_full_run_is_at_length(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random
) -> None:
    live(tmp_path_factory.mktemp("refresh"), rng)


def test_late_events_are_read_with_the_days_after_them(tmp_path: Path) -> None:
    rows = a_shop(random.Random(5))
    late = [event("order", "u1", 80.0, 99.0), exposure("new", "a", 75.0), event("view", "new", 100.0)]
    for number in (3, 5):
        refreshed(tmp_path, rows, day(number))

    found = refreshed(tmp_path, [*rows, *late], day(5))

    assert found.because is not None
    assert found.because.startswith("events of 2026-03-04 came or went")
    assert found.read_from == int(day(3).timestamp()) // 86_400
    assert_right(found, [*rows, *late])


def test_a_new_day_reads_no_old_event_but_what_covariates_look_back_to(tmp_path: Path) -> None:
    rows, asked, again = a_shop(random.Random(7)), list[datetime | None](), list[datetime | None]()
    rows = [row for row in rows if row["at"] < day(6)]
    refreshed(tmp_path, [row for row in rows if row["at"] < day(5)], day(5))

    refreshed(tmp_path, rows, day(6), asked)
    refreshed(tmp_path, rows, day(6), again)

    assert asked == [day(5), day(3)]
    assert again == []


def test_today_is_in_the_result_and_not_stored(tmp_path: Path) -> None:
    rows = a_shop(random.Random(3))
    refreshed(tmp_path, rows, day(3))
    stored = (tmp_path / MANIFEST).read_bytes()

    assert_right(refreshed(tmp_path, rows, day(3)), rows)
    assert (tmp_path / MANIFEST).read_bytes() == stored


def test_a_first_few_units_are_not_stored(tmp_path: Path) -> None:
    rows = [exposure(f"u{number}", "ab"[number % 2], 1.0) for number in range(9)]

    assert_right(refreshed(tmp_path, rows, day(1)), rows)
    assert not list(tmp_path.iterdir())


def test_a_refresh_that_died_at_any_moment_never_was(tmp_path: Path) -> None:
    rows = a_shop(random.Random(11))
    before, after = tmp_path / "before", tmp_path / "after"
    refreshed(before, rows, day(3))
    shutil.copytree(before, after)
    wanted = conclude(PLAN, refreshed(after, rows, day(5)).collected)
    written = sorted(path for path in after.iterdir() if not (before / path.name).exists())

    assert_same(wanted, whole(rows))
    assert len(written) == 3
    for number in range(len(written) + 1):
        died = tmp_path / f"died{number}"
        shutil.copytree(before, died)
        for path in written[:number]:
            shutil.copy(path, died)
        (died / "rows-cut.parquet").write_bytes(b"PAR1")
        (died / "manifest.cut").write_bytes((after / MANIFEST).read_bytes()[:99])
        found = refreshed(died, rows, day(5))

        assert found.because is None
        assert_same(conclude(PLAN, found.collected), wanted)
        assert len(list(died.iterdir())) == len(list(after.iterdir()))


def test_stored_days_that_are_damaged_are_computed_anew(tmp_path: Path) -> None:
    rows, folder = a_shop(random.Random(13)), tmp_path / "stored"
    wanted = conclude(PLAN, refreshed(folder, rows, day(4)).collected)

    for part, damage in [("entered", -9), ("doubled", None), ("rows", 40), ("manifest", -9)]:
        (path,) = folder.glob(f"{part}*")
        content = path.read_bytes()
        path.unlink()
        if damage is not None:
            path.write_bytes(content[:damage] + b"?" + content[damage + 1 :])
        found = refreshed(folder, rows, day(4))

        assert found.because is not None, part
        assert found.because.startswith("stored days were damaged (")
        assert_same(conclude(PLAN, found.collected), wanted)


def test_a_forgotten_unit_is_in_no_file_of_the_days_that_are_stored_anew(tmp_path: Path) -> None:
    rows = a_shop(random.Random(17))
    for number in (3, 4, 5):
        refreshed(tmp_path, [row for row in rows if row["at"] < day(number)], day(number))
    left = [row for row in rows if row["unit"] != "u7" and row["at"] < day(5)]

    found = refreshed(tmp_path, left, day(5))

    assert_right(found, left)


def test_a_plan_whose_days_do_not_add_up_says_so() -> None:
    assert can_refresh(PLAN)
    assert not can_refresh(a_plan(a_metric("m", kind="quantile", event="order", quantile=0.5)))
    assert not can_refresh(a_plan(a_metric("m", kind="mean", event="order", cap_quantile=0.9)))
