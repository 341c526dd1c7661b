"""One row per unit: its arm, its numbers, what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from assay.analysis.activity import activity
from assay.analysis.assignment import ARM, UNIT
from assay.analysis.collected import Excluded
from assay.analysis.plan import Measure, Number
from assay.analysis.reading import records
from assay.shared.errors import Invalid


class RepeatedUnits(Invalid):
    """A table of units has several rows for one unit."""

    code = "repeated_units"


class UnknownSource(Invalid):
    """A metric is made from events of a source that is not there."""

    code = "unknown_source"


@dataclass(frozen=True, slots=True)
class Units:
    """The unit table with its columns `unit`, `arm` and one per number, and what was left out of it."""

    table: Table
    excluded: Excluded


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a measure is cut off; None where it is not."""

    low: float | None = None
    high: float | None = None


def from_rows(
    table: Table, *, unit: str | None, arm: str, columns: Mapping[str, str], arms: Sequence[str] | None
) -> Units:
    """Units of a table that has one row per unit.

    Args:
        table: Any Ibis table.
        unit: Its column that identifies the unit; None takes every row for another unit.
        arm: Its column that names the arm.
        columns: Names of the numbers, and the columns they stand in.
        arms: The arms to compare; None takes all that occur.
    Raises:
        RepeatedUnits: A unit has several rows in the same arm.
    """
    named = {} if unit is None else {UNIT: _name_of(table[unit])}
    rows = table.select(
        **named,
        **{ARM: table[arm].cast("string")},
        **{name: table[column] for name, column in columns.items()},
    )
    if unit is None:
        # Counts, which a file knows without being read.
        (found,) = records(rows.aggregate(rows=rows.count(), with_arm=rows[ARM].count()))
        without_arm = found["rows"] - found["with_arm"]
        kept, unknown = _known_arms(rows.filter(rows[ARM].notnull()) if without_arm else rows, arms)
        return Units(kept, Excluded(without_arm=without_arm, unknown_arms=unknown))
    return _identified(rows, unit=unit, arms=arms)


def of_events(
    tables: Mapping[str | None, Table],
    assigned: Table,
    numbers: Sequence[Number],
    *,
    dialect: str,
) -> Table:
    """The assigned units with their numbers; one that did nothing has zeros.

    Args:
        tables: Events by the key of their source.
        assigned: Units, arms and first exposures.
        numbers: What to make.
        dialect: Of the tables' engine.
    Raises:
        UnknownSource: A number comes from a source that is not among the tables.
    """
    table = assigned
    for source, wanted in by_source(numbers).items():
        found = activity(events_of(tables, source), assigned, wanted, by_day=False, dialect=dialect)
        found = found.rename(active_unit=UNIT)
        joined = table.left_join(found, table[UNIT] == found["active_unit"])
        table = joined.select(
            *table.columns, **{number.column: joined[number.column].fill_null(0.0) for number in wanted}
        )
    return table


def of_days(days: Table, assigned: Table, numbers: Sequence[Number]) -> Table:
    """The same from what each day added to each unit."""
    totals = days.group_by(active_unit=days[UNIT]).aggregate(
        **{number.column: days[number.column].sum().fill_null(0.0) for number in numbers}
    )
    joined = assigned.join(totals, assigned[UNIT] == totals["active_unit"])
    return joined.select(*assigned.columns, *(number.column for number in numbers))


def by_source(numbers: Sequence[Number]) -> dict[str | None, list[Number]]:
    """The numbers that come from one table together: each table is read once."""
    groups: dict[str | None, list[Number]] = {}
    for number in numbers:
        groups.setdefault(number.source, []).append(number)
    return groups


def events_of(tables: Mapping[str | None, Table], source: str | None) -> Table:
    """The table of a source.

    Raises:
        UnknownSource: There is none.
    """
    if source not in tables:
        raise UnknownSource(
            f"no source {source!r} to measure from; name one that exists or take the metric's source away",
            value=source,
        )
    return tables[source]


def limits_of(table: Table, measures: Sequence[Measure]) -> dict[str, Limits]:
    """Where each measure is cut off: its fixed cap, and its quantiles over all arms together."""
    return {
        measure.column: Limits(
            low=_quantile_of(table, measure, measure.floor_quantile),
            high=_lower(measure.cap_value, _quantile_of(table, measure, measure.cap_quantile)),
        )
        for measure in measures
    }


def with_measures(table: Table, measures: Sequence[Measure], limits: Mapping[str, Limits]) -> Table:
    """The unit table with a column per measure beside what it has."""
    if not measures:
        return table
    return table.mutate(
        **{
            measure.column: shaped(
                measure,
                table[measure.number],
                None if measure.counted_by is None else table[measure.counted_by],
                limits[measure.column],
            )
            for measure in measures
        }
    )


