"""Geometry of the plot: everything in its place, whatever the numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.web.interval_plot import LONGEST_NAME, Line, Plot, plot
from assay.web.verdict import Tone

lifts = st.floats(-50, 50)


def a_line(
    low: float | None = -0.02,
    high: float | None = 0.04,
    *,
    metric: str = "Revenue",
    arm: str = "New",
    known: float | None = None,
    problem: str | None = None,
) -> Line:
    middle = None if low is None or high is None else (low + high) / 2
    return Line(
        metric=metric, arm=arm, tone=Tone.OPEN, estimate=middle, low=low, high=high, known=known,
        numbers="+1% (−2% to +4%)", problem=problem,
    )  # fmt: skip


def drawn(*lines: Line) -> Plot:
    made = plot(lines, title="Lifts")
    assert made is not None
    return made


@settings(deadline=None)
@given(st.lists(st.tuples(lifts, lifts).map(sorted), min_size=1, max_size=12))
def test_marks_stay_on_the_plot_and_in_order(intervals: list[list[float]]) -> None:
    made = drawn(*(a_line(low, high) for low, high in intervals))

    for row in made.rows:
        assert row.mark is not None
        assert 0 <= row.mark.x_low <= row.mark.x_high <= 100
        if row.mark.x_estimate is not None:
            assert row.mark.x_low <= row.mark.x_estimate + 0.001
            assert row.mark.x_estimate <= row.mark.x_high + 0.001


@settings(deadline=None)
@given(st.lists(st.tuples(lifts, lifts).map(sorted), min_size=1, max_size=12))
def test_zero_is_always_marked_and_separates_better_from_worse(intervals: list[list[float]]) -> None:
    made = drawn(*(a_line(low, high) for low, high in intervals))

    (zero,) = (tick for tick in made.ticks if tick.is_zero)
    for row, (low, high) in zip(made.rows, intervals, strict=True):
        assert row.mark is not None
        assert (row.mark.x_low > zero.x) <= (low > 0)
        assert (row.mark.x_high < zero.x) <= (high < 0)


@settings(deadline=None)
@given(st.lists(st.tuples(lifts, lifts).map(sorted), min_size=1, max_size=12))
def test_ticks_are_few_and_their_labels_differ(intervals: list[list[float]]) -> None:
    ticks = drawn(*(a_line(low, high) for low, high in intervals)).ticks

    assert 1 <= len(ticks) <= 7
    assert len({tick.label for tick in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-0.07, 0.026, ["−6%", "−4%", "−2%", "0", "+2%"]),
        (0.0, 0.13, ["0", "+2.5%", "+5.0%", "+7.5%", "+10.0%", "+12.5%"]),
        (-0.0004, 0.0008, ["−0.025%", "0", "+0.025%", "+0.050%", "+0.075%"]),
        (-3.0, 12.0, ["0", "+500%", "+1,000%"]),
    ],
)
def test_ticks_are_round_percentages(low: float, high: float, labels: list[str]) -> None:
    assert [tick.label for tick in drawn(a_line(low, high)).ticks] == labels


def test_a_very_long_interval_ends_in_an_arrow_and_leaves_the_others_readable() -> None:
    made = drawn(a_line(-0.02, 0.04), a_line(0.01, 0.05), a_line(-90.0, 80.0))

    first, _, last = (row.mark for row in made.rows)
    assert first is not None
    assert last is not None
    assert (last.arrow_low, last.arrow_high) == (True, True)
    assert first.x_high - first.x_low > 5
    assert made.has_arrow


def test_an_interval_without_an_end_has_an_arrow() -> None:
    mark = drawn(a_line(), a_line(0.01, None)).rows[1].mark

    assert mark is not None
    assert (mark.arrow_low, mark.arrow_high) == (False, True)


def test_an_interval_wholly_beyond_the_axis_shows_only_its_direction() -> None:
    mark = drawn(*[a_line()] * 4, a_line(40.0, 60.0)).rows[-1].mark

    assert mark is not None
    assert (mark.x_low, mark.x_high, mark.x_estimate) == (100.0, 100.0, None)
    assert (mark.arrow_low, mark.arrow_high) == (False, True)


def test_a_known_effect_stands_on_the_same_scale() -> None:
    made = drawn(a_line(-0.02, 0.04, known=0.01))

    assert made.rows[0].mark is not None
    assert made.rows[0].mark.x_known == made.rows[0].mark.x_estimate
    assert made.has_known


def test_what_cannot_be_computed_has_its_row_but_no_mark() -> None:
    made = drawn(a_line(), a_line(None, None, metric="Ratio", problem="a variant has no units"))

    assert [row.mark is None for row in made.rows] == [False, True]
    assert "Ratio, New: cannot be computed, because a variant has no units." in made.description


def test_there_is_no_plot_without_anything_to_draw() -> None:
    assert plot([], title="Lifts") is None
    assert plot([a_line(None, None, problem="a variant has no units")], title="Lifts") is None


def test_intervals_of_no_width_at_zero_are_drawn() -> None:
    made = drawn(a_line(0.0, 0.0))

    assert made.rows[0].mark is not None
    assert made.rows[0].mark.x_estimate == 50.0


def test_a_metric_with_several_arms_heads_them() -> None:
    made = drawn(a_line(metric="Visits"), a_line(), a_line(arm="Newest"))

    assert [heading.name for heading in made.headings] == ["Revenue"]
    assert [row.name for row in made.rows] == ["Visits", "New", "Newest"]


def test_rows_do_not_overlap_and_end_above_the_axis() -> None:
    made = drawn(*[a_line()] * 3)

    tops = [row.y for row in made.rows]
    assert all(below - above >= 40 for above, below in zip(tops, [*tops[1:], made.axis_y], strict=True))


def test_a_long_name_is_shortened() -> None:
    name = drawn(a_line(metric="x" * 200)).rows[0].name

    assert len(name) == LONGEST_NAME
    assert name.endswith("…")
