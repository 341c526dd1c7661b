"""Filters, windows and days as expressions over rows of events."""

from collections.abc import Sequence
from typing import assert_never

import ibis
from ibis.expr.types import Table, Value

from assay.analysis.plan import Window
from assay.analysis.properties import number_of, text_of
from assay.metrics.filters import Comparison, Equality, Filter, Filtered, Membership, Presence, Wording

FIRST_AT = "first_at"
SECONDS_PER_DAY = 86_400


def day_of(at: Value) -> Value:
    """The day in UTC as whole days since 1970, whatever the session's time zone."""
    return at.epoch_seconds() // SECONDS_PER_DAY


def of(events: Table, filtered: Filtered, *, dialect: str) -> Value:
    """Whether an event has the name and meets every filter."""
    condition = events["name"] == filtered.event
    for each in filtered.filters:
        condition &= _holds(events, each, dialect=dialect)
    return condition


def within(events: Table, window: Window) -> Value:
    """Whether an event lies in the window around its unit's first exposure."""
    inside = events["at"] >= later(events[FIRST_AT], window.from_hours)
    if window.to_hours is not None:
        inside &= events["at"] < later(events[FIRST_AT], window.to_hours)
    return inside


def later(at: Value, hours: int) -> Value:
    """The moment so many hours later, or earlier when they are negative."""
    if hours == 0:
        return at
    return at + ibis.interval(hours=hours) if hours > 0 else at - ibis.interval(hours=-hours)


def property_text(events: Table, name: str, *, dialect: str) -> Value:
    """A property of the event as text."""
    return text_of(events["properties"], name, dialect=dialect)


def _holds(events: Table, condition: Filter, *, dialect: str) -> Value:
    text = None if condition.property is None else property_text(events, condition.property, dialect=dialect)
    number = events["value"] if text is None else number_of(text)
    match condition:
        case Comparison():
            return _known(_compared(number, condition))
        case Equality():
            equal = _known(_equals(text, number, condition.value))
            return equal if condition.operator == "equals" else _there(text, number) & ~equal
        case Membership():
            member = _is_one_of(text, number, condition.values)
            return member if condition.operator == "in" else _there(text, number) & ~member
        case Wording():
            return _known(_worded(property_text(events, condition.property, dialect=dialect), condition))
        case Presence():
            there = _there(text, number)
            return there if condition.operator == "present" else ~there
        case _:
            assert_never(condition)


def _known(condition: Value) -> Value:
    # Three-valued logic would make "not one of" false where the property is missing, or true, by accident.
    return condition.fill_null(False)


def _there(text: Value | None, number: Value) -> Value:
    return number.notnull() if text is None else text.notnull()


def _compared(number: Value, condition: Comparison) -> Value:
    match condition.operator:
        case "less":
            return number < condition.value
        case "at_most":
            return number <= condition.value
        case "greater":
            return number > condition.value
        case "at_least":
            return number >= condition.value
        case _:
            assert_never(condition.operator)


def _equals(text: Value | None, number: Value, value: bool | float | str) -> Value:
    if isinstance(value, bool):
        return ibis.literal(False) if text is None else text == ("true" if value else "false")
    if isinstance(value, str):
        return ibis.literal(False) if text is None else text == value
    return number == value


def _is_one_of(text: Value | None, number: Value, values: Sequence[float | str]) -> Value:
    # A list for each type, not a chain of comparisons: Ibis walks into a chain's every link.
    words = [value for value in values if isinstance(value, str)]
    figures = [value for value in values if not isinstance(value, str)]
    of_number = _known(number.isin(figures)) if figures else ibis.literal(False)
    return of_number if text is None or not words else of_number | _known(text.isin(words))


def _worded(text: Value, condition: Wording) -> Value:
    match condition.operator:
        case "contains":
            return text.contains(condition.value)
        case "starts_with":
            return text.startswith(condition.value)
        case "ends_with":
            return text.endswith(condition.value)
        case _:
            assert_never(condition.operator)
