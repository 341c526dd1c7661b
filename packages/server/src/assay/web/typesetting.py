"""Sheets as PDF and PNG, typeset by Typst: one wheel, its own fonts, no network.

A sheet goes in as JSON, so nothing in it is markup, and the compiler reaches no file beyond our templates.
"""

import json
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from assay.shared.errors import Conflict
from assay.web.sheet import Sheet

TEMPLATE = Path(__file__).parent / "templates" / "sheet.typ"
# A picture is one page however long, so its length is bounded; the pages of a PDF are not.
MOST_ROWS_IN_A_PICTURE = 30
PIXELS_PER_INCH = 150.0
# One after the other: a sheet takes a fraction of a second, and each a core and its memory.
_ONE_AT_A_TIME = threading.Lock()

PageForm = Literal["pdf", "png"]


class NotTypeset(Conflict):
    """The report cannot be set on pages."""

    code = "not_typeset"


def typeset(sheet: Sheet, form: PageForm) -> bytes:
    """The sheet on pages; the same sheet gives the same bytes.

    Raises:
        NotTypeset: The compiler refused it, or is not installed.
    """
    compiler = _typst()
    inputs = {"form": form, "sheet": json.dumps(_inputs(sheet, form), allow_nan=False)}
    with _ONE_AT_A_TIME:
        try:
            return compiler.compile(
                TEMPLATE.read_bytes(),
                root=str(TEMPLATE.parent),
                font_paths=_fonts(),
                format=form,
                ppi=PIXELS_PER_INCH,
                sys_inputs=inputs,
                timestamp=sheet.made_at,
            )
        except compiler.TypstError as error:
            raise NotTypeset(f"the report cannot be set as {form.upper()}: {error.message}") from error


def _inputs(sheet: Sheet, form: PageForm) -> dict[str, Any]:
    inputs = asdict(sheet)
    shown = sheet.metrics if form == "pdf" else sheet.metrics[:MOST_ROWS_IN_A_PICTURE]
    at = datetime.fromtimestamp(sheet.made_at, UTC)
    return inputs | {
        "metrics": inputs["metrics"][: len(shown)],
        "left_out": len(sheet.metrics) - len(shown),
        "date": [at.year, at.month, at.day],
    }


def _typst() -> Any:  # noqa: ANN401 — the module, as a value
    try:
        # Loaded by the first report that is typeset: it is 84 MB.
        import typst  # noqa: PLC0415
    except ImportError as error:
        raise NotTypeset("PDF and PNG need the package `typst`; install it, or take the HTML") from error
    return typst


@cache
def _fonts() -> Any:  # noqa: ANN401 — its fonts
    # The machine's own fonts only for letters that the embedded ones lack.
    return _typst().Fonts(include_system_fonts=True, include_embedded_fonts=True)
