"""Whether a statement only reads: decided by its parse tree, before any engine sees it."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from assay.sources.errors import NotReadOnly

WRITES = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Command, exp.Into,
    exp.Lock, exp.Copy, exp.Set, exp.Pragma, exp.Use, exp.Attach, exp.Detach, exp.Kill, exp.TruncateTable,
)  # fmt: skip
# They read files or other servers, change settings or sequences, or end other people's sessions.
FORBIDDEN_FUNCTIONS = frozenset(
    {
        "dblink", "dblink_connect", "dblink_exec", "file", "getenv", "glob", "java_method", "lo_export",
        "lo_from_bytea", "lo_get", "lo_import", "lo_put", "lo_unlink", "nextval", "parquet_scan",
        "pg_advisory_lock", "pg_cancel_backend", "pg_ls_dir", "pg_notify", "pg_read_binary_file",
        "pg_read_file", "pg_reload_conf", "pg_stat_file", "pg_terminate_backend", "query",
        "query_table", "query_to_xml", "read_blob", "read_csv", "read_csv_auto", "read_files",
        "read_json", "read_json_auto", "read_ndjson", "read_parquet", "read_text", "reflect", "remote",
        "s3", "set_config", "setval", "url",
    }
)  # fmt: skip
# Spark and DuckDB read a file that stands where a table's name belongs.
FILE_FORMATS = frozenset(
    {"avro", "binaryfile", "csv", "delta", "jdbc", "json", "orc", "parquet", "text", "xml"}
)

FILE_ENDINGS = (".parquet", ".pq", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".gz", ".db", ".duckdb")


def require_select(sql: str, *, dialect: str) -> None:
    """Checks that the text is one SELECT that touches tables only.

    Args:
        dialect: As SQLGlot names it, such as `duckdb`, `postgres`, `spark`.
    Raises:
        NotReadOnly: It is not; the message says what was found.
    """
    statement = _only_statement(sql, dialect)
    if not isinstance(statement, exp.Query):
        raise NotReadOnly(f"a table is made of one SELECT, not of {_shown(statement)}")
    for part in statement.walk():
        if isinstance(part, WRITES):
            raise NotReadOnly(f"the SELECT must only read, and {_shown(part)} does not")
        _require_harmless(part)


def _only_statement(sql: str, dialect: str) -> exp.Expr:
    try:
        statements = [found for found in sqlglot.parse(sql, read=dialect) if found is not None]
    except (SqlglotError, RecursionError) as error:
        # The first line names the place; those after it draw it.
        raise NotReadOnly(f"the SELECT cannot be read: {str(error).splitlines()[0]}") from error
    if len(statements) != 1:
        raise NotReadOnly(f"a table is made of one SELECT; this is {len(statements)} statements")
    return statements[0]


def _require_harmless(part: exp.Expr) -> None:
    if isinstance(part, exp.Func):
        name = (part.name if isinstance(part, exp.Anonymous) else part.sql_name()).lower()
        if name in FORBIDDEN_FUNCTIONS:
            raise NotReadOnly(f"the function {name} reaches beyond the tables of the connection", value=name)
    if isinstance(part, exp.Table):
        _require_table_name(part)


def _require_table_name(table: exp.Table) -> None:
    is_path = "/" in table.name or table.name.lower().endswith(FILE_ENDINGS)
    if is_path or table.db.lower() in FILE_FORMATS:
        raise NotReadOnly(
            f"{table.name!r} is a file; name a table, or use a connection of kind `files`", value=table.name
        )


def _shown(part: exp.Expr) -> str:
    return type(part).__name__.upper()
