"""The DuckDB of this process, and small answers out of engines; Arrow is loaded only for large ones."""

from typing import Any

import duckdb
import ibis
from ibis.backends.duckdb import Backend
from ibis.backends.sql.datatypes import DuckDBType
from ibis.common.exceptions import TableNotFound
from ibis.expr.types import Table


class LocalEngine(Backend):
    """Ibis' DuckDB, which asks for the columns of a table without loading Arrow; its libraries are large."""

    def get_schema(
        self, table_name: str, *, catalog: str | None = None, database: str | None = None
    ) -> ibis.Schema:
        """The columns of a table."""
        place = ".".join(_quoted(part) for part in (catalog, database, table_name) if part)
        try:
            found = self.con.execute(f"DESCRIBE {place}").fetchall()
        except duckdb.CatalogException as error:
            raise TableNotFound(table_name) from error
        return ibis.schema(
            {name: DuckDBType.from_string(kind, nullable=null == "YES") for name, kind, null, *_ in found}
        )


def local_engine() -> Backend:
    """A DuckDB in memory that loads nothing from the network."""
    engine = LocalEngine()
    engine.do_connect(autoinstall_known_extensions=False, autoload_known_extensions=False)
    return engine


def records(table: Table) -> list[dict[str, Any]]:
    """The rows of a small table."""
    engine = table.get_backend()
    # DuckDB itself gives moments only with the help of yet another library.
    has_moments = any(kind.is_timestamp() for kind in table.schema().types)
    if has_moments or not isinstance(engine, LocalEngine):
        return table.to_pyarrow().to_pylist()
    answer = engine.con.execute(engine.compile(table))
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
