"""What every engine can do for a table, whatever it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from assay.sources.errors import UnreadableTable
from assay.sources.tables import Relation

if TYPE_CHECKING:
    from ibis.expr.types import Table


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a query would read; None where the engine does not tell.

    Attributes:
        rows: Rows of the table.
        scanned_bytes: Bytes of the columns that would be read.
        basis: Where the figures come from, for people.
    """

    rows: int | None
    scanned_bytes: int | None
    basis: str


class Engine(Protocol):
    """An open connection, used by one thread; `interrupt` alone may come from another."""

    def tables(self) -> list[str]:
        """Names of the tables that can be seen, in order; proves that the connection works."""
        ...

    def table(self, relation: Relation) -> "Table":
        """The relation as an expression; its columns are known, its rows are not read."""
        ...

    def estimate(self, relation: Relation, columns: Sequence[str]) -> Estimate:
        """What reading these columns would cost, asked of the engine's own figures."""
        ...

    def interrupt(self) -> None:
        """Stops what runs now."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...


def unsupported(relation: Relation, kind: str) -> UnreadableTable:
    """The refusal of a relation that connections of this kind do not have."""
    wanted = "a pattern of `files`" if kind == "files" else "a `table` or a `select`"
    return UnreadableTable(
        f"a connection of kind {kind} has no relation of kind {relation.kind}; give {wanted}",
        value=relation.kind,
    )
