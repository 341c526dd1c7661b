"""Rows to Parquet files, one day in each, in a stream: no more than a row group is in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import fs, parquet

from assay.events.lake.place import Place, make_durable
from assay.events.lake.table import COLUMNS, DAY, DataFile
from assay.shared.ids import new_id

ROWS_PER_GROUP = 122_880
# Several files of a large day let an engine read it with several threads.
ROWS_PER_FILE = 2_000_000
# A unit's name must not outlive its events in the log, where statistics are repeated.
_IN_STATISTICS = ("kind", "name", "at")
_FEW_VALUES = ["kind", "name", "variant"]


def write_files(place: Place, rows: Iterable[pa.RecordBatch]) -> list[DataFile]:
    """Writes rows that are ordered by day and returns their files, which no table knows yet."""
    system = place.filesystem()
    written: list[DataFile] = []
    writer: _FileWriter | None = None
    for day, part in _by_day(rows):
        if writer is not None and not writer.takes(day):
            written.append(writer.close())
            writer = None
        if writer is None:
            writer = _FileWriter.opened(place, system, day)
        writer.write(part)
    if writer is not None:
        written.append(writer.close())
    return written


def sync_files(place: Place, written: Sequence[DataFile]) -> None:
    """Returns once the files are on the disk."""
    make_durable(place, [file.path for file in written])


def _by_day(rows: Iterable[pa.RecordBatch]) -> Iterator[tuple[date, pa.RecordBatch]]:
    for batch in rows:
        days = batch.column(DAY).to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(days[1:] != days[:-1]) + 1
        bounds = [0, *starts.tolist(), batch.num_rows]
        for start, end in pairwise(bounds):
            if end > start:
                yield days[start].astype(object), batch.slice(start, end - start).select(COLUMNS.names)


@dataclass(slots=True)
class _FileWriter:
    """One file while it grows."""

    path: str
    day: date
    sink: pa.NativeFile
    content: parquet.ParquetWriter
    metadata: list[parquet.FileMetaData]
    rows: int = 0

    @classmethod
    def opened(cls, place: Place, system: fs.FileSystem, day: date) -> "_FileWriter":
        # A name of its own for each attempt: one that was killed may still be found writing.
        path = f"{DAY}={day.isoformat()}/{new_id()}.parquet"
        if place.is_local:
            system.create_dir(place.of(f"{DAY}={day.isoformat()}"), recursive=True)
        sink = system.open_output_stream(place.of(path))
        metadata: list[parquet.FileMetaData] = []
        content = parquet.ParquetWriter(
            sink, COLUMNS, compression="zstd", use_dictionary=_FEW_VALUES, metadata_collector=metadata
        )
        return cls(path, day, sink, content, metadata)

    def takes(self, day: date) -> bool:
        return day == self.day and self.rows < ROWS_PER_FILE

    def write(self, part: pa.RecordBatch) -> None:
        self.content.write_batch(part.cast(COLUMNS), row_group_size=ROWS_PER_GROUP)
        self.rows += part.num_rows

    def close(self) -> DataFile:
        self.content.close()
        size = self.sink.tell()
        self.sink.close()
        return DataFile(self.path, self.day, self.rows, size, _statistics(self.metadata[0]))


def _statistics(metadata: parquet.FileMetaData) -> dict[str, Any]:
    positions = {name: COLUMNS.names.index(name) for name in _IN_STATISTICS}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = {
        name: [group.column(position).statistics for group in groups] for name, position in positions.items()
    }
    return {
        "minValues": {name: _text(min(part.min for part in parts)) for name, parts in found.items()},
        "maxValues": {name: _text(max(part.max for part in parts)) for name, parts in found.items()},
    }


def _text(value: str | datetime) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
