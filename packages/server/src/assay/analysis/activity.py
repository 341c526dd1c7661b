"""From events to numbers per unit, or per unit and day: one pass over a table for all metrics."""

from collections.abc import Sequence
from functools import reduce

import ibis
from ibis.expr.types import Table, Value

from assay.analysis import conditions
from assay.analysis.assignment import ARM, UNIT
from assay.analysis.conditions import FIRST_AT, day_of
from assay.analysis.funnel import completions
from assay.analysis.plan import Number, Window
from assay.analysis.properties import number_of
from assay.metrics.definition import Quantity
from assay.metrics.filters import Filtered

DAY = "day"


def activity(
    events: Table, assigned: Table, numbers: Sequence[Number], *, by_day: bool, dialect: str
) -> Table:
    """The numbers of every unit that did something.

    Args:
        events: Metric events among others.
        assigned: One row per unit, with `unit`, `arm` and `first_at`.
        numbers: What to make; all from this table.
        by_day: One row per unit and day (UTC) with its arm and what that day added, instead of one per unit.
            What happened before the first exposure counts for the day of the exposure.
        dialect: Of the table's engine.
    """
    joined = _joined(events, assigned, numbers, by_day=by_day)
    keys = [UNIT, ARM, DAY] if by_day else [UNIT]
    plain = [number for number in numbers if _is_plain(number)]
    others = [number for number in numbers if not _is_plain(number)]
    parts = [_plain(joined, plain, keys, dialect=dialect)] if plain else []
    parts += [_single(joined, number, keys, dialect=dialect) for number in others]
    return _together(parts, keys, [number.column for number in numbers])


def _joined(events: Table, assigned: Table, numbers: Sequence[Number], *, by_day: bool) -> Table:
    names = sorted({part.event for number in numbers for part in _filtered(number)})
    happened = events.filter((events["kind"] == "event") & events["name"].isin(names))
    carried = {ARM: assigned[ARM]} if by_day else {}
    units = assigned.select(known_unit=assigned[UNIT], first_at=assigned[FIRST_AT], **carried)
    earliest = conditions.later(units[FIRST_AT], min(number.window.from_hours for number in numbers))
    predicates = [happened[UNIT] == units["known_unit"], happened["at"] >= earliest]
    limits = [number.window.to_hours for number in numbers]
    if None not in limits:
        last = max(limit for limit in limits if limit is not None)
        predicates.append(happened["at"] < conditions.later(units[FIRST_AT], last))
    joined = happened.join(units, predicates)
    return joined.mutate(day=_counted_on(joined)) if by_day else joined


def _counted_on(joined: Table) -> Value:
    return ibis.greatest(day_of(joined["at"]), day_of(joined[FIRST_AT]))


def _filtered(number: Number) -> Sequence[Filtered]:
    return number.made_of if isinstance(number.made_of, tuple) else (number.made_of,)


def _is_plain(number: Number) -> bool:
    return isinstance(number.made_of, Quantity) and number.made_of.aggregate in {"sum", "count"}


def _plain(joined: Table, numbers: Sequence[Number], keys: Sequence[str], *, dialect: str) -> Table:
    common = _common_window(numbers)
    sums = {
        number.column: _sum(joined, number.made_of, _narrower(number.window, common), dialect=dialect)
        for number in numbers
        if isinstance(number.made_of, Quantity)
    }
    return joined.group_by(*keys).aggregate(**sums)


def _common_window(numbers: Sequence[Number]) -> Window | None:
    # Where all windows are one, the join has applied it already.
    windows = {number.window for number in numbers}
    return windows.pop() if len(windows) == 1 else None


def _narrower(window: Window, common: Window | None) -> Window | None:
    return None if window == common else window


def _sum(joined: Table, quantity: Quantity, window: Window | None, *, dialect: str) -> Value:
    counts = conditions.of(joined, quantity, dialect=dialect)
    if window is not None:
        counts &= conditions.within(joined, window)
    if quantity.aggregate == "count":
        # Not a sum of ones, whose running total takes four times the room of a count.
        return joined.count(where=counts).cast("float64")
    return _value(joined, quantity, dialect=dialect).sum(where=counts)


def _value(joined: Table, quantity: Quantity, *, dialect: str) -> Value:
    if quantity.property is None:
        return joined["value"].cast("float64")
    return number_of(conditions.property_text(joined, quantity.property, dialect=dialect))


def _single(joined: Table, number: Number, keys: Sequence[str], *, dialect: str) -> Table:
    if isinstance(number.made_of, tuple):
        carried = [ARM] if ARM in keys else []
        done = completions(joined, number.made_of, number.window, carried=carried, dialect=dialect)
        done = done.mutate(day=day_of(done["at"])) if DAY in keys else done
        return done.group_by(*keys).aggregate(**{number.column: done.count().cast("float64")})
    return _first_of_each(joined, number.made_of, number, keys, dialect=dialect)


def _first_of_each(
    joined: Table, quantity: Quantity, number: Number, keys: Sequence[str], *, dialect: str
) -> Table:
    # Each different value counts once, on the day it was first seen, so that days add up.
    counts = conditions.of(joined, quantity, dialect=dialect) & conditions.within(joined, number.window)
    counted = joined.filter(counts)
    what = (
        day_of(counted["at"])
        if quantity.property is None
        else conditions.property_text(counted, quantity.property, dialect=dialect)
    )
    each = counted.mutate(what=what)
    each = each.filter(each["what"].notnull())
    day = {DAY: each[DAY].min()} if DAY in keys else {}
    arm = [ARM] if ARM in keys else []
    first = each.group_by(UNIT, "what", *arm).aggregate(times=each.count(), **day)
    return first.group_by(*keys).aggregate(**{number.column: first.count().cast("float64")})


def _together(parts: Sequence[Table], keys: Sequence[str], columns: Sequence[str]) -> Table:
    if len(parts) == 1:
        return parts[0].select(*keys, *columns)
    missing = ibis.literal(None, type="float64")
    shaped = [
        part.select(*keys, **{name: part[name] if name in part.columns else missing for name in columns})
        for part in parts
    ]
    stacked = reduce(lambda left, right: left.union(right), shaped)
    return stacked.group_by(*keys).aggregate(**{name: stacked[name].sum() for name in columns})
