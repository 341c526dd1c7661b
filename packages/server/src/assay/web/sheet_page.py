"""A sheet as one HTML file: no script, nothing asked of anybody, not even when a browser would."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

from assay.web.rendering import TEMPLATES, filled
from assay.web.sheet import Sheet


@dataclass(frozen=True, slots=True)
class FormLink:
    """Another form of the sheet, for readers on the server."""

    name: str
    address: str


def page_of(sheet: Sheet, links: Sequence[FormLink] = ()) -> str:
    """The file; the same sheet gives the same bytes."""
    return filled("sheet.html", sheet=sheet, links=links, style=Markup(_style()), policy=policy())  # noqa: S704 — our own file


@cache
def policy() -> str:
    """What a browser may do with the page: apply its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return (TEMPLATES / "sheet.css").read_text(encoding="utf-8").strip()
