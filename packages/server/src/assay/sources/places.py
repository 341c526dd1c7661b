"""Which files a connection may read: those below the allowed roots, wherever links lead."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assay.sources.errors import PlaceNotAllowed, UnreadableTable

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class Allowed:
    """Folders that may be read; None lets the user of a terminal or notebook read what they can anyway."""

    roots: Sequence[Path] | None

    def require(self, path: Path) -> Path:
        """The path with links followed.

        Raises:
            PlaceNotAllowed: It lies outside.
        """
        found = path.resolve()
        if self.roots is None:
            return found
        if not path.is_absolute() or not any(found.is_relative_to(root.resolve()) for root in self.roots):
            # The same sentence for what is there and what is not: a stranger learns nothing about the disk.
            raise PlaceNotAllowed(
                f"{str(path)!r} lies outside the folders that sources may be read from; "
                "add one to the setting source_roots (ASSAY_SOURCE_ROOTS) where Assay runs",
                value=str(path),
            )
        return found


def matching_files(folder: Path, pattern: str, allowed: Allowed) -> list[Path]:
    """The files below the folder that the pattern names, in order of their names.

    Raises:
        PlaceNotAllowed: The folder or one of the files lies outside.
        UnreadableTable: There is none, there are too many, or they are of several formats.
    """
    base = allowed.require(folder)
    parts = PurePosixPath(pattern)
    if parts.is_absolute() or ".." in parts.parts:
        raise UnreadableTable(f"pattern {pattern!r} must stay below the connection's folder", value=pattern)
    try:
        found = sorted(path for path in base.glob(pattern) if path.is_file())
    except (ValueError, NotImplementedError) as error:
        # What `glob` says of a pattern that is none.
        raise UnreadableTable(f"pattern {pattern!r} cannot be read: {error}", value=pattern) from error
    if not found:
        raise UnreadableTable(f"no file matches {str(base / pattern)!r}", value=pattern)
    if len(found) > MAX_FILES:
        raise UnreadableTable(
            f"{pattern!r} matches {len(found):,} files; at most {MAX_FILES:,} are read as one table"
        )
    _require_one_format(found, pattern)
    return [allowed.require(path) for path in found]


def is_parquet(path: Path) -> bool:
    """Whether the name says Parquet."""
    return path.suffix.lower() in PARQUET_SUFFIXES


def _require_one_format(paths: Sequence[Path], pattern: str) -> None:
    for path in paths:
        if path.suffix.lower() not in CSV_SUFFIXES | PARQUET_SUFFIXES:
            raise UnreadableTable(
                f"{path.name!r} is neither CSV nor Parquet; narrow {pattern!r} to names that end in "
                ".csv or .parquet",
                value=pattern,
            )
    if len({is_parquet(path) for path in paths}) > 1:
        raise UnreadableTable(f"{pattern!r} matches CSV and Parquet files; a table is of one format")
