"""Results kept up to date: a new day reads its own events, not those of the days before.

Kept are who entered, who was seen in a second arm later, what each day added to each unit, and what each day
added to the sums of each arm. A day whose events changed after it was read is read again, and all after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import duckdb
import ibis
from ibis.expr.types import Table

from assay.analysis import aggregate, assignment, daily, units
from assay.analysis.activity import DAY, activity
from assay.analysis.assignment import ARM, IN_SEVERAL, UNIT
from assay.analysis.collected import Collected, Cut
from assay.analysis.conditions import FIRST_AT, SECONDS_PER_DAY, day_of
from assay.analysis.disturbances import Walked
from assay.analysis.plan import DoubleExposure, Number, Plan
from assay.analysis.reading import keep, records
from assay.analysis.stored import DOUBLED, ENTERED, ROWS, DamagedDays, Shelf, Stored
from assay.metrics.definition import Quantity

EventsBetween = Callable[[datetime | None, datetime | None], Table]
"""The events from one moment on and before another, either end open."""
DIALECT = "duckdb"
HOURS_PER_DAY = 24
# Of the row that sums up a unit's stored days: no day that can be.
LONG_BEFORE = -(1 << 40)
STORED_FROM_UNITS = 20


@dataclass(frozen=True, slots=True)
class Events:
    """The events of an experiment, by their time.

    Attributes:
        between: Asked for as few days as suffice; tables as for `computing.collect`.
        marks: Of each day since 1970 (UTC) that has events: another one when its events are others.
    """

    between: EventsBetween
    marks: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was collected, and what of it was known before.

    Attributes:
        read_from: The first day whose events were read; None when all were.
        stored: What is stored now, of whole days.
        because: Why days that had been stored were read again, None when none was.
    """

    collected: Collected
    read_from: int | None
    stored: Stored
    because: str | None = None


@dataclass(frozen=True, slots=True)
class _News:
    """What days brought that were not known."""

    entered: Table
    doubled: Table
    rows: Table
    is_first: bool


def can_refresh(plan: Plan) -> bool:
    """Whether a plan's days add up: no number needs the order of events, no cap all units at once."""
    return (
        plan.days_tell_all
        and plan.clustering is None
        and plan.batching is None
        and plan.until is None
        and plan.double_exposure is DoubleExposure.LEAVE_OUT
        and all(number.source is None and _adds_up(number) for number in plan.numbers)
    )


def refresh(shelf: Shelf, events: Events, plan: Plan, *, until: datetime) -> Refreshed:
    """What a plan asks for, reading only the events of days that are not stored as they are now.

    Args:
        shelf: Of this experiment and this plan's digest, and of nothing else.
        plan: One that `can_refresh`.
        until: End of the last whole day, a midnight in UTC. Days before it are stored; what comes later is
            in the result, and is read again the next time.
    """
    try:
        known, because = _still_true(shelf.load(), events.marks)
        return replace(_brought_up(shelf, events, plan, known, _day(until)), because=because)
    except (DamagedDays, duckdb.IOException, duckdb.InvalidInputException) as error:
        because = f"stored days were damaged ({_first_line(error)}), so all was read again"
        return replace(_brought_up(shelf, events, plan, Stored(), _day(until)), because=because)


def _adds_up(number: Number) -> bool:
    return isinstance(number.made_of, Quantity) and number.made_of.aggregate != "distinct"


def _still_true(known: Stored, marks: Mapping[int, str]) -> tuple[Stored, str | None]:
    """What is stored of the days before the first whose events are others now."""
    if known.end is None:
        return known, None
    days = {day for day in {*known.marks, *marks} if day < known.end}
    changed = [day for day in sorted(days) if known.marks.get(day) != marks.get(day)]
    if not changed:
        return known, None
    because = (
        f"events of {_moment(changed[0]):%Y-%m-%d} came or went since they were stored, "
        "so that day and later ones were read again"
    )
    return known.before(changed[0]), because


def _brought_up(shelf: Shelf, events: Events, plan: Plan, known: Stored, end: int) -> Refreshed:
    read_from = known.end
    if any((known.end or 0) <= day < end for day in events.marks):
        with ExitStack() as kept:
            news = _news(shelf, events, plan, known, end, kept)
            advanced = _added(shelf, plan, known, news, end)
            # Too few units do not tell what to subtract, and are counted anew in no time.
            if sum(row["units"] for row in advanced.counts) >= STORED_FROM_UNITS:
                known = _saved(shelf, events, advanced, known, news)
    if any(day >= (known.end or 0) for day in events.marks):
        with ExitStack() as kept:
            news = _news(shelf, events, plan, known, None, kept)
            return Refreshed(_collected(_added(shelf, plan, known, news, None), plan), read_from, known)
    return Refreshed(_collected(known, plan), read_from, known)