def shaped(measure: Measure, number: Value, counted: Value | None, limits: Limits) -> Value:
    """What becomes of a unit's number before it counts; null where it has no value."""
    # Not 1.0, which PostgreSQL takes for a decimal.
    is_positive = ibis.ifelse(number > 0, 1, 0).cast("float64")
    value = is_positive if measure.is_share else number.cast("float64")
    # Not LEAST and GREATEST, which lose a null on some engines.
    if limits.high is not None:
        value = ibis.ifelse(value > limits.high, limits.high, value)
    if limits.low is not None:
        value = ibis.ifelse(value < limits.low, limits.low, value)
    return value if counted is None else ibis.ifelse(counted > 0, value, None)


def quantile(table: Table, column: Value, share: float) -> float | None:
    """The type 7 quantile of a column, nulls aside, from its one or two order statistics.

    Sorting and taking is exact everywhere, while some engines only estimate a quantile.
    """
    known = table.select(value=column.cast("float64"))
    known = known.filter(known["value"].notnull())
    (found,) = records(known.aggregate(count=known.count()))
    count: int = found["count"]
    if count == 0:
        return None
    position = (count - 1) * share
    below = int(position)
    wanted = min(2, count - below)
    if share > 0.5:  # noqa: PLR2004 — from the nearer end
        order, back, skipped = ibis.desc("value"), ibis.asc("value"), count - below - wanted
    else:
        order, back, skipped = ibis.asc("value"), ibis.desc("value"), below
    # Not by an offset, which Ibis numbers without an order where Spark's dialect has none.
    nearest = known.order_by(order).limit(skipped + wanted).order_by(back).limit(wanted)
    first, last = (values := sorted(row["value"] for row in records(nearest)))[0], values[-1]
    return first + (last - first) * (position - below)


def _quantile_of(table: Table, measure: Measure, share: float | None) -> float | None:
    if share is None:
        return None
    counted = None if measure.counted_by is None else table[measure.counted_by]
    uncut = Limits(high=measure.cap_value)
    return quantile(table, shaped(measure, table[measure.number], counted, uncut), share)


def _lower(first: float | None, second: float | None) -> float | None:
    return min((each for each in (first, second) if each is not None), default=None)


def _name_of(unit: Value) -> Value:
    # Whole numbers are told apart faster than their digits.
    return unit if unit.type().is_integer() else unit.cast("string")


def _identified(rows: Table, *, unit: str, arms: Sequence[str] | None) -> Units:
    left_out = _left_out(rows)
    complete = rows.filter(rows[UNIT].notnull() & rows[ARM].notnull()) if any(left_out.values()) else rows
    double = 0
    if not _is_distinct(complete):
        complete, double = _without_double(complete, unit)
    kept, unknown = _known_arms(complete, arms)
    return Units(kept, Excluded(in_several_arms=double, unknown_arms=unknown, **left_out))


def _left_out(rows: Table) -> dict[str, int]:
    # Counts first, which a file knows without being read.
    (found,) = records(
        rows.aggregate(rows=rows.count(), with_unit=rows[UNIT].count(), with_arm=rows[ARM].count())
    )
    if found["rows"] == found["with_unit"] == found["with_arm"]:
        return {"without_unit": 0, "without_arm": 0}
    without_unit = rows[UNIT].isnull()
    return records(
        rows.aggregate(
            without_unit=without_unit.sum().fill_null(0),
            without_arm=(~without_unit & rows[ARM].isnull()).sum().fill_null(0),
        )
    )[0]


def _is_distinct(rows: Table) -> bool:
    each = rows.select(UNIT).distinct()
    ((all_rows,), (units,)) = (
        records(table.aggregate(n=table.count()))[0].values() for table in (rows, each)
    )
    return all_rows == units


def _without_double(rows: Table, unit: str) -> tuple[Table, int]:
    """The rows of units that are in one arm only, and how many units are in several."""
    per_unit = rows.group_by(UNIT).aggregate(
        rows=rows.count(), lowest=rows[ARM].min(), highest=rows[ARM].max()
    )
    per_unit = per_unit.mutate(is_double=per_unit["lowest"] != per_unit["highest"])
    several = _several_rows(per_unit)
    if several["repeated"]:
        raise RepeatedUnits(
            f"{several['repeated']:,} units have more than one row in the same arm, for example "
            f"{several['example']!r} in column {unit!r}; make the table one row per unit first"
        )
    return rows.anti_join(per_unit.filter(per_unit["is_double"]), UNIT), several["double"]


def _several_rows(per_unit: Table) -> dict[str, Any]:
    repeated = ~per_unit["is_double"] & (per_unit["rows"] > 1)
    (counts,) = records(
        per_unit.aggregate(
            double=per_unit["is_double"].sum().fill_null(0),
            repeated=repeated.sum().fill_null(0),
            example=per_unit[UNIT].cast("string").min(where=repeated),
        )
    )
    return counts


def _known_arms(rows: Table, arms: Sequence[str] | None) -> tuple[Table, dict[str, int]]:
    if arms is None:
        return rows, {}
    others = rows.filter(rows[ARM].notin(list(arms)))
    counts = others.group_by(ARM).aggregate(units=others.count()).order_by(ibis.desc("units")).limit(20)
    unknown = {record[ARM]: record["units"] for record in records(counts)}
    return (rows.filter(rows[ARM].isin(list(arms))) if unknown else rows), unknown
