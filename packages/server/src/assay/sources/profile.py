"""A first look at a table: some rows, and what each column holds, in one pass."""

import math
from collections.abc import Mapping
from typing import Any

from ibis.expr.datatypes import DataType
from ibis.expr.types import Table, Value
from pydantic_core import to_jsonable_python

from assay.sources.errors import QueryTooLarge
from assay.sources.schemas import ColumnProfile, ProfileOut, SampleOut

MAX_PROFILED_COLUMNS = 200
LONGEST_CELL = 1000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def sample(table: Table, rows: int) -> SampleOut:
    """Some rows, whichever the engine gives first; long texts are cut."""
    found = table.limit(rows).to_pyarrow()
    return SampleOut(
        columns=list(found.column_names),
        rows=[[_cell(value) for value in row.values()] for row in found.to_pylist()],
    )


def profile(table: Table, roles: Mapping[str, str]) -> ProfileOut:
    """What each column holds.

    Args:
        roles: Columns by role.
    Raises:
        QueryTooLarge: It has more columns than are profiled at once.
    """
    if len(table.columns) > MAX_PROFILED_COLUMNS:
        raise QueryTooLarge(
            f"the table has {len(table.columns)} columns; at most {MAX_PROFILED_COLUMNS} are profiled. "
            "Name those you need in a SELECT",
            value=len(table.columns),
        )
    (found,) = table.aggregate(**profile_expressions(table)).to_pyarrow().to_pylist()
    by_column = {column: role for role, column in roles.items()}
    columns = [
        _column(found, place, name, table[name].type(), by_column.get(name))
        for place, name in enumerate(table.columns)
    ]
    return ProfileOut(rows=found["rows"], columns=columns)


def profile_expressions(table: Table) -> dict[str, Value]:
    """The aggregates of a profile, by names that no engine folds or cuts."""
    wanted: dict[str, Value] = {"rows": table.count()}
    for place, name in enumerate(table.columns):
        wanted |= {f"c{place}_{part}": value for part, value in _parts(table[name]).items()}
    return wanted


def _parts(column: Value) -> dict[str, Value]:
    kind = column.type()
    parts = {"nulls": column.isnull().sum().cast("int64")}
    if _is_orderable(kind):
        parts |= {
            "distinct": column.approx_nunique(),
            "lowest": column.min().cast("string"),
            "highest": column.max().cast("string"),
        }
    if kind.is_numeric():
        numbers = column.cast("float64")
        parts |= {f"q{place}": numbers.quantile(share) for place, share in enumerate(QUANTILES)}
    return parts


def _column(
    found: Mapping[str, Any], place: int, name: str, kind: DataType, role: str | None
) -> ColumnProfile:
    def part(which: str) -> Any:  # noqa: ANN401 — as the engine gave it
        return found.get(f"c{place}_{which}")

    rows = found["rows"]
    quantiles = [part(f"q{index}") for index in range(len(QUANTILES))]
    return ColumnProfile(
        name=name,
        type=str(kind).removeprefix("!"),
        role=role,
        null_share=None if rows == 0 else (part("nulls") or 0) / rows,
        distinct=part("distinct"),
        lowest=_shortened(part("lowest")),
        highest=_shortened(part("highest")),
        quantiles={
            f"{share:g}": float(value)
            for share, value in zip(QUANTILES, quantiles, strict=True)
            if value is not None and math.isfinite(value)
        },
    )


def _is_orderable(kind: DataType) -> bool:
    return kind.is_numeric() or kind.is_string() or kind.is_temporal()


def _cell(value: object) -> Any:  # noqa: ANN401 — JSON
    plain = to_jsonable_python(value, inf_nan_mode="strings", bytes_mode="base64", fallback=str)
    return _shortened(plain) if isinstance(plain, str) else plain


def _shortened(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"