def walked(shelf: Shelf, plan: Plan, stored: Stored) -> Walked:
    """Who was exposed on stored days and counts, and what each of these days added to each unit."""
    entered = assignment.assigned(shelf.entered(stored), plan).select(UNIT, ARM, FIRST_AT)
    members = entered.anti_join(shelf.doubled(stored), UNIT)
    return Walked(members, shelf.rows(stored).semi_join(members, UNIT))


def _saved(shelf: Shelf, events: Events, advanced: Stored, before: Stored, news: _News) -> Stored:
    end = advanced.end or 0
    first = min((row[DAY] for row in advanced.counts), default=end) if before.end is None else before.end
    chunk = shelf.write(first, end, {ENTERED: news.entered, DOUBLED: news.doubled, ROWS: news.rows})
    marks = {day: mark for day, mark in events.marks.items() if day < end}
    stored = replace(advanced, marks=marks, chunks=shelf.tidied([*before.chunks, chunk]))
    shelf.save(stored)
    return stored


def _added(shelf: Shelf, plan: Plan, known: Stored, news: _News, end: int | None) -> Stored:
    """What is known together with the news; the files are as they were."""
    first = [] if news.is_first else _first_days(news)
    rows = _with_past(shelf, plan, known, news)
    rows = rows.union(_of_doubled(shelf, known, news, first, rows)) if first else rows
    shifts = known.shifts or aggregate.pilot_shifts(
        _unit_table(news, plan), aggregate.blocks_of(plan.metrics)
    )
    counts = [*known.counts, *_counted(news.entered), *_moved(first)]
    return replace(
        known,
        end=known.end if end is None else end,
        shifts=shifts,
        counts=_totals(counts, (DAY, ARM, IN_SEVERAL)),
        sums=_totals([*known.sums, *_changes(rows, plan, known, shifts)], (DAY, ARM)),
    )


