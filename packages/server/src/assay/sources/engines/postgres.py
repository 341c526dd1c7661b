"""PostgreSQL, in sessions that the server itself keeps from writing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import psycopg
from ibis.backends import BaseBackend
from ibis.backends.sql.datatypes import PostgresType
from ibis.expr.types import Table
from psycopg import sql

from assay.sources.connections import PostgreSQL
from assay.sources.engines.base import Estimate, unsupported
from assay.sources.errors import UnreadableTable
from assay.sources.selects import require_select
from assay.sources.tables import FilePattern, NamedTable, Relation, Select

CONNECT_WITHIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class PostgreSQLEngine:
    """A session that only reads."""

    backend: BaseBackend

    @classmethod
    def opened(
        cls, definition: PostgreSQL, password: str | None, *, timeout_seconds: float
    ) -> "PostgreSQLEngine":
        """A session in which no statement may write or run longer than the timeout."""
        options = {
            "default_transaction_read_only": "on",
            # A little later than ours, so that people hear our sentence; PostgreSQL ends what we could not.
            "statement_timeout": str(int((timeout_seconds + 5) * 1000)),
            "timezone": "UTC",
        }
        backend = ibis.postgres.connect(
            host=definition.host,
            port=definition.port,
            user=definition.user,
            password=password,
            database=definition.database,
            sslmode=definition.tls,
            connect_timeout=CONNECT_WITHIN_SECONDS,
            application_name="assay",
            options=" ".join(f"-c {name}={value}" for name, value in options.items()),
        )
        return cls(backend)

    def tables(self) -> list[str]:
        """Tables and views that the role sees, by schema."""
        rows = self._connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2 LIMIT 1000"
        ).fetchall()
        return [f"{schema}.{name}" for schema, name in rows]

    def table(self, relation: Relation) -> Table:
        """The table, view or SELECT."""
        match relation:
            case NamedTable():
                return self.backend.table(relation.name, database=relation.namespace)
            case Select():
                require_select(relation.sql, dialect="postgres")
                return self.backend.sql(relation.sql, schema=self._schema(relation.sql))
            case FilePattern():
                raise unsupported(relation, "postgresql")

    def estimate(self, relation: Relation, columns: Sequence[str]) -> Estimate:
        """What the planner expects: the rows, and rows times width of everything it would scan."""
        query = sql.SQL("EXPLAIN (FORMAT JSON) SELECT {} FROM {} AS relation").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), _from(relation)
        )
        row = self._connection.execute(query).fetchone()
        plan: Mapping[str, Any] = row[0][0]["Plan"] if row else {}
        scanned = sum(int(scan["Plan Rows"]) * int(scan["Plan Width"]) for scan in _scans(plan))
        return Estimate(plan.get("Plan Rows"), scanned, "PostgreSQL's EXPLAIN: rows times width")

    def interrupt(self) -> None:
        """Asks the server to cancel what runs now."""
        self._connection.cancel()

    def close(self) -> None:
        """Ends the session."""
        self._connection.close()

    @property
    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        return self.backend.con

    def _schema(self, select: str) -> Mapping[str, object]:
        # Ibis would make a view to learn the types, which a session that only reads may not.
        described = self._connection.execute(
            sql.SQL("SELECT * FROM ({}) AS relation LIMIT 0").format(_raw(select))
        )
        columns = described.description or []
        kinds = self._connection.execute(
            "SELECT format_type(kind, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY AS named (kind, place) "
            "ORDER BY place",
            [[column.type_code for column in columns]],
        ).fetchall()
        return {
            column.name: PostgresType.from_string(kind)
            for column, (kind,) in zip(columns, kinds, strict=True)
        }


def _from(relation: Relation) -> sql.Composable:
    match relation:
        case NamedTable(name=name, namespace=None):
            return sql.Identifier(name)
        case NamedTable(name=name, namespace=str(namespace)):
            return sql.Identifier(namespace, name)
        case Select():
            require_select(relation.sql, dialect="postgres")
            return sql.SQL("({})").format(_raw(relation.sql))
        case _:
            raise unsupported(relation, "postgresql")


def _raw(select: str) -> sql.SQL:
    statement = select.strip().rstrip(";")
    if "--" in statement.rpartition("\n")[2]:
        raise UnreadableTable("the last line of the SELECT must not be a comment")
    # Checked before to be one SELECT; braces would be places to fill.
    return sql.SQL(statement.replace("{", "{{").replace("}", "}}"))  # pyright: ignore[reportArgumentType]  # the SELECT is text by nature


def _scans(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    below = plan.get("Plans", [])
    if plan and not below:
        yield plan
    for part in below:
        yield from _scans(part)
