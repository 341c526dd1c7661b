"""What people see in the terminal: tables, progress, one-line errors."""

import sys
from collections.abc import Sequence
from enum import StrEnum

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

# Without a terminal there is no width to ask for; tables in logs and pipes should not break at 80 columns.
out = Console(width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True)


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


def print_json(document: str) -> None:
    """One JSON document on standard output, as it is."""
    sys.stdout.write(document + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table whose first column is text and whose other columns are numbers."""
    grid = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(columns):
        grid.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


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
