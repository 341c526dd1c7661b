"""CSV and Parquet files as tables, read by DuckDB without touching the network."""

import re
from collections.abc import Iterable
from pathlib import Path

import duckdb
import ibis
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.sources.errors import UnknownColumn, UnreadableTable, UnusableColumn

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
MISSING_WORDS = ["", "NULL", "null", "NA", "NaN", "nan", "None"]


def local_engine() -> Backend:
    """A DuckDB in memory that loads nothing from the network."""
    return ibis.duckdb.connect(autoinstall_known_extensions=False, autoload_known_extensions=False)


def open_file(engine: Backend, path: Path) -> Table:
    """The file as a table.

    Raises:
        UnreadableTable: It is missing, empty, of another format, damaged, or not UTF-8.
    """
    suffix = path.suffix.lower()
    if suffix not in CSV_SUFFIXES | PARQUET_SUFFIXES:
        raise UnreadableTable(
            f"{path.name!r} is neither CSV nor Parquet; its name must end in .csv or .parquet"
        )
    if not path.is_file():
        raise UnreadableTable(f"no file {str(path)!r}")
    if path.stat().st_size == 0:
        raise UnreadableTable(f"{path.name!r} is empty; a table needs a header and rows")
    try:
        table = _read(engine, path, parquet=suffix in PARQUET_SUFFIXES)
        rows = table.count().to_pyarrow().as_py()
    except duckdb.Error as error:
        raise UnreadableTable(_sentence(path, error)) from error
    if rows == 0:
        raise UnreadableTable(f"{path.name!r} has a header but no rows")
    return table


def require_columns(table: Table, columns: Iterable[str]) -> None:
    """Checks that the columns exist.

    Raises:
        UnknownColumn: One does not; the message lists those that do.
    """
    for column in columns:
        if column not in table.columns:
            raise UnknownColumn(
                f"no column {column!r}; the table has {', '.join(table.columns)}", value=column
            )


def require_measurable(table: Table, column: str) -> None:
    """Checks that the column holds numbers or booleans.

    Raises:
        UnusableColumn: It holds something else; the message shows the first value that is not a number.
    """
    kind = table[column].type()
    if kind.is_numeric() or kind.is_boolean():
        return
    if not kind.is_string():
        raise UnusableColumn(f"column {column!r} holds {kind}, not numbers or true/false", value=column)
    texts = table.filter(table[column].notnull() & table[column].try_cast("float64").isnull())
    sample = texts.select(column).limit(1).to_pyarrow()[column].to_pylist()
    shown = f"; {sample[0]!r} is not a number" if sample else " although every value looks like a number"
    raise UnusableColumn(
        f"column {column!r} holds text{shown}. Mend the file or leave the metric out", value=column
    )


def _read(engine: Backend, path: Path, *, parquet: bool) -> Table:
    if parquet:
        return engine.read_parquet(path)
    # Every row decides the types: a sample would let a late text pass for a number and fail in the middle.
    rows = engine.read_csv(path, header=True, sample_size=-1, nullstr=MISSING_WORDS, encoding="utf-8")
    # Text is parsed once; the analysis asks several questions.
    return engine.create_table("input", rows, temp=True)


def _sentence(path: Path, error: duckdb.Error) -> str:
    message = str(error)
    if re.search(r"utf-?8|unicode", message, re.IGNORECASE):
        return f"{path.name!r} is not UTF-8 text; convert it first, for example: iconv -f latin1 -t utf8"
    return f"{path.name!r} cannot be read: {message.splitlines()[0]}"
