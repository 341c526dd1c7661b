"""Windows of time: which one it is, when the next begins, and where a unit stands on the line in it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from assay_engine.bucketing import Bucket, prepare, unit_text
from assay_engine.model import Bucketing, Windows
from assay_engine.values import AttributeValue

Placed = Callable[[AttributeValue, datetime], float | None]


def window_at(windows: Windows, at: datetime) -> int:
    """The number of the window that a moment lies in; the one that begins at the anchor is 0."""
    return (at - windows.anchor) // timedelta(minutes=windows.minutes)


def begin_of(windows: Windows, number: int) -> datetime:
    """When a window begins; the one before ends there.

    Raises:
        OverflowError: Beyond the calendar.
    """
    return windows.anchor + number * timedelta(minutes=windows.minutes)


def next_window(windows: Windows, at: datetime) -> datetime:
    """When the window after the one of this moment begins."""
    return begin_of(windows, window_at(windows, at) + 1)


def hashed_text(text: str, windows: Windows, number: int) -> str:
    """What is hashed in place of the unit: with its block at the end, which no bucketer cuts off."""
    return f"{text}:{number // windows.block}"


def placed_by(bucketing: Bucketing, windows: Windows) -> Placed:
    """A unit's place on the line at a moment; None for what is no unit."""
    bucket, total, block = prepare(bucketing), bucketing.total, windows.block

    def place(unit: AttributeValue, at: datetime) -> float | None:
        text = unit_text(unit)
        if not text:
            return None
        number = window_at(windows, at)
        return _turned(bucket, hashed_text(text, windows, number), number % block, total, block)

    return place


def _turned(bucket: Bucket, text: str, position: int, total: int, block: int) -> float | None:
    # A turn by equal parts of the line keeps every place as likely, and visits each share in its turn.
    place = bucket(text)
    return None if place is None else (place + position * total // block) % total
