"""Results kept up to date: a new day reads its own events, not those of the days before.

Kept are who was exposed, what each day added to each unit, and what each day added to the sums of each arm.
Files are written beside the old ones and the manifest last, by a rename: a refresh that dies never was.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import ibis
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis import aggregate, assignment, daily, units
from assay.analysis.activity import DAY, activity
from assay.analysis.assignment import ARM, IN_SEVERAL, UNIT
from assay.analysis.collected import Collected, Cut, Excluded, Looks
from assay.analysis.conditions import FIRST_AT, SECONDS_PER_DAY, day_of
from assay.analysis.plan import DoubleExposure, Number, Plan
from assay.analysis.reading import keep, records
from assay.analysis.stored import Days, Stored, load, save
from assay.metrics.definition import Quantity

EventsBetween = Callable[[datetime | None, datetime | None], Table]
"""The events from one moment on and before another, either end open."""
DIALECT = "duckdb"


@dataclass(frozen=True, slots=True)
class _News:
    """What the days since the last refresh brought."""

    exposed: Table
    entered: Table
    doubled: Table
    rows: Table


def can_refresh(plan: Plan) -> bool:
    """Whether a plan's days add up: no number needs the order of events, no cap all units at once."""
    return (
        plan.has_looks
        and plan.clustering is None
        and not plan.segments
        and plan.double_exposure is DoubleExposure.LEAVE_OUT
        and all(metric.quantile is None for metric in plan.metrics)
        and all(measure.cap_quantile is None and measure.floor_quantile is None for measure in plan.measures)
        and all(number.source is None and _adds_up(number) for number in plan.numbers)
    )


def refresh(
    engine: Backend,
    events: EventsBetween,
    plan: Plan,
    folder: Path,
    *,
    until: datetime,
    late_from: datetime | None = None,
) -> Collected:
    """What a plan asks for, reading only events that came since the last refresh.

    Args:
        engine: Where the events are, and where stored files are read.
        events: Asked for as few days as suffice; tables as for `computing.collect`.
        plan: One that `can_refresh`.
        folder: Of this experiment and this plan's digest, and of nothing else.
        until: End of the last whole day to include, a midnight in UTC.
        late_from: Begin of the first stored day that got events since; it and later ones are read again.
    """
    end = _day(until)
    with ExitStack() as kept:
        known = load(engine, folder)
        known = known if late_from is None else known.before(_day(late_from))
        if known.end is None or known.end < end:
            known = _advanced(engine, events, plan, known, end, folder, kept)
        return _collected(known, plan)


def _adds_up(number: Number) -> bool:
    return isinstance(number.made_of, Quantity) and number.made_of.aggregate != "distinct"


def _advanced(
    engine: Backend,
    events: EventsBetween,
    plan: Plan,
    known: Stored,
    end: int,
    folder: Path,
    kept: ExitStack,
) -> Stored:
    news = _news(events, plan, known, end, kept)
    blocks = aggregate.blocks_of(plan.metrics)
    shifts = known.shifts or aggregate.pilot_shifts(_unit_table(news, plan), blocks)
    limits = {measure.column: units.Limits(high=measure.cap_value) for measure in plan.measures}

    def sums(rows: Table) -> list[dict[str, Any]]:
        found = daily.daily_sums(rows, blocks, plan.measures, limits=limits, shifts=shifts)
        return records(found)

    gone = sums(_rows_of(known.days, news.doubled)) if known.days is not None else []
    added = [row for row in sums(_with_past(known, news)) if known.end is None or row[DAY] >= known.end]
    advanced = replace(known, end=end, shifts=shifts, sums=[*known.sums, *added, *map(_negative, gone)])
    return save(engine, folder, advanced, exposed=news.exposed, days=Days(news.rows, end))


