"""What the API takes and gives about connections and tables."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name, Outgoing, Text
from assay.sources.connections import Definition
from assay.sources.tables import Relation, Roles, TableDefinition

MAX_SAMPLE_ROWS = 100


class ConnectionCreate(Incoming):
    """A new connection."""

    key: Key
    name: Name
    description: Text = ""
    definition: Definition


class ConnectionReplace(Incoming):
    """A connection as it shall be."""

    name: Name
    description: Text = ""
    definition: Definition


class ConnectionOut(Outgoing):
    """A connection; secrets are named, never shown."""

    key: str
    name: str
    description: str
    definition: Definition
    created_at: datetime
    updated_at: datetime


class ConnectionCheckOut(Outgoing):
    """A connection that works."""

    tables: list[str] = Field(description="What can be seen through it, at most 1000 names.")


class TableCreate(TableDefinition):
    """A new table to analyse."""

    key: Key
    name: Name
    description: Text = ""


class TableReplace(TableDefinition):
    """A table as it shall be."""

    name: Name
    description: Text = ""


class TableOut(Outgoing):
    """A table to analyse."""

    key: str
    name: str
    description: str
    connection: str
    relation: Relation
    roles: Roles
    created_at: datetime
    updated_at: datetime


class CheckedColumn(Outgoing):
    """A column of a table."""

    name: str
    type: str
    role: str | None = Field(description="What it means; null for a property.")


class TableCheckOut(Outgoing):
    """A table that is there, with columns that fit their roles."""

    columns: list[CheckedColumn]


class EstimateOut(Outgoing):
    """What reading the table would cost; null where the engine does not tell."""

    rows: int | None
    scanned_bytes: int | None = Field(description="Bytes of the columns that would be read.")
    allowed_bytes: int | None = Field(description="The setting `source_max_scan_bytes`; null is no bound.")
    basis: str = Field(description="Where the figures come from.")


class QueryCreate(Incoming):
    """A first look at a table."""

    kind: Literal["sample", "profile"]
    rows: int = Field(default=20, ge=1, le=MAX_SAMPLE_ROWS, description="Of a sample.")


class SampleOut(Outgoing):
    """Some rows of a table."""

    kind: Literal["sample"] = "sample"
    columns: list[str]
    rows: list[list[Any]]


class ColumnProfile(Outgoing):
    """What a column holds."""

    name: str
    type: str
    role: str | None
    null_share: float | None = Field(description="Null for a table without rows.")
    distinct: int | None = Field(description="Different values, approximately.")
    lowest: str | None
    highest: str | None
    quantiles: dict[str, float] = Field(description="Of numbers, by share.")


class ProfileOut(Outgoing):
    """What the columns of a table hold."""

    kind: Literal["profile"] = "profile"
    rows: int
    columns: list[ColumnProfile]
