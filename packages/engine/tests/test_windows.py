"""Switchbacks: what holds of splits whose units are bucketed anew in every window of time."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_engine import (
    CompiledRuleset,
    Context,
    InvalidRuleset,
    compile_ruleset,
    evaluate,
    explain,
    next_transition,
)
from assay_engine.model import Windows
from assay_engine.parsing import FORMAT
from assay_engine.windows import begin_of, next_window, window_at

ANCHOR = datetime(2026, 3, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOWS = {"minutes": 60, "anchor": "2026-03-01T06:00:00Z"}
CITY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=120)


def switchback(*shares: tuple[str | None, int], total: int = 6_000, **windows: Any) -> CompiledRuleset:
    """A flag whose only rule splits cities anew every hour."""
    ends = [sum(share for _, share in shares[: at + 1]) for at in range(len(shares))]
    ranges = [
        {"low": end - share, "high": end, "variant": variant}
        for end, (variant, share) in zip(ends, shares, strict=True)
    ]
    split = {
        "salt": "s",
        "unit": "city",
        "total": total,
        "ranges": ranges,
        "windows": WINDOWS | windows,
    }
    flag = {
        "key": "f",
        "type": "string",
        "variants": {"a": "A", "b": "B", "c": "C", "none": ""},
        "rules": [{"id": "r", "serve": {"split": split}}],
        "fallthrough": {"variant": "none"},
    }
    return compile_ruleset(json.dumps({"format": FORMAT, "flags": [flag]}))


def variant(ruleset: CompiledRuleset, city: str, number: int, minutes: float = 30) -> str | None:
    at = ANCHOR + number * HOUR + timedelta(minutes=minutes)
    return evaluate(ruleset, "f", Context.of("u", {"city": city}), now=at).variant


def chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def test_within_a_window_nobody_changes_and_between_windows_some_do() -> None:
    ruleset = switchback(("a", 3_000), ("b", 3_000))
    found = [[variant(ruleset, "Berlin", hour, minutes) for minutes in (0, 29, 59.99)] for hour in range(50)]

    assert all(len(set(hour)) == 1 for hour in found)
    assert {hour[0] for hour in found} == {"a", "b"}


@pytest.mark.parametrize("block", [1, 2, 3])
def test_every_window_splits_the_cities_evenly(block: int) -> None:
    ruleset = switchback(("a", 2_000), ("b", 2_000), ("c", 2_000), block=block)
    cities = [f"city{number}" for number in range(3_000)]

    for hour in (-1, 0, 1, 2, 100):
        counts = Counter(variant(ruleset, city, hour) for city in cities)
        # 99.9th percentile with two degrees of freedom.
        assert chi_square([counts[arm] for arm in "abc"]) < 13.8


def test_neighbouring_windows_of_a_city_are_independent() -> None:
    ruleset = switchback(("a", 3_000), ("b", 3_000))
    rows = [[variant(ruleset, f"city{number}", hour) for hour in range(-20, 80)] for number in range(100)]
    pairs = Counter(pair for row in rows for pair in pairwise(row))

    # 99.9th percentile with three degrees of freedom.
    assert chi_square([pairs[first, second] for first in "ab" for second in "ab"]) < 16.3


@given(CITY, st.integers(-10_000, 10_000))
def test_a_block_gives_every_arm_its_share_of_windows(city: str, block: int) -> None:
    ruleset = switchback(("a", 3_000), ("b", 1_000), ("c", 2_000), block=6)
    found = Counter(variant(ruleset, city, block * 6 + position) for position in range(6))

    assert found == {"a": 3, "b": 1, "c": 2}


@given(CITY, st.integers(-10_000, 10_000), st.integers(0, 3_000), st.integers(0, 3_000), st.integers(1, 6))
def test_raising_coverage_moves_no_city_that_is_in(
    city: str, hour: int, first: int, second: int, block: int
) -> None:
    low, high = sorted((first, second))
    before, after = (
        switchback(("a", used), (None, 3_000 - used), ("b", used), (None, 3_000 - used), block=block)
        for used in (low, high)
    )

    was = variant(before, city, hour)
    assert was in {"none", variant(after, city, hour)}


@given(CITY, st.integers(-100, 100), st.integers(1, 3))
def test_answers_change_only_when_a_window_begins(city: str, hour: int, block: int) -> None:
    ruleset = switchback(("a", 3_000), ("b", 3_000), block=block)
    at = ANCHOR + hour * HOUR + timedelta(minutes=13)
    following = next_transition(ruleset, at)

    assert following == ANCHOR + (hour + 1) * HOUR
    assert variant(ruleset, city, hour, 13) == variant(ruleset, city, hour, 59.9999)


def test_a_city_of_a_hundred_characters_switches_too() -> None:
    ruleset = switchback(("a", 3_000), ("b", 3_000))

    assert {variant(ruleset, "x" * 150, hour) for hour in range(20)} == {"a", "b"}


def test_an_explanation_names_the_window() -> None:
    ruleset = switchback(("a", 6_000))

    told = explain(ruleset, "f", Context.of("u", {"city": "Berlin"}), now=ANCHOR + 5.5 * HOUR)

    assert "of city by 'xd' in window 5 lies in the range of 'a'" in str(told)


def test_a_city_that_is_missing_goes_on_to_the_next_rule() -> None:
    answer = evaluate(switchback(("a", 6_000)), "f", Context.of("u"), now=ANCHOR)

    assert answer.variant == "none"


@given(st.datetimes(datetime(1971, 1, 1), datetime(2190, 1, 1)), st.integers(1, 527_040))  # noqa: DTZ001
def test_windows_touch_one_another(moment: datetime, minutes: int) -> None:
    windows, at = Windows(minutes, ANCHOR), moment.replace(tzinfo=UTC)
    number = window_at(windows, at)

    assert begin_of(windows, number) <= at < next_window(windows, at) == begin_of(windows, number + 1)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"bucketer": "eppo"}, "need the bucketer 'xd', not 'eppo'"),
        ({"sticky": {}, "experiment": "e"}, "sticky or changes with windows of time, not both"),
        ({"windows": WINDOWS | {"anchor": "2300-01-01T00:00:00Z"}}, "lies outside 1970 to 2200"),
        ({"total": 10, "windows": WINDOWS | {"block": 11}}, "a block of 11 windows does not fit"),
    ],
)
def test_windows_that_cannot_be_served_are_refused(parts: dict[str, Any], message: str) -> None:
    split = {"salt": "s", "windows": WINDOWS} | parts
    split["ranges"] = [{"low": 0, "high": split.get("total", 10_000), "variant": "a"}]
    flag = {
        "key": "f",
        "type": "string",
        "variants": {"a": "A"},
        "rules": [{"id": "r", "serve": {"split": split}}],
    }

    with pytest.raises(InvalidRuleset, match=message):
        compile_ruleset(json.dumps({"format": FORMAT, "flags": [flag]}))
