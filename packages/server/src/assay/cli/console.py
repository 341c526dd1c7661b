"""What people see in the terminal: tables, progress, one-line errors."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

# Without a terminal there is no width to ask for; tables in logs and pipes should not break at 80 columns.
# No emoji: an identifier such as `visitor:x:1` must come out as it is.
out = Console(width=None if sys.stdout.isatty() else 120, emoji=False)
err = Console(stderr=True, emoji=False)
_NUMBER_BEGINS = frozenset("0123456789+-−—∞[")


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


def print_json(document: str) -> None:
    """One JSON document on standard output, as it is."""
    sys.stdout.write(document + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> Table:
    """A table whose columns of numbers stand to the right; a cell is text, whatever brackets it has."""
    grid = Table(
        title=Text(title) if title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_header=any(columns),
        caption=None if rows else "nothing yet",
        caption_justify="left",
    )
    for position, column in enumerate(columns):
        is_number = position > 0 and _are_numbers([str(row[position]) for row in rows])
        grid.add_column(Text(column), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return grid


def minute(at: str) -> str:
    """A moment of the API as people read it, in UTC."""
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(cell[0] in _NUMBER_BEGINS for cell in cells if cell)


def progress() -> Progress:
    """A progress bar on standard error, silent when that is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
