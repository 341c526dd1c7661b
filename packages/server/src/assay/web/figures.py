"""Numbers as the pages show them, each beside the exact value that the JSON gives."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from assay.analysis.document import Estimate
from assay.analysis.plan import Kind
from assay.shared.numbers import MISSING, number, probability

Writer = Callable[[float], str]
"""Writes the size of a stored number, without sign or unit."""

MINUS = "−"
# An interval's half-width is shown with this many significant digits; its ends and middle line up with it.
HALF_WIDTH_DIGITS = 3
# Beyond this many decimals people no longer count zeros.
MAX_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class Figure:
    """A number: exact for programs, rounded for people; None has no value."""

    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate and the ends of its interval; a missing end is unbounded."""

    estimate: Figure
    low: Figure
    high: Figure


@dataclass(frozen=True, slots=True)
class Scale:
    """How a kind of number is written.

    Attributes:
        factor: What the stored number is multiplied by.
        unit: What stands behind a number in a table.
        spelled: What stands behind it in a sentence.
    """

    factor: float
    unit: str
    spelled: str


PLAIN = Scale(1.0, "", "")
PERCENT = Scale(100.0, "%", "%")
POINTS = Scale(100.0, " pp", " percentage points")


def scale_of(kind: Kind) -> Scale:
    """How differences of a metric of this kind are written."""
    return POINTS if kind.is_share else PLAIN


def value_of(value: float | None, kind: Kind, beside: Estimate | None) -> Figure:
    """What an arm scored, such as a mean or a share, to the digits of a difference that stands beside it."""
    if value is None:
        return Figure(None, MISSING)
    scale = PERCENT if kind.is_share else PLAIN
    low, high = (beside.low, beside.high) if beside is not None else (None, None)
    sign = MINUS if value < 0 else ""
    return Figure(value, f"{sign}{writer(low, high, scale)(value)}{scale.unit}")


def plain(value: float | None) -> Figure:
    """Four significant digits."""
    return Figure(value, _typographic(number(value)))


def p_value(value: float | None) -> Figure:
    """A probability that may be tiny."""
    return Figure(value, _typographic(probability(value)))


def interval(estimate: Estimate, scale: Scale) -> Range:
    """An estimate with its interval, all to the digits that the interval's width can bear."""
    write = writer(estimate.low, estimate.high, scale)
    unbounded = estimate.undefined is None
    return Range(
        estimate=_signed(estimate.estimate, write, scale, missing=MISSING),
        low=_signed(estimate.low, write, scale, missing=f"{MINUS}∞" if unbounded else MISSING),
        high=_signed(estimate.high, write, scale, missing="+∞" if unbounded else MISSING),
    )


def change(value: float | None, error: float | None, scale: Scale) -> Figure:
    """A change to the digits that its standard error can bear."""
    low, high = (None, None) if value is None or error is None else (value - 2 * error, value + 2 * error)
    return _signed(value, writer(low, high, scale), scale, missing=MISSING)


def writer(low: float | None, high: float | None, scale: Scale) -> Writer:
    """Writes numbers to the digits that suit this interval."""
    half_width = 0.0 if low is None or high is None else (high - low) / 2 * scale.factor
    # A width may also underflow to 0 or overflow; it then says nothing about digits.
    if not 0 < half_width < math.inf:
        return lambda value: number(abs(value) * scale.factor)
    decimals = max(0, HALF_WIDTH_DIGITS - 1 - math.floor(math.log10(half_width)))
    if decimals > MAX_DECIMALS:
        return lambda value: f"{abs(value) * scale.factor:.{HALF_WIDTH_DIGITS}g}"
    return lambda value: f"{abs(value) * scale.factor:,.{decimals}f}"


def signed(value: float, write: Writer, scale: Scale) -> str:
    """A change: always with its sign, except where it rounds to nothing."""
    digits = write(value)
    is_zero = not digits.strip("0.,")
    sign = "" if is_zero else "+" if value > 0 else MINUS
    return f"{sign}{digits}{scale.unit}"


def _signed(value: float | None, write: Writer, scale: Scale, *, missing: str) -> Figure:
    return Figure(value, missing if value is None else signed(value, write, scale))


def _typographic(text: str) -> str:
    return text.replace("-", MINUS)
