"""One row per unit: its arm and its numbers, with what had to be left out counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ibis
from ibis.expr.types import Table

from assay.metrics.definition import Quantity
from assay.shared.errors import Invalid

UNIT, ARM = "unit", "arm"


class RepeatedUnits(Invalid):
    """A table of units has several rows for one unit."""

    code = "repeated_units"


@dataclass(frozen=True, slots=True)
class Excluded:
    """Rows and units that are not in the estimates, by reason."""

    in_several_arms: int = 0
    without_unit: int = 0
    without_arm: int = 0
    unknown_arms: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Units:
    """The unit table with its columns `unit`, `arm` and one per number, and what was left out of it."""

    table: Table
    excluded: Excluded


def from_rows(
    table: Table, *, unit: str, arm: str, columns: Mapping[str, str], arms: Sequence[str] | None
) -> Units:
    """Units of a table that has one row per unit.

    Args:
        table: Any Ibis table.
        unit: Its column that identifies the unit.
        arm: Its column that names the arm.
        columns: Names of the numbers, and the columns they stand in.
        arms: The arms to compare; None takes all that occur.
    Raises:
        RepeatedUnits: A unit has several rows in the same arm.
    """
    rows = table.select(
        **{UNIT: table[unit].cast("string"), ARM: table[arm].cast("string")},
        **{name: table[column] for name, column in columns.items()},
    )
    counted = rows.aggregate(
        without_unit=rows[UNIT].isnull().sum(), without_arm=(rows[UNIT].notnull() & rows[ARM].isnull()).sum()
    )
    complete = rows.filter(rows[UNIT].notnull() & rows[ARM].notnull())
    per_unit = complete.group_by(UNIT).aggregate(rows=complete.count(), arms=complete[ARM].nunique())
    (left_out,) = _records(counted)
    several = _several_rows(per_unit)
    if several["repeated"]:
        raise RepeatedUnits(
            f"{several['repeated']:,} units have more than one row in the same arm, for example "
            f"{several['example']!r} in column {unit!r}; make the table one row per unit first"
        )
    kept = _without_double(complete, per_unit) if several["double"] else complete
    kept, unknown = _known_arms(kept, arms)
    return Units(
        kept,
        Excluded(
            in_several_arms=several["double"],
            without_unit=left_out["without_unit"] or 0,
            without_arm=left_out["without_arm"] or 0,
            unknown_arms=unknown,
        ),
    )


def from_events(events: Table, *, columns: Mapping[str, Quantity], arms: Sequence[str]) -> Units:
    """Units of exposures and metric events; what happened before a unit's first exposure does not count.

    Args:
        events: Columns `kind` (`exposure` or `event`), `name`, `unit`, `at`, `variant`, `value`.
        columns: The numbers to make; a unit without such events has zero.
        arms: The arms to compare.
    """
    exposures = events.filter(events["kind"] == "exposure")
    first = exposures.group_by(UNIT).aggregate(
        arm=exposures["variant"].min(), arms=exposures["variant"].nunique(), first_at=exposures["at"].min()
    )
    double = first.filter(first["arms"] > 1).count().to_pyarrow().as_py()
    assigned, unknown = _known_arms(first.filter(first["arms"] == 1), arms)
    return Units(
        _with_numbers(assigned, events, columns), Excluded(in_several_arms=double, unknown_arms=unknown)
    )


def with_caps(table: Table, caps: Mapping[str, tuple[str, float]]) -> Table:
    """The unit table with further columns, each another one cut off at its quantile over all arms together.

    Args:
        table: A unit table.
        caps: Names of the new columns, with the column and the quantile (type 7) they come from.
    """
    if not caps:
        return table
    limits = table.aggregate(
        **{name: table[column].cast("float64").quantile(share) for name, (column, share) in caps.items()}
    )
    (limit,) = _records(limits)
    return table.mutate(
        **{
            name: table[column].cast("float64").clip(upper=limit[name])
            for name, (column, _) in caps.items()
            if limit[name] is not None
        },
        **{name: table[column].cast("float64") for name, (column, _) in caps.items() if limit[name] is None},
    )


def _with_numbers(assigned: Table, events: Table, columns: Mapping[str, Quantity]) -> Table:
    if not columns:
        return assigned.select(UNIT, ARM)
    happened = events.filter(events["kind"] == "event").select(
        event_unit=events["unit"], name=events["name"], at=events["at"], value=events["value"]
    )
    joined = assigned.join(
        happened,
        [assigned[UNIT] == happened["event_unit"], happened["at"] >= assigned["first_at"]],
        how="left",
    )
    numbers = {name: _number(joined, quantity) for name, quantity in columns.items()}
    return joined.group_by([UNIT, ARM]).aggregate(**numbers)


def _number(joined: Table, quantity: Quantity) -> Any:  # noqa: ANN401 — Ibis expressions carry no static type
    matching = joined["name"] == quantity.event
    if quantity.aggregate == "count":
        return matching.ifelse(1, 0).sum().fill_null(0).cast("float64")
    return joined["value"].sum(where=matching).fill_null(0.0)


def _several_rows(per_unit: Table) -> dict[str, Any]:
    repeated = (per_unit["arms"] == 1) & (per_unit["rows"] > 1)
    (counts,) = _records(
        per_unit.aggregate(
            double=(per_unit["arms"] > 1).sum().fill_null(0),
            repeated=repeated.sum().fill_null(0),
            example=per_unit[UNIT].min(where=repeated),
        )
    )
    return counts


def _without_double(rows: Table, per_unit: Table) -> Table:
    return rows.anti_join(per_unit.filter(per_unit["arms"] > 1), UNIT)


def _known_arms(rows: Table, arms: Sequence[str] | None) -> tuple[Table, dict[str, int]]:
    if arms is None:
        return rows, {}
    others = rows.filter(rows[ARM].notin(list(arms)))
    counts = others.group_by(ARM).aggregate(units=others.count()).order_by(ibis.desc("units")).limit(20)
    unknown = {record[ARM]: record["units"] for record in _records(counts)}
    return (rows.filter(rows[ARM].isin(list(arms))) if unknown else rows), unknown


def _records(table: Table) -> list[dict[str, Any]]:
    return table.to_pyarrow().to_pylist()