def _news(events: EventsBetween, plan: Plan, known: Stored, end: int, kept: ExitStack) -> _News:
    new = events(None if known.end is None else _moment(known.end), _moment(end))
    seen = assignment.first_exposures(new, plan, dialect=DIALECT)
    exposed = seen if known.exposed is None else _merged(known.exposed, seen)
    exposed = keep(exposed, kept)
    members = assignment.assigned(exposed, plan)
    since = known.end
    entered = members if since is None else members.filter(day_of(members[FIRST_AT]) >= since)
    doubled = exposed.filter(exposed[IN_SEVERAL])
    parts = [
        activity(new, members, plan.numbers, by_day=True, dialect=DIALECT),
        *_past(events, plan, known, entered),
    ]
    rows = keep(daily.unit_days(entered, parts, plan.numbers), kept)
    return _News(exposed, entered, _newly(doubled, known), rows)


def _merged(known: Table, seen: Table) -> Table:
    both = known.union(seen.select(*known.columns))
    merged = both.group_by(UNIT).aggregate(
        first_at=both[FIRST_AT].min(),
        arm=both[ARM].min(),
        highest=both[ARM].max(),
        several=both[IN_SEVERAL].cast("int64").max(),
    )
    in_several = (merged["several"] == 1) | (merged[ARM] != merged["highest"])
    return merged.select(UNIT, FIRST_AT, ARM, in_several=in_several)


def _newly(doubled: Table, known: Stored) -> Table:
    if known.exposed is None:
        return doubled.select(UNIT)
    before = known.exposed.filter(known.exposed[IN_SEVERAL])
    return doubled.anti_join(before, UNIT).select(UNIT)


def _past(events: EventsBetween, plan: Plan, known: Stored, entered: Table) -> Sequence[Table]:
    """What units that entered only now did before, when covariates look back over stored days."""
    before = [number for number in plan.numbers if number.window.from_hours < 0]
    if not before or known.end is None:
        return []
    days = ceil(-min(number.window.from_hours for number in before) / 24)
    old = events(_moment(known.end - days), _moment(known.end))
    return [activity(old, entered, before, by_day=True, dialect=DIALECT)]


def _unit_table(news: _News, plan: Plan) -> Table:
    table = units.of_days(news.rows, news.entered, plan.numbers)
    none = {measure.column: units.Limits(high=measure.cap_value) for measure in plan.measures}
    return units.with_measures(table, plan.measures, none)


def _with_past(known: Stored, news: _News) -> Table:
    if known.days is None or known.end is None:
        return news.rows
    past = _rows_of(known.days, news.rows.select(UNIT).distinct())
    numbers = [name for name in past.columns if name not in {UNIT, ARM, DAY, daily.ENTERS}]
    summed = past.group_by(UNIT, ARM).aggregate(**{name: past[name].sum() for name in numbers})
    before = summed.mutate(
        day=ibis.literal(known.end - 1).cast("int64"), enters=ibis.literal(0).cast("int64")
    )
    return _shape(before, numbers).union(_shape(news.rows, numbers))


def _rows_of(days: Table, wanted: Table) -> Table:
    return days.semi_join(wanted, UNIT)


def _shape(rows: Table, numbers: Sequence[str]) -> Table:
    kinds = {DAY: "int64", daily.ENTERS: "int64"} | dict.fromkeys(numbers, "float64")
    return rows.select(UNIT, ARM, **{name: rows[name].cast(kind) for name, kind in kinds.items()})


def _negative(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {ARM: row[ARM], DAY: row[DAY]}
    return {name: -value for name, value in row.items() if name not in kept} | kept


def _collected(known: Stored, plan: Plan) -> Collected:
    blocks = aggregate.blocks_of(plan.metrics)
    looks = daily.looks_of(known.sums, blocks, known.shifts or {})
    counts, excluded = ({}, Excluded()) if known.exposed is None else assignment.counted(known.exposed, plan)
    return Collected(
        whole=Cut(counts, _last(looks)),
        excluded=excluded,
        looks={metric.key: looks for metric in plan.metrics},
    )


def _last(looks: Looks) -> dict[str, Any]:
    return {key: {arm: found[-1] for arm, found in arms.items()} for key, arms in looks.moments.items()}


def _day(moment: datetime) -> int:
    return int(moment.timestamp()) // SECONDS_PER_DAY


def _moment(day: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
