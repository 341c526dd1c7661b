"""CSV and Parquet files as tables, read by DuckDB without touching the network."""

import re
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.sources.errors import UnknownColumn, UnreadableTable, UnusableColumn
from assay.sources.local import records
from assay.sources.places import CSV_SUFFIXES, PARQUET_SUFFIXES

DELIMITERS = ",;|\t"
MISSING_WORDS = ["", "NULL", "null", "NA", "NaN", "nan", "None"]


def open_file(engine: Backend, path: Path, *, as_text: Collection[str] = ()) -> Table:
    """The file as a table.

    Args:
        as_text: Columns of a CSV file whose values are names: `1.10` is not `1.1`, and `FALSE` stays `FALSE`.
    Raises:
        UnreadableTable: It is missing, empty, of another format, damaged, not UTF-8, or names a column twice.
    """
    suffix = path.suffix.lower()
    if suffix not in CSV_SUFFIXES | PARQUET_SUFFIXES:
        raise UnreadableTable(
            f"{path.name!r} is neither CSV nor Parquet; its name must end in .csv or .parquet"
        )
    if path.is_dir():
        raise UnreadableTable(f"{str(path)!r} is a folder; name the file in it")
    if not path.is_file():
        raise UnreadableTable(f"no file {str(path)!r}")
    if path.stat().st_size == 0:
        raise UnreadableTable(f"{path.name!r} is empty; a table needs a header and rows")
    with readable(path):
        is_parquet = suffix in PARQUET_SUFFIXES
        table = _read_parquet(engine, path) if is_parquet else _read_csv(engine, path, as_text)
        (found,) = records(table.aggregate(rows=table.count()))
    if found["rows"] == 0:
        raise UnreadableTable(f"{path.name!r} has a header but no rows")
    return table


@contextmanager
def readable(path: Path) -> Generator[None, None, None]:
    """Around everything that reads a file's rows: damage in the middle of it shows only then.

    Raises:
        UnreadableTable: DuckDB could not read on.
    """
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
        # A query of ours that does not fit the table; no fault of the file's.
        raise
    except duckdb.Error as error:
        raise UnreadableTable(_sentence(path, error)) from error


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
    if not records(table.filter(table[column].notnull()).select(column).limit(1)):
        raise UnusableColumn(f"column {column!r} has no value in any row; leave the metric out", value=column)
    if not kind.is_string():
        raise UnusableColumn(f"column {column!r} holds {kind}, not numbers or true/false", value=column)
    texts = table.filter(table[column].notnull() & table[column].try_cast("float64").isnull())
    sample = [row[column] for row in records(texts.select(column).limit(1))]
    shown = f"; {sample[0]!r} is not a number" if sample else " although every value looks like a number"
    raise UnusableColumn(
        f"column {column!r} holds text{shown}. Mend the file or leave the metric out", value=column
    )


def read_csv(
    engine: Backend, paths: list[str], *, sample_size: int, types: Mapping[str, str] | None = None
) -> Table:
    """CSV files of one shape as one table.

    Args:
        paths: As DuckDB reads them: `*`, `?` and `[` stand for other names.
        sample_size: Rows that decide the types; -1 takes all.
        types: Columns whose type is known.
    """
    # The quote is not guessed: a guess turns one that was never closed into part of a name.
    return engine.read_csv(
        paths,
        header=True,
        sample_size=sample_size,
        nullstr=MISSING_WORDS,
        encoding="utf-8",
        quote='"',
        types=types or {},
    )


def _read_parquet(engine: Backend, path: Path) -> Table:
    table = engine.read_parquet(_literal(path))
    if _may_be_renamed(table.columns):
        _require_distinct(path, _names(engine, path))
    return table


def _names(engine: Backend, path: Path) -> list[str]:
    """The names of a Parquet file's columns, as they stand there."""
    query = "SELECT name, coalesce(num_children, 0) FROM parquet_schema(?)"
    (_root, *nodes) = engine.con.execute(query, [_literal(path)]).fetchall()
    names: list[str] = []
    inside = 0
    for name, children in nodes:
        if inside == 0:
            names.append(name)
        inside = max(inside - 1, 0) + children
    return names


def _read_csv(engine: Backend, path: Path, as_text: Collection[str]) -> Table:
    try:
        rows = _csv(engine, path, dict.fromkeys(as_text, "string"))
    except duckdb.BinderException:
        # A column that is not there; whoever asked for it says so better.
        rows = _csv(engine, path, {})
    if len(rows.columns) == 1 and any(mark in rows.columns[0] for mark in DELIMITERS):
        raise UnreadableTable(_uneven(path))
    if _may_be_renamed(rows.columns):
        _require_distinct(path, _header(engine, path))
    # Text is parsed once; the analysis asks several questions.
    return engine.create_table("input", rows, temp=True)


def _csv(engine: Backend, path: Path, types: Mapping[str, str]) -> Table:
    # Every row decides the types: a sample would let a late text pass for a number and fail in the middle.
    return read_csv(engine, [_literal(path)], sample_size=-1, types=types)


def _header(engine: Backend, path: Path) -> list[str]:
    """The names in a CSV file's first line, as they stand there."""
    rows = engine.read_csv(_literal(path), header=False, all_varchar=True, encoding="utf-8", quote='"')
    return [name for first in records(rows.limit(1)) for name in first.values() if name]


def _may_be_renamed(columns: Iterable[str]) -> bool:
    """Whether DuckDB may have made `a` and `a_1` of two columns of one name."""
    names = {column.casefold() for column in columns}
    return any(re.sub(r"_\d+$", "", name) in names - {name} for name in names)


def _require_distinct(path: Path, names: Iterable[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        # DuckDB does not tell upper from lower case in names.
        earlier = first.setdefault(name.casefold(), name)
        if earlier is not name:
            twice = f"{name!r} twice" if earlier == name else f"both {earlier!r} and {name!r}"
            raise UnreadableTable(
                f"{path.name!r} has the column {twice}; give every column a name of its own", value=name
            )


def _literal(path: Path) -> str:
    # DuckDB takes `*`, `?` and `[` in a name for a pattern and would read other files too.
    return re.sub(r"([*?[])", r"[\1]", str(path))


def _sentence(path: Path, error: duckdb.Error) -> str:
    message = str(error)
    if re.search(r"invalid unicode|not utf-?8", message, re.IGNORECASE):
        return f"{path.name!r} is not UTF-8 text; convert it first, for example: iconv -f latin1 -t utf8"
    if "automatically detect the CSV" in message:
        return _uneven(path)
    return f"{path.name!r} cannot be read: {_reason(message)}"


def _uneven(path: Path) -> str:
    return (
        f"{path.name!r} cannot be split into columns: a row has more or fewer fields than the header, "
        "a quote is not closed, or line ends are mixed"
    )


def _reason(message: str) -> str:
    first, *others = message.splitlines()
    more = [line for line in others if line and not line.startswith("Original Line:")]
    return f"{first}; {more[0]}" if "CSV Error on Line" in first and more else first
