"""Reports as files, each made once and kept in memory as long as there is room."""

import hashlib
from collections import OrderedDict
from enum import StrEnum
from threading import Lock
from typing import assert_never

from assay import __version__
from assay.analysis.schemas import FrozenReportOut, RecordOut
from assay.web.sheet import sheet
from assay.web.sheet_page import page_of
from assay.web.typesetting import typeset

MOST_KEPT_BYTES = 64 * 1024 * 1024


class Form(StrEnum):
    """What a report is written as."""

    HTML = "html"
    PDF = "pdf"
    PNG = "png"
    NOTEBOOK = "notebook"
    BUNDLE = "bundle"

    @property
    def media_type(self) -> str:
        """For the `Content-Type` of the answer."""
        return _MEDIA_TYPES[self]

    @property
    def ending(self) -> str:
        """Of the file's name."""
        return {Form.NOTEBOOK: "ipynb", Form.BUNDLE: "zip"}.get(self, self.value)


_MEDIA_TYPES = {
    Form.HTML: "text/html; charset=utf-8",
    Form.PDF: "application/pdf",
    Form.PNG: "image/png",
    Form.NOTEBOOK: "application/x-ipynb+json",
    Form.BUNDLE: "application/zip",
}


def digest_of(frozen: FrozenReportOut, form: Form) -> str:
    """What decides the bytes of a file, as a hash."""
    from assay.analysis.record import canonical  # noqa: PLC0415 — what computes is slow to load, and not needed to start

    parts = [__version__, form.value, frozen.model_dump(mode="json")]
    return hashlib.sha256(canonical(parts)).hexdigest()


def written(frozen: FrozenReportOut, record: RecordOut | None, form: Form) -> bytes:
    """The report as a file; the same report gives the same bytes.

    Raises:
        NoSubject, NoRecord: It was made by a version that did not keep what this form needs.
        NotTypeset: It cannot be set on pages.
    """
    key = digest_of(frozen, form)
    if (known := _KEPT.get(key)) is None:
        known = _made(frozen, record, form)
        _KEPT.keep(key, known)
    return known


def _made(frozen: FrozenReportOut, record: RecordOut | None, form: Form) -> bytes:
    from assay.analysis.report_notebook import bundle_of, notebook_of  # noqa: PLC0415 — as above

    match form:
        case Form.HTML:
            return page_of(sheet(frozen)).encode()
        case Form.PDF:
            return typeset(sheet(frozen), "pdf")
        case Form.PNG:
            return typeset(sheet(frozen), "png")
        case Form.NOTEBOOK:
            return notebook_of(frozen, bundle_of(frozen, record))
        case Form.BUNDLE:
            return bundle_of(frozen, record)
        case _:
            assert_never(form)


class _Kept:
    """The files last asked for, up to a number of bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._most, self._size = most_bytes, 0
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
            return self._files.get(key)

    def keep(self, key: str, content: bytes) -> None:
        with self._lock:
            self._size += len(content) - len(self._files.pop(key, b""))
            self._files[key] = content
            while self._size > self._most:
                self._size -= len(self._files.popitem(last=False)[1])


_KEPT = _Kept(MOST_KEPT_BYTES)
