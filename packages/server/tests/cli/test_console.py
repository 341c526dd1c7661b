"""What the terminal shows: names keep their brackets, numbers stand right, times have their zone."""

import io

from rich.console import Console

from assay.cli import console
from assay.cli.console import minute, table


def shown(*rows: list[str], columns: tuple[str, ...] = ("name", "units")) -> str:
    terminal = Console(width=80, file=io.StringIO())
    with terminal.capture() as captured:
        terminal.print(table("", columns, rows))
    return captured.get()


def test_a_name_in_brackets_is_no_markup() -> None:
    assert "New [bold] form" in shown(["New [bold] form", "1"])


def test_numbers_stand_right_and_words_left() -> None:
    text = shown(["a", "1,000", "x"], ["b", "2", "longer"], columns=("name", "units", "about"))

    long, short = text.splitlines()[-3:-1]
    assert long.index("1,000") + len("1,000") == short.index("2") + 1
    assert long.index("x") == short.index("longer")


def test_an_empty_table_says_that_it_is_empty() -> None:
    assert "nothing yet" in shown()


def test_an_identifier_between_colons_is_no_emoji() -> None:
    with console.err.capture() as captured:
        console.err.print("rejected visitor-1:x:", markup=False)

    assert captured.get() == "rejected visitor-1:x:\n"


def test_a_moment_is_told_to_the_minute_in_utc() -> None:
    assert minute("2026-11-29T23:16:14.126393+09:00") == "2026-11-29 14:16 UTC"
