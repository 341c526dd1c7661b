"""A report as a notebook that concludes its numbers again: it carries its bundle and asks nobody."""

import base64
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from assay.analysis.bundle import Bundle, from_json, save
from assay.analysis.document import Document
from assay.analysis.errors import NoRecord
from assay.analysis.schemas import FrozenReportOut, RecordOut

# What Markdown and HTML would take for markup; a title is only ever text.
MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>&$~:=^@])")

UNPACK = """\
import base64
import tempfile
from pathlib import Path

import assay

bundle = Path(tempfile.mkdtemp()) / "report.zip"
bundle.write_bytes(base64.b64decode(BUNDLE))
opened = assay.open_bundle(bundle)
print("content hash", opened.document.content_hash)"""
CONCLUDE = """\
again = assay.reproduce(bundle)
assert again.difference is None, again.difference
print(f"{again.numbers:,} numbers concluded again from the record: all are identical")"""
SHOW = "opened"
TABLE = "opened.to_pandas()"


def bundle_of(frozen: FrozenReportOut, record: RecordOut | None) -> bytes:
    """The report's result as the file that `assay results reproduce` reads.

    Raises:
        NoRecord: The analysis was computed by a version that kept none.
    """
    if record is None:
        raise NoRecord(
            f"report {frozen.report.id} kept no record; report a new analysis", value=str(frozen.report.id)
        )
    target = io.BytesIO()
    save(Bundle(frozen.document, from_json(record.model_dump())), target)
    return target.getvalue()


def notebook_of(frozen: FrozenReportOut, bundle: bytes) -> bytes:
    """The notebook; the same report gives the same bytes."""
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "cells": _cells(frozen, bundle),
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def _cells(frozen: FrozenReportOut, bundle: bytes) -> list[dict[str, Any]]:
    data = base64.encodebytes(bundle).decode()
    hidden = {"jupyter": {"source_hidden": True}}
    return [
        _cell("about", "markdown", _about(frozen, frozen.document)),
        _cell("bundle", "code", f'# The report\'s bundle.\nBUNDLE = """\n{data}"""', hidden),
        _cell("open", "code", UNPACK),
        _cell("conclude", "code", CONCLUDE),
        _cell("show", "code", SHOW),
        _cell("table", "code", TABLE),
    ]


def _about(frozen: FrozenReportOut, document: Document) -> str:
    report = frozen.report
    approved = (
        "Not approved."
        if report.approved_at is None
        else f"Approved by {_plain(report.approved_by or '')} on {report.approved_at:%Y-%m-%d}."
    )
    needs = (
        "This notebook carries what the report was concluded from, and concludes it again. It needs "
        f"`pip install assay=={document.assay_version}`, no server and no network."
    )
    return "\n\n".join([f"# {_plain(report.title)}", approved, needs])


def _plain(text: str) -> str:
    return MARKUP.sub(r"\\\1", " ".join(text.split()))


def _cell(
    identifier: str, kind: str, source: str, metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": identifier,
        "metadata": dict(metadata or {}),
        "source": source.splitlines(keepends=True),
    }
    return cell if kind == "markdown" else cell | {"execution_count": None, "outputs": []}
