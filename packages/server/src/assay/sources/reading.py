"""Tables as the analysis reads them: expressions over any engine, nothing executed here."""

from collections.abc import Sequence

import ibis
from ibis.expr.datatypes import DataType
from ibis.expr.types import Table, Value

from assay.sources.tables import Constant, FromColumn, Kinds, Roles, properties_of

EVENT_COLUMNS = ("event_id", "kind", "name", "unit", "at", "variant", "value")


def columns_of(table: Table) -> dict[str, Kinds]:
    """What the table's columns hold, by name."""
    schema = table.schema()
    return {name: _kinds(schema[name]) for name in schema.names}


def as_events(table: Table, roles: Roles, *, unit: str) -> Table:
    """The rows as exposures or metric events, in the columns that the analysis knows.

    Args:
        unit: The kind of unit to read, one of `roles.units`.
    Returns:
        `event_id`, `kind`, `name`, `unit`, `at`, `variant`, `value`, and the columns without a role, unless
        they bear one of these names; rows that name no unit or no moment are left out.
    """
    is_exposures = roles.variant is not None
    named = {
        "event_id": _text(table, roles.event_id),
        "kind": ibis.literal("exposure" if is_exposures else "event"),
        "name": _named(table, roles.experiment if is_exposures else roles.event),
        "unit": table[roles.units[unit]].cast("string"),
        "at": table[roles.timestamp].cast("timestamp('UTC')"),
        "variant": _text(table, roles.variant),
        "value": _number(table, roles.value),
    }
    others = [name for name in properties_of(roles, columns_of(table)) if name not in EVENT_COLUMNS]
    rows = table.select(**named, **{name: table[name] for name in others})
    return rows.filter(rows["unit"].notnull(), rows["at"].notnull())


def plain_columns(table: Table, roles: Roles) -> list[str]:
    """The columns without a role whose values are words, whole numbers or true/false."""
    schema = table.schema()
    others = properties_of(roles, columns_of(table))
    kinds = {name: schema[name] for name in others if name not in EVENT_COLUMNS}
    return [
        name for name, kind in kinds.items() if kind.is_string() or kind.is_integer() or kind.is_boolean()
    ]


def event_columns(events: Table, properties: Sequence[str]) -> Table:
    """What `as_events` gave with these properties alone, of types that all engines hand over alike."""
    return events.select(*EVENT_COLUMNS, **{name: _portable(events[name]) for name in properties})


def _portable(column: Value) -> Value:
    kind = column.type()
    if kind.is_boolean() or kind.is_integer() or kind.is_string():
        return column
    return column.cast("float64" if kind.is_numeric() else "string")


def _named(table: Table, part: Constant | FromColumn | None) -> Value:
    match part:
        case Constant(constant=text):
            return ibis.literal(text)
        case FromColumn(column=column):
            return table[column].cast("string")
        case None:
            return ibis.literal(None, type="string")


def _text(table: Table, column: str | None) -> Value:
    return ibis.literal(None, type="string") if column is None else table[column].cast("string")


def _number(table: Table, column: str | None) -> Value:
    if column is None:
        return ibis.literal(None, type="float64")
    value = table[column]
    # Some engines have no way from true to 1.0 but through 1.
    return (value.cast("int8") if value.type().is_boolean() else value).cast("float64")


def _kinds(kind: DataType) -> Kinds:
    return Kinds(
        name=str(kind).removeprefix("!"),
        is_moment=kind.is_timestamp() or kind.is_date(),
        is_measurable=kind.is_numeric() or kind.is_boolean(),
        is_text=kind.is_string(),
        is_identifier=kind.is_string() or kind.is_integer() or kind.is_uuid() or kind.is_boolean(),
    )
