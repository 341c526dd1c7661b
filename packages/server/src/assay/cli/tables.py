"""Files of rows, read from the beginning in little memory: CSV, Parquet, NDJSON."""

import csv
import json
from collections.abc import Iterator
from glob import glob
from itertools import islice
from pathlib import Path
from typing import cast

from assay.cli.mapping import Row
from assay.shared.errors import Invalid

ROWS_AT_ONCE = 10_000
LINES_FOR_HEADER = 1_000
SUFFIXES = (".csv", ".parquet", ".ndjson", ".jsonl")


class UnreadableTable(Invalid):
    """A file is not there, or does not hold rows."""

    code = "unreadable_table"


def find(patterns: list[str]) -> list[Path]:
    """The files that names and globs mean, each once.

    Raises:
        UnreadableTable: One means none, or a file that is not read here.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = [Path(pattern)] if Path(pattern).is_file() else _matching(pattern)
        if not paths:
            raise UnreadableTable(f"there is no file {pattern!r}", value=pattern)
        found.update(dict.fromkeys(path for path in paths if path.is_file()))
    for path in found:
        if path.suffix.lower() not in SUFFIXES:
            raise UnreadableTable(f"{path.name!r} is none of {', '.join(SUFFIXES)}", value=path.name)
    return list(found)


def _matching(pattern: str) -> list[Path]:
    # The pattern may be absolute, which Path.glob does not take.
    return sorted(Path(name) for name in glob(pattern, recursive=True))  # noqa: PTH207


def header(path: Path) -> list[str]:
    """The columns of a file; of NDJSON those of its first lines."""
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return list(pq.ParquetFile(path).schema_arrow.names)
    if path.suffix.lower() == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as lines:
            return next(csv.reader(lines), list[str]())
    return list({name: None for row in islice(rows(path), LINES_FOR_HEADER) for name in row})


def length(path: Path) -> int:
    """How many rows a file has, for progress: lines, where counting rows would mean reading all."""
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return pq.ParquetFile(path).metadata.num_rows
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip()) - (path.suffix.lower() == ".csv")


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, in order; texts in CSV stay texts, so that `007` is not 7.

    Raises:
        UnreadableTable: It is damaged; the message says where.
    """
    match path.suffix.lower():
        case ".parquet":
            return _parquet(path)
        case ".csv":
            return _csv(path)
        case _:
            return _lines(path)


def _csv(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines, restval="", restkey="")
        try:
            for row in reader:
                yield cast("Row", {name: value for name, value in row.items() if name})
        except (csv.Error, UnicodeDecodeError) as error:
            raise UnreadableTable(f"line {reader.line_num} of {path.name!r}: {error}") from error


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UnreadableTable(f"line {number} of {path.name!r} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise UnreadableTable(f"line {number} of {path.name!r} is not an object")
            yield cast("Row", row)


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=ROWS_AT_ONCE):
            yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UnreadableTable(f"{path.name!r} is not Parquet: {error}") from error
