"""A table is made of one SELECT that only reads."""

import pytest

from assay.sources.errors import NotReadOnly
from assay.sources.selects import require_select


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("duckdb", "SELECT 1"),
        ("duckdb", "FROM orders"),
        ("postgres", "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT 2"),
        ("postgres", "SELECT unit, sum(v) OVER (ORDER BY at) FROM shop.orders WHERE note = 'delete from x';"),
        ("spark", "SELECT * FROM shop.orders LATERAL VIEW explode(items) AS item"),
        ("bigquery", "SELECT * FROM `project.shop.orders`"),
    ],
)
def test_a_select_is_let_through(dialect: str, sql: str) -> None:
    require_select(sql, dialect=dialect)


@pytest.mark.parametrize(
    ("dialect", "sql", "found"),
    [
        ("postgres", "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "DELETE"),
        ("postgres", "SELECT * INTO copy FROM t", "INTO"),
        ("postgres", "SELECT * FROM t FOR UPDATE", "LOCK"),
        ("postgres", "SELECT 1; DROP TABLE t", "2 statements"),
        ("postgres", "", "0 statements"),
        ("postgres", "EXPLAIN ANALYZE DELETE FROM t", "COMMAND"),
        ("postgres", "COPY t TO PROGRAM 'x'", "COPY"),
        ("postgres", "VACUUM", "COMMAND"),
        ("postgres", "SELECT set_config('default_transaction_read_only', 'off', false)", "set_config"),
        ("postgres", "SELECT pg_read_file('/etc/passwd')", "pg_read_file"),
        ("duckdb", "ATTACH 'other.db'", "ATTACH"),
        ("duckdb", "SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("duckdb", "SELECT * FROM '/etc/passwd'", "is a file"),
        ("duckdb", "SELECT * FROM 'secrets.csv'", "is a file"),
        ("duckdb", "SELECT getenv('HOME')", "getenv"),
        ("duckdb", "SELECT * FROM query('DROP TABLE t')", "query"),
        ("duckdb", "SET memory_limit = '1TB'", "SET"),
        ("spark", "SELECT * FROM parquet.`/data/secret`", "is a file"),
        ("spark", "SELECT java_method('java.lang.System', 'exit', 1)", "java_method"),
        ("duckdb", "SELEC 1", "cannot be read"),
        ("duckdb", "(" * 3000 + "SELECT 1" + ")" * 3000, "cannot be read"),
    ],
)
def test_anything_else_is_refused_by_name(dialect: str, sql: str, found: str) -> None:
    with pytest.raises(NotReadOnly, match=found):
        require_select(sql, dialect=dialect)
