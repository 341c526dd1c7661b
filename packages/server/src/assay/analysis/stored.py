"""The files of stored days: a manifest, and per refresh who entered, who was doubly exposed, and unit days.

A file is never changed. Each refresh writes new ones, brings them to the disk, and names them in a manifest
that replaces the old one last: a refresh that dies never was. The manifest knows every file's digest, so that
one which is missing or damaged is noticed before it is believed.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis.activity import DAY

FORMAT = 1
MANIFEST = "manifest.json"
ENTERED, DOUBLED, ROWS = "entered", "doubled", "rows"
PARTS = (ENTERED, DOUBLED, ROWS)
# Plans of one experiment that are asked for by turns; older ones are computed anew when they come back.
PLANS_KEPT = 4
MOST_CHUNKS = 8


class DamagedDays(Exception):
    """Stored days that are not what was stored."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one refresh wrote, of the days from `since` up to but not with `until`.

    Attributes:
        files: Name and digest by part; where later days were forgotten, of those parts that still count.
        is_cut: Whether the files hold days that do not count any more.
    """

    since: int
    until: int
    files: Mapping[str, tuple[str, str]]
    is_cut: bool = False

    def before(self, day: int) -> "Chunk":
        """What is left of it when the days from this one on are forgotten."""
        if self.until <= day:
            return self
        # That a unit of an earlier day was seen in a second arm stays true, and is in that day's sums.
        files = self.files if self.since < day else {DOUBLED: self.files[DOUBLED]}
        return Chunk(min(self.since, day), day, files, is_cut=True)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of the days before `end`.

    Attributes:
        end: The first day that is not known; None when nothing is.
        marks: What the events of each day were when they were read.
        shifts: What is subtracted before squares are taken; the same on every day, so that sums add up.
        counts: Units by their first day, arm, and whether they were seen in several arms.
        sums: What each day adds to each arm; several rows of a day and arm add up.
    """

    end: int | None = None
    marks: Mapping[int, str] = field(default_factory=dict[int, str])
    shifts: Mapping[str, float] | None = None
    counts: Sequence[Mapping[str, Any]] = ()
    sums: Sequence[Mapping[str, Any]] = ()
    chunks: Sequence[Chunk] = ()

    def before(self, day: int) -> "Stored":
        """What is left when the days from this one on are forgotten."""
        if self.end is None or day >= self.end:
            return self
        if not any(chunk.since < day for chunk in self.chunks):
            return Stored()
        return replace(
            self,
            end=day,
            marks={each: mark for each, mark in self.marks.items() if each < day},
            counts=[row for row in self.counts if row[DAY] < day],
            sums=[row for row in self.sums if row[DAY] < day],
            chunks=[chunk.before(day) for chunk in self.chunks],
        )


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of one plan's stored days, read by one engine."""

    engine: Backend
    folder: Path

    def load(self) -> Stored:
        """What is stored; nothing when there is no manifest.

        Raises:
            DamagedDays: A file is missing, or is not what was written.
        """
        path = self.folder / MANIFEST
        if not path.is_file():
            return Stored()
        try:
            found = json.loads(path.read_bytes())
            chunks = [Chunk(each["since"], each["until"], each["files"]) for each in found["chunks"]]
            marks = {int(day): mark for day, mark in found["marks"].items()}
            known = Stored(found["end"], marks, found["shifts"], found["counts"], found["sums"], chunks)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedDays("the manifest cannot be read") from error
        self._require_untouched(known)
        return known

    def entered(self, known: Stored, *, since: int | None = None) -> Table:
        """First exposures: `unit`, `arm`, `first_at`, its `day`, and `in_several` as it was on that day."""
        return self._days(known.chunks, ENTERED, since)

    def doubled(self, known: Stored) -> Table:
        """Units that were seen in a second arm on a later day than they had entered: `unit`, `arm`, `day`."""
        return self._days(known.chunks, DOUBLED)

    def rows(self, known: Stored, *, since: int | None = None) -> Table:
        """Unit days, as `daily.unit_days` makes them."""
        return self._days(known.chunks, ROWS, since)

    def write(self, since: int, until: int, tables: Mapping[str, Table]) -> Chunk:
        """Writes the parts of new days, which nothing names yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, tuple[str, str]] = {}
        for part, table in tables.items():
            path = self.folder / f"{part}-{uuid.uuid4().hex}.parquet"
            # By day, so that who wants late days only need not unpack the others.
            self.engine.to_parquet(table.order_by(DAY), str(path))
            _sync(path)
            files[part] = (path.name, _digest(path))
        return Chunk(since, until, files)

    def tidied(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """The same days in few files, which hold nothing else."""
        is_many = len(chunks) > MOST_CHUNKS
        moved = [chunk for place, chunk in enumerate(chunks[:-1]) if chunk.is_cut or (is_many and place > 0)]
        if not moved:
            return list(chunks)
        moved.append(chunks[-1])
        parts = {part: self._days(moved, part) for part in PARTS}
        merged = self.write(min(chunk.since for chunk in moved), max(chunk.until for chunk in moved), parts)
        return [*(chunk for chunk in chunks if chunk not in moved), merged]

    def save(self, known: Stored) -> None:
        """Makes this what is stored, then deletes what it does not name."""
        text = json.dumps(
            {
                "format": FORMAT,
                "end": known.end,
                "marks": known.marks,
                "shifts": known.shifts,
                "counts": known.counts,
                "sums": known.sums,
                "chunks": [
                    {"since": chunk.since, "until": chunk.until, "files": chunk.files}
                    for chunk in known.chunks
                ],
            }
        )
        _replace(self.folder / MANIFEST, text)
        named = {name for chunk in known.chunks for name, _ in chunk.files.values()}
        for path in self.folder.iterdir():
            if path.name != MANIFEST and path.name not in named:
                path.unlink(missing_ok=True)

    def remember(self, name: str, value: Mapping[str, Any]) -> None:
        """Keeps what follows from the stored days, until other days are stored."""
        _replace(self.folder / f"{name}.json", json.dumps(value))

    def remembered(self, name: str) -> dict[str, Any] | None:
        """What was kept under this name since these days were stored; None when nothing was, or not whole."""
        try:
            return json.loads((self.folder / f"{name}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _require_untouched(self, known: Stored) -> None:
        for chunk in known.chunks:
            for name, digest in chunk.files.values():
                path = self.folder / name
                if not path.is_file():
                    raise DamagedDays(f"{name} is missing")
                if _digest(path) != digest:
                    raise DamagedDays(f"{name} is not what was written")

    def _days(self, chunks: Sequence[Chunk], part: str, since: int | None = None) -> Table:
        having = [chunk for chunk in chunks if part in chunk.files]
        # Where nothing is wanted, one is read all the same: for its columns.
        wanted = [chunk for chunk in having if since is None or chunk.until > since] or having[:1]
        whole = [chunk.files[part][0] for chunk in wanted if not chunk.is_cut]
        parts = [self._read(whole)] if whole else []
        parts += [
            _before(self._read([chunk.files[part][0]]), chunk.until) for chunk in wanted if chunk.is_cut
        ]
        rows = _union(parts)
        return rows if since is None else rows.filter(rows[DAY] >= since)

    def _read(self, names: Sequence[str]) -> Table:
        return self.engine.read_parquet([str(self.folder / name) for name in names])


def keep_newest(folder: Path) -> None:
    """Deletes the stored days of plans that were not asked for lately, beside the one in this folder."""
    if not folder.is_dir():
        return
    folder.touch()
    others = [each for each in folder.parent.iterdir() if each.is_dir() and each != folder]
    for each in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[PLANS_KEPT - 1 :]:
        shutil.rmtree(each, ignore_errors=True)


def _union(parts: Sequence[Table]) -> Table:
    return reduce(lambda left, right: left.union(right), parts)


def _before(rows: Table, day: int) -> Table:
    return rows.filter(rows[DAY] < day)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    beside = path.with_suffix(f".{uuid.uuid4().hex}")
    beside.write_text(text, encoding="utf-8")
    _sync(beside)
    beside.replace(path)
    _sync(path.parent)
