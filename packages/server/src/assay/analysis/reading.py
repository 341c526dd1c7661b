"""Taking small answers out of an engine, and keeping large ones in it."""

import uuid
from contextlib import ExitStack
from typing import Any

from ibis.expr.types import Table


def records(table: Table) -> list[dict[str, Any]]:
    """The rows of a small table."""
    return table.to_pyarrow().to_pylist()


def keep(table: Table, until: ExitStack) -> Table:
    """The table computed once and kept in its engine until the stack is closed."""
    # Not Ibis's cache, whose garbage collector may outlive the connection.
    engine = table.get_backend()
    name = f"assay_{uuid.uuid4().hex}"
    kept = engine.create_table(name, table, temp=True)
    if engine.name == "duckdb":
        # Elsewhere they go with the session; here its memory is the server's. Ibis 12 drops with a statement
        # that its own version of sqlglot leaves unfinished.
        until.callback(engine.con.execute, f"DROP TABLE {name}")
    return kept
