"""Geometry of curves over days: numbers a template can draw, as places in percent of the plot."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

MOST_X_TICKS = 5
MOST_Y_TICKS = 4
AIR = 0.06
SMALLEST_SPAN = 1e-12
# A band of the first days may be so wide that it flattens all later ones; it is cut off instead.
WIDEST_BY_LAST = 6.0


@dataclass(frozen=True, slots=True)
class Day:
    """What a curve is told about a day; None where there is nothing to draw."""

    day: date
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis with its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through the days."""

    name: str
    points: str
    number: int


@dataclass(frozen=True, slots=True)
class Series:
    """Everything the template draws."""

    title: str
    description: str
    curves: Sequence[Curve]
    band: str | None
    zero: float | None
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]


def series(
    curves: Sequence[tuple[str, Sequence[Day]]], *, title: str, write: Callable[[float], str]
) -> Series | None:
    """The drawing of these curves over their days; None with fewer than two days to draw.

    Args:
        curves: Each with its name; the first one's band is drawn.
        write: A number on the vertical axis.
    """
    days = sorted({day.day for _, each in curves for day in each if day.value is not None})
    if len(days) < 2:  # noqa: PLR2004 — one day is no curve
        return None
    low, high = _reach(curves)
    frame = _Frame(days[0], days[-1], low, high)
    return Series(
        title=title,
        description=" ".join(_spoken(name, each, write) for name, each in curves),
        curves=[
            Curve(name, frame.line([(day.day, day.value) for day in each]), number)
            for number, (name, each) in enumerate(curves)
        ],
        band=frame.band(curves[0][1]),
        zero=frame.y(0.0) if low <= 0 <= high else None,
        x_ticks=frame.x_ticks(days),
        y_ticks=frame.y_ticks(write),
    )


def _reach(curves: Sequence[tuple[str, Sequence[Day]]]) -> tuple[float, float]:
    values = [day.value for _, each in curves for day in each if day.value is not None]
    last = next((day for day in reversed(curves[0][1]) if day.low is not None and day.high is not None), None)
    ends = [0.0, *values]
    if last is not None and last.low is not None and last.high is not None:
        reach = WIDEST_BY_LAST * max(abs(last.low), abs(last.high))
        bounds = [bound for day in curves[0][1] for bound in (day.low, day.high) if bound is not None]
        ends += [max(-reach, min(reach, bound)) for bound in bounds]
    low, high = min(ends), max(ends)
    air = AIR * max(high - low, SMALLEST_SPAN)
    return low - air, high + air


@dataclass(frozen=True, slots=True)
class _Frame:
    first: date
    last: date
    low: float
    high: float

    def x(self, day: date) -> float:
        return round(100 * (day - self.first).days / (self.last - self.first).days, 2)

    def y(self, value: float) -> float:
        inside = max(self.low, min(self.high, value))
        return round(100 * (self.high - inside) / (self.high - self.low), 2)

    def line(self, points: Sequence[tuple[date, float | None]]) -> str:
        return " ".join(f"{self.x(day)},{self.y(value)}" for day, value in points if value is not None)

    def band(self, days: Sequence[Day]) -> str | None:
        lows = [(day.day, day.low) for day in days if day.low is not None and day.high is not None]
        highs = [(day.day, day.high) for day in days if day.low is not None and day.high is not None]
        return f"{self.line(highs)} {self.line(lows[::-1])}" if len(lows) > 1 else None

    def x_ticks(self, days: Sequence[date]) -> list[Tick]:
        step = max(1, math.ceil((len(days) - 1) / MOST_X_TICKS))
        return [Tick(self.x(day), f"{day:%-d %b}") for day in days[::step]]

    def y_ticks(self, write: Callable[[float], str]) -> list[Tick]:
        step = _round_step((self.high - self.low) / MOST_Y_TICKS)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [Tick(self.y(number * step), write(number * step)) for number in range(first, last + 1)]


def _round_step(at_least: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(at_least))
    return next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= at_least)


def _spoken(name: str, days: Sequence[Day], write: Callable[[float], str]) -> str:
    known = [day for day in days if day.value is not None]
    if not known or known[-1].value is None:
        return f"{name}: nothing."
    last = known[-1]
    return f"{name}: {write(known[-1].value)} on {last.day:%-d %B %Y}."
