"""A result as one file: the document, the plan, and the numbers it was concluded from as Parquet."""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from assay.analysis.document import Document
from assay.analysis.record import Written, canonical
from assay.shared.errors import Invalid

FORMAT = 1
MANIFEST, DOCUMENT, RECORD, NUMBERS = "manifest.json", "document.json", "record.json", "numbers.parquet"
MEMBERS = (DOCUMENT, RECORD, NUMBERS)
LARGEST_MEMBER_BYTES = 1 << 30
# Fixed, so that the same result is the same file.
MADE_AT = (1980, 1, 1, 0, 0, 0)


class UnreadableBundle(Invalid):
    """The file is not a bundle of a result."""

    code = "unreadable_bundle"


class TamperedBundle(Invalid):
    """The bundle is not what was exported."""

    code = "tampered_bundle"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A document and the record it was concluded from."""

    document: Document
    written: Written


def save(bundle: Bundle, path: Path | IO[bytes]) -> None:
    """Writes the bundle; the same result gives the same bytes."""
    members = {
        DOCUMENT: canonical(bundle.document.model_dump(mode="json")),
        RECORD: canonical(bundle.written.structure),
        NUMBERS: _parquet(bundle.written.numbers),
    }
    manifest = {
        "format": FORMAT,
        "content_hash": bundle.document.content_hash,
        "sha256": {name: _sha256(content) for name, content in members.items()},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {MANIFEST: canonical(manifest), **members}.items():
            archive.writestr(zipfile.ZipInfo(name, MADE_AT), content, zipfile.ZIP_DEFLATED)


def load(path: Path) -> Bundle:
    """The bundle in a file.

    Raises:
        UnreadableBundle: The file is missing or something else.
        TamperedBundle: A part of it was changed after the export.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {name: _member(archive, name) for name in (MANIFEST, *MEMBERS)}
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise UnreadableBundle(
            f"{str(path)!r} is not a bundle of a result: {error}", value=str(path)
        ) from error
    _require_untouched(contents, path)
    return _parsed(contents, path)


def to_json(written: Written) -> dict[str, Any]:
    """A record that JSON can carry: its numbers as base64 of little-endian float64."""
    content = np.ascontiguousarray(written.numbers, dtype="<f8").tobytes()
    return {"structure": written.structure, "numbers": base64.b64encode(content).decode()}


def from_json(plain: dict[str, Any]) -> Written:
    """The record that JSON carried."""
    content = base64.b64decode(plain["numbers"], validate=True)
    return Written(plain["structure"], np.frombuffer(content, dtype="<f8"))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST_MEMBER_BYTES:
        raise UnreadableBundle(f"{name} in the bundle is larger than any result", value=name)
    return archive.read(name)


def _require_untouched(contents: dict[str, bytes], path: Path) -> None:
    try:
        manifest: Any = json.loads(contents[MANIFEST])
        known = {name: manifest["sha256"][name] for name in MEMBERS}
        is_known_format = manifest["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableBundle(f"the manifest of {str(path)!r} cannot be read", value=str(path)) from error
    if not is_known_format:
        raise UnreadableBundle(
            f"{str(path)!r} has format {manifest['format']!r}; this version reads {FORMAT}", value=str(path)
        )
    for name, digest in known.items():
        if _sha256(contents[name]) != digest:
            raise TamperedBundle(
                f"{name} in {str(path)!r} was changed after the export; export the result again",
                value=name,
            )


def _parsed(contents: dict[str, bytes], path: Path) -> Bundle:
    try:
        document = Document.model_validate_json(contents[DOCUMENT])
        structure: Any = json.loads(contents[RECORD])
        column = pq.read_table(io.BytesIO(contents[NUMBERS]))["value"]
    except (ValidationError, ValueError, KeyError, pa.ArrowException) as error:
        raise UnreadableBundle(f"{str(path)!r} cannot be read by this version", value=str(path)) from error
    return Bundle(document, Written(structure, np.asarray(column.to_numpy(), dtype=np.float64)))


def _parquet(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"value": numbers}), target)
    return target.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
