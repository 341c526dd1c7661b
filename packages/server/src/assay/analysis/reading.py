"""Taking small answers out of an engine, and keeping large ones in it."""

import uuid
from contextlib import ExitStack
from typing import Any

from ibis.expr.types import Table

from assay.sources.service import records

__all__ = ["keep", "records"]


def keep(table: Table, until: ExitStack) -> Table:
    """The table computed once and kept in its engine until the stack is closed."""
    # Not Ibis's cache, whose garbage collector may outlive the connection.
    engine = table.get_backend()
    name = f"assay_{uuid.uuid4().hex}"
    if engine.name == "pyspark":
        return _cached(engine, name, table, until)
    if engine.name == "postgres":
        return _kept_in_session(engine, name, table)
    kept = engine.create_table(name, table, temp=True)
    if engine.name == "duckdb":
        # Elsewhere they go with the session; here its memory is the server's. Ibis 12 drops with a statement
        # that its own version of sqlglot leaves unfinished.
        until.callback(engine.con.execute, f"DROP TABLE {name}")
    return kept


def _kept_in_session(engine: Any, name: str, table: Table) -> Table:  # noqa: ANN401 — PostgreSQL's own parts
    # Loaded already by who has such an engine.
    import psycopg  # noqa: PLC0415

    try:
        return engine.create_table(name, table, temp=True)
    except psycopg.errors.ReadOnlySqlTransaction:
        # A session that may only read keeps nothing: it computes the table as often as it is asked for.
        return table


def _cached(engine: Any, name: str, table: Table, until: ExitStack) -> Table:  # noqa: ANN401 — Spark's own parts
    # Spark has no temporary tables, but views over frames that its executors keep.
    session = engine._session
    frame = session.sql(engine.compile(table)).persist()
    until.callback(frame.unpersist)
    frame.createOrReplaceTempView(name)
    until.callback(session.catalog.dropTempView, name)
    return engine.table(name)
