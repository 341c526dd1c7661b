"""How a result looks in a notebook."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from numpy.typing import NDArray

_ROWS_SHOWN = 50


def html_table(title: str, columns: Mapping[str, NDArray[Any]]) -> str:
    """An HTML table with a row per hypothesis and the reason in words; the first 50 rows."""
    rows = list(zip(*columns.values(), strict=True))
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(_row(row) for row in rows[:_ROWS_SHOWN])
    more = f"<p>… {len(rows) - _ROWS_SHOWN} more rows</p>" if len(rows) > _ROWS_SHOWN else ""
    caption = f"<caption>{escape(title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _row(values: tuple[Any, ...]) -> str:
    return f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in values)}</tr>"


def _cell(value: Any) -> str:  # noqa: ANN401 — whatever a column holds
    if value is None:
        return ""
    if isinstance(value, float):
        return "—" if math.isnan(value) else f"{value:.6g}"
    return escape(str(getattr(value, "sentence", value)))
