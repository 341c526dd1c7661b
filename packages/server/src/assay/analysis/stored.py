"""The files of a refreshed analysis: a manifest, who was exposed, and the days of units."""

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis.activity import DAY
from assay.analysis.conditions import FIRST_AT, day_of

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Days:
    """Rows to store, and the day with which they end."""

    rows: Table
    end: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of the days before `end`.

    Attributes:
        end: The first day that is not known; None when nothing is.
        shifts: What is subtracted before squares are taken; the same on every day, so that sums add up.
        sums: What each day adds to each arm, perhaps in several rows.
        files: Names of the files of unit days, each with the day from which on its rows no longer count.
        exposed: First exposures.
        days: Rows of units and days.
    """

    end: int | None = None
    shifts: Mapping[str, float] | None = None
    sums: Sequence[Mapping[str, Any]] = ()
    files: Sequence[tuple[str, int]] = ()
    exposed: Table | None = None
    days: Table | None = None

    def before(self, day: int) -> "Stored":
        """What is left when the days from this one on are forgotten."""
        if self.end is None or day >= self.end or self.exposed is None or self.days is None:
            return self
        return replace(
            self,
            end=day,
            sums=[row for row in self.sums if row[DAY] < day],
            files=[(name, min(end, day)) for name, end in self.files],
            exposed=self.exposed.filter(day_of(self.exposed[FIRST_AT]) < day),
            days=self.days.filter(self.days[DAY] < day),
        )


def load(engine: Backend, folder: Path) -> Stored:
    """What the folder holds; nothing when there is no manifest."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return Stored()
    found = json.loads(manifest.read_text(encoding="utf-8"))
    files = [(str(name), int(end)) for name, end in found["files"]]
    parts = [_before(engine.read_parquet(str(folder / name)), end) for name, end in files]
    return Stored(
        end=found["end"],
        shifts=found["shifts"],
        sums=found["sums"],
        files=files,
        exposed=engine.read_parquet(str(folder / found["exposed"])),
        days=parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0],
    )


def save(engine: Backend, folder: Path, known: Stored, *, exposed: Table, days: Days) -> Stored:
    """Writes what is new, then the manifest that names it, and answers with what is stored now."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {part: f"{part}-{uuid.uuid4().hex}.parquet" for part in ("exposed", "days")}
    for part, table in (("exposed", exposed), ("days", days.rows)):
        engine.to_parquet(table, str(folder / names[part]))
    files = [*((name, end) for name, end in known.files if end > 0), (names["days"], days.end)]
    text = json.dumps(
        {
            "end": known.end,
            "shifts": known.shifts,
            "sums": known.sums,
            "files": files,
            "exposed": names["exposed"],
        }
    )
    _replace(folder / MANIFEST, text)
    _forget(folder, {names["exposed"], *(name for name, _ in files)})
    return load(engine, folder)


def _before(rows: Table, end: int) -> Table:
    return rows.filter(rows[DAY] < end)


def _replace(path: Path, text: str) -> None:
    beside = path.with_suffix(f".{uuid.uuid4().hex}")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _forget(folder: Path, known: set[str]) -> None:
    for path in folder.glob("*.parquet"):
        if path.name not in known:
            path.unlink()
