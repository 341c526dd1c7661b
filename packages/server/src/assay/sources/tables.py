"""A table to analyse: what it is made of, and which of its columns mean what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name
from assay.sources.connections import Place, Word
from assay.sources.errors import UnknownColumn, UnusableColumn

MAX_COLUMNS = 1000

Sql = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", min_length=1, max_length=100_000)]
Column = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", min_length=1, max_length=255)]


class NamedTable(Incoming):
    """A table or view of the connection."""

    kind: Literal["table"]
    name: Word
    namespace: Word | None = Field(
        default=None, description="The schema it stands in, where engines have them."
    )


class FilePattern(Incoming):
    """Files below the connection's folder; `*` and `**` stand for parts of a path."""

    kind: Literal["files"]
    pattern: Place = Field(description="Such as `orders/*.parquet`; all of one format and one shape.")


class Select(Incoming):
    """The rows of a SELECT that only reads."""

    kind: Literal["select"]
    sql: Sql


Relation = Annotated[NamedTable | FilePattern | Select, Field(discriminator="kind")]


class Constant(Incoming):
    """The same text for every row."""

    constant: Name


class FromColumn(Incoming):
    """The text that a column holds."""

    column: Column


class Roles(Incoming):
    """What the columns mean; those without a role are properties of the row."""

    units: dict[Key, Column] = Field(
        min_length=1, max_length=20, description="Columns that identify units, by the kind of unit."
    )
    timestamp: Column = Field(description="When it happened.")
    event: Constant | FromColumn | None = Field(
        default=None, description="Name of the event, for tables of metric events."
    )
    value: Column | None = Field(default=None, description="A number or true/false.")
    variant: Column | None = Field(default=None, description="The arm, for tables of exposures.")
    experiment: Constant | FromColumn | None = Field(
        default=None, description="The experiment, for exposures."
    )
    event_id: Column | None = Field(
        default=None, description="Identifies the row, so that a repeat counts once."
    )

    @model_validator(mode="after")
    def _says_what_a_row_is(self) -> Self:
        if self.event is None and self.variant is None:
            raise ValueError("give `event` for a table of metric events, or `variant` for one of exposures")
        if self.experiment is not None and self.variant is None:
            raise ValueError("`experiment` belongs to exposures; give `variant` too")
        return self


class TableDefinition(Incoming):
    """A table of a connection and what its columns mean."""

    connection: Key
    relation: Relation
    roles: Roles


@dataclass(frozen=True, slots=True)
class Kinds:
    """What can be asked of a column's type, engines aside."""

    name: str
    is_moment: bool
    is_measurable: bool
    is_text: bool
    is_identifier: bool


def columns_by_role(roles: Roles) -> dict[str, str]:
    """Every column that a role names, by the role."""
    named = {f"units.{kind}": column for kind, column in roles.units.items()}
    named["timestamp"] = roles.timestamp
    for role in ("event", "experiment"):
        part = getattr(roles, role)
        if isinstance(part, FromColumn):
            named[role] = part.column
    for role in ("value", "variant", "event_id"):
        if (column := getattr(roles, role)) is not None:
            named[role] = column
    return named


def properties_of(roles: Roles, columns: Mapping[str, Kinds]) -> list[str]:
    """The columns without a role."""
    named = set(columns_by_role(roles).values())
    return [column for column in columns if column not in named]


def require_fit(roles: Roles, columns: Mapping[str, Kinds]) -> None:
    """Checks that every role's column exists and can mean what it should.

    Raises:
        UnknownColumn, UnusableColumn: With the column and the way out.
    """
    for role, column in columns_by_role(roles).items():
        if column not in columns:
            known = ", ".join(list(columns)[:50])
            raise UnknownColumn(f"{role}: no column {column!r}; the table has {known}", value=column)
        if (problem := _problem(role, columns[column])) is not None:
            raise UnusableColumn(
                f"{role}: column {column!r} holds {columns[column].name}, {problem}", value=column
            )


def _problem(role: str, kinds: Kinds) -> str | None:
    match role:
        case "timestamp":
            return None if kinds.is_moment else "not a timestamp or a date; cast it in a SELECT"
        case "value":
            return None if kinds.is_measurable else "not a number or true/false; cast it in a SELECT"
        case "event" | "experiment":
            return None if kinds.is_text else "not text; cast it in a SELECT"
        case _:
            return None if kinds.is_identifier else "which cannot name anything; cast it to text in a SELECT"
