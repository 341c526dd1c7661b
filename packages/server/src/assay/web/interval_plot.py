"""Geometry of the interval plot: every comparison on one scale of lifts, as numbers a template can draw.

Horizontal places are percent of the plot's width, vertical ones pixels, so that the drawing fits any screen
while its letters keep their size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from statistics import median

from assay.web.verdict import Tone

ROW_HEIGHT = 44
HEADING_HEIGHT = 30
FIRST_ROW = 8
LAST_ROW = 6
AXIS_HEIGHT = 30
LONGEST_NAME = 38
MOST_TICKS = 6
# Air between the outermost mark and the edge, as a share of the span.
AIR = 0.06
# An interval far wider than its neighbours would squeeze them to dots; it ends in an arrow instead.
LONGEST_BY_MEDIAN = 6.0
# Intervals of hardly any width need a scale all the same; lifts finer than this are noise of floating point.
SMALLEST_SPAN = 1e-6
AIR_AROUND_NOTHING = 0.005


@dataclass(frozen=True, slots=True)
class Line:
    """What the plot is told about a comparison.

    Attributes:
        low: End of the interval of the lift, a share; None where it is unbounded.
        known: A lift known in advance.
        numbers: The lift and its interval in words.
        problem: Why there is no lift; then nothing is drawn.
    """

    metric: str
    arm: str
    tone: Tone
    estimate: float | None
    low: float | None
    high: float | None
    known: float | None
    numbers: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis with its label."""

    x: float
    label: str
    is_zero: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """An interval as drawn; an arrow stands where it goes on beyond the axis."""

    x_low: float
    x_high: float
    x_estimate: float | None
    x_known: float | None
    arrow_low: bool
    arrow_high: bool


@dataclass(frozen=True, slots=True)
class Heading:
    """A metric with several rows."""

    name: str
    y: int


@dataclass(frozen=True, slots=True)
class Row:
    """A comparison in the plot."""

    name: str
    numbers: str
    tone: Tone
    y: int
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything the template draws."""

    title: str
    description: str
    height: int
    axis_y: int
    ticks: Sequence[Tick]
    headings: Sequence[Heading]
    rows: Sequence[Row]
    has_known: bool
    has_arrow: bool


def plot(lines: Sequence[Line], *, title: str) -> Plot | None:
    """The drawing of these comparisons in their order, or None when there is nothing to draw."""
    if all(line.problem is not None for line in lines):
        return None
    axis = _Axis.around(lines)
    headings, rows, end = _laid_out(lines, axis)
    axis_y = end + LAST_ROW
    marks = [row.mark for row in rows if row.mark is not None]
    return Plot(
        title=title,
        description=" ".join(_spoken(line) for line in lines),
        height=axis_y + AXIS_HEIGHT,
        axis_y=axis_y,
        ticks=axis.ticks(),
        headings=headings,
        rows=rows,
        has_known=any(mark.x_known is not None for mark in marks),
        has_arrow=any(mark.arrow_low or mark.arrow_high for mark in marks),
    )


def _laid_out(lines: Sequence[Line], axis: "_Axis") -> tuple[list[Heading], list[Row], int]:
    headings: list[Heading] = []
    rows: list[Row] = []
    y = FIRST_ROW
    for metric, group in groupby(lines, key=attrgetter("metric")):
        comparisons = list(group)
        if len(comparisons) > 1:
            headings.append(Heading(_shortened(metric), y))
            y += HEADING_HEIGHT
        for line in comparisons:
            rows.append(_row(line, metric if len(comparisons) == 1 else line.arm, y, axis))
            y += ROW_HEIGHT
    return headings, rows, y


def _row(line: Line, name: str, y: int, axis: "_Axis") -> Row:
    return Row(
        name=_shortened(name),
        numbers="" if line.problem else line.numbers,
        tone=line.tone,
        y=y,
        mark=None if line.problem else axis.mark(line),
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float

    @classmethod
    def around(cls, lines: Sequence[Line]) -> "_Axis":
        reach = _longest_reach(lines)
        places = [max(-reach, min(reach, place)) for line in lines for place in _places(line)]
        low, high = min(0.0, *places), max(0.0, *places)
        air = AIR * (high - low) if high - low > SMALLEST_SPAN else AIR_AROUND_NOTHING
        return cls(low - air, high + air)

    def x(self, lift: float) -> float:
        return round(100 * (lift - self.low) / (self.high - self.low), 3)

    def mark(self, line: Line) -> Mark:
        low = -math.inf if line.low is None else line.low
        high = math.inf if line.high is None else line.high
        return Mark(
            x_low=self.x(self._clipped(low)),
            x_high=self.x(self._clipped(high)),
            x_estimate=self._x_within(line.estimate),
            x_known=self._x_within(line.known),
            arrow_low=low < self.low,
            arrow_high=high > self.high,
        )

    def ticks(self) -> list[Tick]:
        step = _round_step((self.high - self.low) / MOST_TICKS)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        decimals = _decimals(100 * step)
        return [
            Tick(self.x(index * step), _tick_label(index * step, decimals), is_zero=index == 0)
            for index in range(first, last + 1)
        ]

    def _clipped(self, lift: float) -> float:
        return max(self.low, min(self.high, lift))

    def _x_within(self, lift: float | None) -> float | None:
        return None if lift is None or not self.low <= lift <= self.high else self.x(lift)


def _places(line: Line) -> list[float]:
    if line.problem is not None:
        return []
    return [place for place in (line.low, line.estimate, line.high, line.known) if place is not None]


def _longest_reach(lines: Sequence[Line]) -> float:
    reaches = [max(abs(place) for place in places) for line in lines if (places := _places(line))]
    return LONGEST_BY_MEDIAN * median(reaches) if reaches and median(reaches) > 0 else math.inf


def _round_step(at_least: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(at_least))
    return next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= at_least)


def _decimals(step: float) -> int:
    return next(count for count in range(12) if math.isclose(round(step, count), step, rel_tol=1e-9))


def _tick_label(lift: float, decimals: int) -> str:
    if lift == 0:
        return "0"
    sign = "+" if lift > 0 else "−"
    return f"{sign}{abs(lift) * 100:,.{decimals}f}%"


def _spoken(line: Line) -> str:
    found = f"cannot be computed, because {line.problem}" if line.problem else line.numbers
    return f"{line.metric}, {line.arm}: {found}."


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"
