"""Reading one property out of a JSON text, in the words of every engine.

Ibis can cast text to JSON on some engines only, and where it can it means different things; the function that
reads a text out of a JSON text exists everywhere under another name.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ibis
from ibis.expr.types import Table, Value

# What counts as a number, so that a text which is none is left out instead of failing the query.
_NUMBER = r"^[+-]?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?$"
_DIALECTS = {"pyspark": "databricks"}


def dialect_of(table: Table) -> str:
    """The dialect of SQL that the table's engine speaks."""
    return str(table.get_backend().name)


def text_of(document: Value, key: str, *, dialect: str) -> Value:
    """The property as text, null where it is not there or null; a number or truth value as JSON writes it."""
    match _DIALECTS.get(dialect, dialect):
        case "postgres":
            return _function("json_extract_path_text", "json", "string")(document.cast("json"), key)
        case "snowflake":
            parsed = _function("parse_json", "string", gives="json")(document)
            found = _function("get", "json", "string", gives="json")(parsed, key)
            return _function("to_varchar", "json")(found)
        case "clickhouse":
            reader = _function("JSONExtract", "string", "string", "string")
            return reader(document, key, "Nullable(String)")
        case other:
            reader, path = _by_path(other, key)
            return _function(reader, "string", "string")(document, path)


def _by_path(dialect: str, key: str) -> tuple[str, str]:
    match dialect:
        case "duckdb":
            # A JSON pointer: a path would give quotes and dots in a key a meaning.
            return "json_extract_string", "/" + key.replace("~", "~0").replace("/", "~1")
        case "databricks":
            return "get_json_object", f"$['{key}']"
        case "bigquery":
            return "json_value", f'$."{key}"'
        case _:
            return "json_extract_scalar", f'$["{key}"]'


def number_of(text: Value) -> Value:
    """The number a text says, null where it says none."""
    return ibis.ifelse(text.re_search(_NUMBER), text, None).cast("float64")


def _function(name: str, *takes: str, gives: str = "string") -> Any:  # noqa: ANN401 — over Ibis values
    return ibis.udf.scalar.builtin(_SHAPES[len(takes)], name=name, signature=(takes, gives))


def _of_one(first: str) -> None: ...
def _of_two(first: str, second: str) -> None: ...
def _of_three(first: str, second: str, third: str) -> None: ...


_SHAPES: Mapping[int, Callable[..., None]] = {1: _of_one, 2: _of_two, 3: _of_three}
