"""From a row of somebody's table to an event: which column is what, and an identifier for those without."""

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import msgspec

from assay.shared.errors import Invalid

# The first of these that the table has is taken, unless `--map` says otherwise.
USUAL_COLUMNS: Mapping[str, Sequence[str]] = {
    "kind": ("kind",),
    "id": ("id", "event_id", "uuid"),
    "name": ("name", "event", "event_name"),
    "experiment": ("experiment", "experiment_id"),
    "variant": ("variant", "variation", "arm"),
    "unit": ("unit", "user_id", "userid", "unit_id", "anonymous_id"),
    "at": ("at", "timestamp", "time", "ts", "event_time", "created_at"),
    "value": ("value", "amount", "revenue"),
}
UNITS = "units."
# Seconds since 1970 reach this in the year 5138, milliseconds did in 1973.
LARGEST_SECONDS = 1e11

Row = Mapping[str, object]


class InvalidMapping(Invalid):
    """A mapping names something that is not there."""

    code = "invalid_mapping"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a table is which part of an event.

    Attributes:
        named: Column by part; a part may be `units.KIND`.
        constant: Values that all rows share, by part.
        properties: Columns that become properties.
    """

    named: Mapping[str, str]
    constant: Mapping[str, str] = field(default_factory=dict[str, str])
    properties: Sequence[str] = ()


def choose(
    table: Sequence[str], *, given: Mapping[str, str], constant: Mapping[str, str], with_properties: bool
) -> Columns:
    """The columns of a table with this header.

    Args:
        given: What the user says about them, column by part.

    Raises:
        InvalidMapping: A part does not exist, or the table has no such column.
    """
    for part in (*given, *constant):
        if part not in USUAL_COLUMNS and not part.startswith(UNITS):
            parts = ", ".join([*USUAL_COLUMNS, f"{UNITS}KIND"])
            raise InvalidMapping(f"an event has no part {part!r}; there are {parts}", value=part)
    if missing := sorted(set(given.values()) - set(table)):
        raise InvalidMapping(f"no column {missing[0]!r}; there are {', '.join(table)}", value=missing[0])
    named = _usual(table, taken={*given, *constant}) | dict(given)
    rest = [column for column in table if column not in named.values()] if with_properties else []
    return Columns(named, constant, rest)


def require_an_event(table: Sequence[str], columns: Columns) -> None:
    """Looks at the header, before a million rows are sent and refused one by one for the same reason.

    Raises:
        InvalidMapping: No column says who, when or what.
    """
    parts = {*columns.named, *columns.constant}
    is_told = {
        "--map unit=COLUMN who": "units" in table or any(part.startswith("unit") for part in parts),
        "--map at=COLUMN when": "at" in parts,
        "--map name=COLUMN or --set name=EVENT what": not {"name", "experiment"}.isdisjoint(parts),
    }
    if missing := [words for words, known in is_told.items() if not known]:
        raise InvalidMapping(f"say with {', with '.join(missing)}; the columns are {', '.join(table)}")


def event(row: Row, columns: Columns, *, file: str, number: int) -> dict[str, object]:
    """The event a row stands for; what is wrong with it the server says.

    A row without an identifier gets one from its file's name, its number and its content: loading the file
    again changes nothing, and two equal rows stay two events.
    """
    parts: dict[str, object] = {part: row.get(column) for part, column in columns.named.items()}
    parts = {part: value for part, value in parts.items() if not _is_empty(value)} | dict(columns.constant)
    made = {part: _read(part, value) for part, value in parts.items() if not part.startswith(UNITS)}
    if units := _nested(row, "units") | _units(parts):
        made["units"] = units
    made["kind"] = parts.get("kind") or ("exposure" if "variant" in parts else "event")
    unwanted = ("name", "value") if made["kind"] == "exposure" else ("experiment", "variant")
    made = {part: value for part, value in made.items() if part not in unwanted}
    if properties := _nested(row, "properties") | _properties(row, columns.properties):
        made["properties"] = properties
    return made if "id" in made else made | {"id": _identifier(made, file, number)}


def _usual(table: Sequence[str], *, taken: Collection[str]) -> dict[str, str]:
    lower = {column.lower(): column for column in reversed(table)}
    found = {
        part: next((lower[name] for name in names if name in lower), None)
        for part, names in USUAL_COLUMNS.items()
        if part not in taken
    }
    return {part: column for part, column in found.items() if column is not None}


def _read(part: str, value: object) -> object:
    match part:
        case "at":
            return _moment(value)
        case "value":
            return _number(value)
        case _:
            return str(value)


def _moment(value: object) -> object:
    """Times without an offset are UTC; numbers are seconds or milliseconds since 1970."""
    known = _number(value)
    try:
        if isinstance(known, float):
            seconds = known if abs(known) < LARGEST_SECONDS else known / 1000
            return datetime.fromtimestamp(seconds, UTC)
        known = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        # Not a time: the server says so about this event, and the others are loaded.
        return str(value)
    return known if known.tzinfo else known.replace(tzinfo=UTC)


def _number(value: object) -> object:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return value
    return value


def _units(parts: Mapping[str, object]) -> dict[str, object]:
    return {part.removeprefix(UNITS): str(value) for part, value in parts.items() if part.startswith(UNITS)}


def _nested(row: Row, name: str) -> dict[str, object]:
    # Lines that are events already say these as the API takes them.
    value = row.get(name)
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else {}


def _properties(row: Row, columns: Sequence[str]) -> dict[str, object]:
    return {
        column: _simple(row[column])
        for column in columns
        if not (_is_empty(row.get(column)) or isinstance(row[column], Mapping))
    }


def _simple(value: object) -> object:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _is_empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _identifier(parts: Mapping[str, object], file: str, number: int) -> str:
    content = msgspec.json.encode([file, number, parts], order="deterministic")
    return "file:" + hashlib.blake2b(content, digest_size=16).hexdigest()
