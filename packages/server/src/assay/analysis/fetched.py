"""Rows that were brought here, as tables of events beside those of Assay's own."""

import uuid
from datetime import datetime

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table, Value

from assay.analysis.experiment import OPTIONAL, distinct_events
from assay.analysis.reading import records
from assay.sources.errors import UnusableTable

COLUMNS = {
    "event_id": "string", "kind": "string", "name": "string", "unit": "string", "units": "string",
    "at": "timestamp('UTC')", "variant": "string", "value": "float64", "properties": "string",
}  # fmt: skip


def as_local(engine: Backend, rows: pa.Table) -> Table:
    """The rows as a table of events of the engine, each `event_id` once.

    Raises:
        UnusableTable: A value is infinite or no number.
    """
    name = f"brought_{uuid.uuid4().hex}"
    engine.con.register(name, rows)
    table = engine.table(name)
    _require_finite(table)
    others = [column for column in table.columns if column not in COLUMNS]
    known = table.mutate(units=ibis.literal(None, type=OPTIONAL["units"]), properties=_json(table, others))
    shaped = known.select(**{column: known[column].cast(kind) for column, kind in COLUMNS.items()})
    identified = shaped["event_id"].notnull()
    return distinct_events(shaped.filter(identified)).union(shaped.filter(~identified))


def with_exposures(rows: Table, exposures: Table) -> Table:
    """The events of one table with the exposures of another."""
    events = rows.filter(rows["kind"] == "event")
    return exposures.union(events.select(**{name: events[name].cast(kind) for name, kind in COLUMNS.items()}))


def span_of(rows: Table) -> tuple[datetime, datetime] | None:
    """The first and the last exposure, None when there is none."""
    exposures = rows.filter(rows["kind"] == "exposure")
    (found,) = records(exposures.aggregate(first=exposures["at"].min(), last=exposures["at"].max()))
    return None if found["first"] is None else (found["first"], found["last"])


def _json(table: Table, columns: list[str]) -> Value:
    if not columns:
        return ibis.literal(None, type="string")
    return ibis.struct({column: table[column] for column in columns}).cast("json").cast("string")


def _require_finite(table: Table) -> None:
    value = table["value"]
    unreal = records(table.filter(value.isnan() | value.isinf()).aggregate(rows=ibis._.count()))[0]["rows"]
    if unreal:
        raise UnusableTable(
            f"{unreal:,} values are infinite or no number; leave those rows out, or cast them to null, "
            "in a SELECT",
            value=unreal,
        )