def _changes(rows: Table, plan: Plan, known: Stored, shifts: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """What the rows add to the sums of days; on stored days they are of units that do not count any more."""
    blocks = aggregate.blocks_of(plan.metrics)
    limits = {measure.column: units.Limits(high=measure.cap_value) for measure in plan.measures}
    for row in records(daily.daily_sums(rows, blocks, plan.measures, limits=limits, shifts=shifts)):
        if known.end is None or row[DAY] >= known.end:
            yield row
        elif row[DAY] != LONG_BEFORE:
            yield _negative(row)


def _news(shelf: Shelf, events: Events, plan: Plan, known: Stored, end: int | None, kept: ExitStack) -> _News:
    new = events.between(_moment(known.end), _moment(end))
    first = assignment.first_exposures(new, plan, dialect=DIALECT)
    seen = keep(first.mutate(day=day_of(first[FIRST_AT])), kept)
    if known.end is None:
        entered, doubled, members = seen, seen.filter(ibis.literal(False)).select(UNIT, ARM, DAY), None
    else:
        met = keep(_met(shelf.entered(known), seen), kept)
        entered = keep(seen.anti_join(met, UNIT), kept)
        doubled = met.filter(met["turns"]).drop("turns").anti_join(shelf.doubled(known), UNIT)
        doubled = keep(doubled, kept)
        members = _open(shelf, plan, known, doubled)
    entering = assignment.assigned(entered, plan).drop(DAY)
    everybody = entering if members is None else members.union(entering.select(*members.columns))
    parts = [
        activity(new, everybody, plan.numbers, by_day=True, dialect=DIALECT),
        *_past(events, plan, known, entering),
    ]
    rows = keep(daily.unit_days(entering, parts, plan.numbers), kept)
    return _News(entered, doubled, rows, is_first=known.end is None)


def _met(entered: Table, seen: Table) -> Table:
    """Units that were known already, and whether the new exposures put them into a second arm."""
    now = seen.select(met_unit=seen[UNIT], met_arm=seen[ARM], met_several=seen[IN_SEVERAL])
    both = entered.join(now, entered[UNIT] == now["met_unit"])
    turns = ~both[IN_SEVERAL] & (both["met_several"] | (both[ARM] != both["met_arm"]))
    return both.select(UNIT, ARM, DAY, turns=turns)


def _open(shelf: Shelf, plan: Plan, known: Stored, doubled: Table) -> Table:
    """Units that entered before and whose windows reach into the new days."""
    entered = shelf.entered(known, since=_open_since(plan, known))
    members = assignment.assigned(entered, plan).select(UNIT, ARM, FIRST_AT)
    return members.anti_join(shelf.doubled(known), UNIT).anti_join(doubled, UNIT)


def _open_since(plan: Plan, known: Stored) -> int | None:
    ends = [number.window.to_hours for number in plan.numbers]
    if known.end is None or None in ends:
        return None
    return known.end - ceil(max(end or 0 for end in ends) / HOURS_PER_DAY) - 1


def _past(events: Events, plan: Plan, known: Stored, entered: Table) -> Sequence[Table]:
    """What units that entered only now did before, when covariates look back over stored days."""
    before = [number for number in plan.numbers if number.window.from_hours < 0]
    if not before or known.end is None:
        return []
    days = ceil(-min(number.window.from_hours for number in before) / HOURS_PER_DAY)
    old = events.between(_moment(known.end - days), _moment(known.end))
    return [activity(old, entered, before, by_day=True, dialect=DIALECT)]


def _unit_table(news: _News, plan: Plan) -> Table:
    entering = assignment.assigned(news.entered, plan).drop(DAY)
    table = units.of_days(news.rows, entering, plan.numbers)
    none = {measure.column: units.Limits(high=measure.cap_value) for measure in plan.measures}
    return units.with_measures(table, plan.measures, none)


def _with_past(shelf: Shelf, plan: Plan, known: Stored, news: _News) -> Table:
    """The new rows after one that sums up what each of their units had before."""
    if known.end is None:
        return news.rows
    past = shelf.rows(known, since=_open_since(plan, known)).semi_join(news.rows, UNIT)
    numbers = [name for name in past.columns if name not in {UNIT, ARM, DAY, daily.ENTERS}]
    summed = past.group_by(UNIT, ARM).aggregate(**{name: past[name].sum() for name in numbers})
    before = summed.mutate(day=ibis.literal(LONG_BEFORE), enters=ibis.literal(0))
    return _shape(before, numbers).union(_shape(news.rows, numbers))


def _of_doubled(
    shelf: Shelf, known: Stored, news: _News, first: Sequence[Mapping[str, Any]], like: Table
) -> Table:
    # Who is in several arms is in none of the new rows: one walk over both does not mix them.
    rows = shelf.rows(known, since=min(row[DAY] for row in first)).semi_join(news.doubled, UNIT)
    return _shape(rows, [name for name in like.columns if name not in {UNIT, ARM, DAY, daily.ENTERS}])


def _first_days(news: _News) -> list[dict[str, Any]]:
    """How many of the units that are now in several arms had entered when, in which arm."""
    return records(news.doubled.group_by(DAY, ARM).aggregate(units=news.doubled.count()))


def _moved(first: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Units that were counted in one arm and now are in several."""
    return [
        {**row, IN_SEVERAL: several, "units": sign * row["units"]}
        for row in first
        for several, sign in ((False, -1), (True, 1))
    ]


def _counted(entered: Table) -> list[dict[str, Any]]:
    return records(entered.group_by(DAY, ARM, IN_SEVERAL).aggregate(units=entered.count()))


def _shape(rows: Table, numbers: Sequence[str]) -> Table:
    kinds = {DAY: "int64", daily.ENTERS: "int64"} | dict.fromkeys(numbers, "float64")
    return rows.select(UNIT, ARM, **{name: rows[name].cast(kind) for name, kind in kinds.items()})


def _negative(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {ARM: row[ARM], DAY: row[DAY]}
    return {name: -value for name, value in row.items() if name not in kept} | kept


def _totals(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """One row per key, everything else added up."""
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        total = found.setdefault(tuple(row[key] for key in keys), {})
        for name in row.keys() - set(keys):
            total[name] = total.get(name, 0) + (row[name] or 0)
    return [dict(zip(keys, key, strict=True)) | total for key, total in sorted(found.items())]


def _collected(known: Stored, plan: Plan) -> Collected:
    blocks = aggregate.blocks_of(plan.metrics)
    # A day on which only units were active that do not count any more is as if it had not been.
    days = [row for row in known.sums if row[daily.UNIT_DAYS] > 0]
    looks = daily.looks_of(days, blocks, known.shifts or {})
    counts, excluded = assignment.counts_of(known.counts, plan)
    return Collected(
        whole=Cut(counts, daily.latest(looks)),
        excluded=excluded,
        looks={metric.key: looks for metric in plan.metrics},
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _day(moment: datetime) -> int:
    return int(moment.timestamp()) // SECONDS_PER_DAY


def _moment(day: int | None) -> datetime | None:
    return None if day is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
