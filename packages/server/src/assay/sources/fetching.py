"""Rows of a table brought here for an analysis: only what it needs, and never more than is allowed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from assay.sources.engines.base import Engine
from assay.sources.engines.opening import Means
from assay.sources.errors import QueryTooLarge, UnknownColumn, UnusableTable
from assay.sources.looking import IsCancelled, require_affordable
from assay.sources.running import run
from assay.sources.schemas import ConnectionOut, TableOut
from assay.sources.tables import columns_by_role

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table

MOST_KNOWN_OF_EXPOSURES = 8


@dataclass(frozen=True, slots=True)
class Located:
    """A table and the connection it stands on."""

    table: TableOut
    connection: ConnectionOut


@dataclass(frozen=True, slots=True)
class Exposed:
    """The exposures of an experiment in a table.

    Attributes:
        experiment: Its key, by which a table of several experiments is filtered.
        unit: The kind of unit, one of the table's.
    """

    place: Located
    experiment: str
    unit: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The metric events that are needed.

    Attributes:
        unit: The kind of unit, one of the table's.
        properties: Columns without a role that filters or metrics name.
        since: The first moment that can count.
        until: The first moment that cannot, None where there is none.
        exposed: Only events of these units, when their table stands on the same connection.
    """

    unit: str
    names: Sequence[str]
    properties: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    exposed: Exposed | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be asked of an engine, and how many rows of it may be brought here; 0 sets no bound."""

    scanned_bytes: int
    rows: int


def unit_of(table: TableOut, kind: str | None, *, is_certain: bool) -> str:
    """The kind of unit to read.

    Args:
        kind: That of the experiment, None when nobody has said.
        is_certain: Whether a table without this kind cannot be about the same units.
    Raises:
        UnusableTable: The table does not have it, or has several to choose from.
    """
    kinds = list(table.roles.units)
    if kind in kinds:
        return str(kind)
    if len(kinds) == 1 and not is_certain:
        return kinds[0]
    named = "one kind of unit only" if kind is None else f"the unit {kind!r}"
    raise UnusableTable(
        f"table {table.key!r} identifies units by {', '.join(kinds)}; the experiment needs {named}",
        value=table.key,
    )


async def exposures(exposed: Exposed, means: Means, bounds: Bounds, is_cancelled: IsCancelled) -> "pa.Table":
    """The exposures, with the plain columns that the doctor can cut by.

    Raises:
        UnusableTable: It is a table of metric events.
        QueryTooLarge, QueryTimeout, QueryCancelled, QueryFailed: There is no result.
    """
    table = exposed.place.table
    if table.roles.variant is None:
        raise UnusableTable(
            f"table {table.key!r} holds metric events; exposures need the role `variant`", value=table.key
        )
    work = partial(_exposures, exposed=exposed, bounds=bounds)
    return await run(exposed.place.connection.definition, means, work, is_cancelled=is_cancelled)


async def events(
    place: Located, wanted: Wanted, means: Means, bounds: Bounds, is_cancelled: IsCancelled
) -> "pa.Table":
    """The metric events.

    Raises:
        UnusableTable: It is a table of exposures alone.
        UnknownColumn: It lacks a property that is needed.
        QueryTooLarge, QueryTimeout, QueryCancelled, QueryFailed: There is no result.
    """
    if place.table.roles.event is None:
        raise UnusableTable(
            f"table {place.table.key!r} holds exposures; metrics need the role `event`", value=place.table.key
        )
    work = partial(_events, place=place, wanted=wanted, bounds=bounds)
    return await run(place.connection.definition, means, work, is_cancelled=is_cancelled)


def _exposures(engine: Engine, exposed: Exposed, bounds: Bounds) -> "pa.Table":
    from assay.sources.reading import event_columns, plain_columns  # noqa: PLC0415 — Ibis is slow to load

    table = exposed.place.table
    rows = engine.table(table.relation)
    known = plain_columns(rows, table.roles)[:MOST_KNOWN_OF_EXPOSURES]
    _require_affordable(engine, table, known, bounds)
    return _brought(event_columns(_of_experiment(rows, exposed), known), bounds)


def _events(engine: Engine, place: Located, wanted: Wanted, bounds: Bounds) -> "pa.Table":
    from assay.sources.reading import as_events, event_columns  # noqa: PLC0415 — as above

    table = place.table
    # A table may hold both: then a row is an exposure to one question and an event to the other.
    roles = table.roles.model_copy(update={"variant": None, "experiment": None})
    rows = as_events(engine.table(table.relation), roles, unit=wanted.unit)
    if missing := sorted(set(wanted.properties) - set(rows.columns)):
        raise UnknownColumn(
            f"table {table.key!r} has no column {missing[0]!r} without a role, which a metric names",
            value=missing[0],
        )
    _require_affordable(engine, table, wanted.properties, bounds)
    rows = _between(rows.filter(rows["name"].isin(list(wanted.names))), wanted)
    if wanted.exposed is not None:
        seen = engine.table(wanted.exposed.place.table.relation)
        exposed = _of_experiment(seen, wanted.exposed)
        rows = rows.semi_join(exposed.select(exposed_unit=exposed["unit"]), [("unit", "exposed_unit")])
    return _brought(event_columns(rows, wanted.properties), bounds)


def _of_experiment(table: "Table", exposed: Exposed) -> "Table":
    from assay.sources.reading import as_events  # noqa: PLC0415 — as above

    roles = exposed.place.table.roles
    rows = as_events(table, roles, unit=exposed.unit)
    if roles.experiment is None:
        return rows.mutate(name=_literal(exposed.experiment))
    return rows.filter(rows["name"] == exposed.experiment)


def _literal(text: str) -> object:
    import ibis  # noqa: PLC0415 — as above

    return ibis.literal(text)


def _between(rows: "Table", wanted: Wanted) -> "Table":
    if wanted.since is not None:
        rows = rows.filter(rows["at"] >= wanted.since)
    return rows if wanted.until is None else rows.filter(rows["at"] < wanted.until)


def _require_affordable(engine: Engine, table: TableOut, others: Sequence[str], bounds: Bounds) -> None:
    columns = list(dict.fromkeys([*columns_by_role(table.roles).values(), *others]))
    require_affordable(engine, table.relation, columns, max_bytes=bounds.scanned_bytes)


def _brought(rows: "Table", bounds: Bounds) -> "pa.Table":
    if not bounds.rows:
        return rows.to_pyarrow()
    found = rows.limit(bounds.rows + 1).to_pyarrow()
    if found.num_rows > bounds.rows:
        raise QueryTooLarge(
            f"the analysis needs more than {bounds.rows:,} rows of this table; narrow it by a SELECT, "
            "or raise the setting source_max_fetch_rows",
            value=bounds.rows,
        )
    return found
