from pathlib import Path
from typing import Any

from pyarrow import NativeFile, RecordBatch, Schema, Table

def read_table(source: str | Path, *, columns: list[str] | None = ...) -> Table: ...
def write_table(table: Table, where: str | Path, *, compression: str = ..., **kwargs: Any) -> None: ...

class Statistics:
    @property
    def max(self) -> Any: ...
    @property
    def min(self) -> Any: ...

class ColumnChunkMetaData:
    @property
    def statistics(self) -> Statistics: ...

class RowGroupMetaData:
    @property
    def num_rows(self) -> int: ...
    def column(self, i: int) -> ColumnChunkMetaData: ...

class FileMetaData:
    @property
    def num_row_groups(self) -> int: ...
    def row_group(self, i: int) -> RowGroupMetaData: ...

class ParquetWriter:
    def __init__(
        self,
        where: str | Path | NativeFile,
        schema: Schema,
        *,
        compression: str = ...,
        use_dictionary: bool | list[str] = ...,
        metadata_collector: list[FileMetaData] | None = ...,
    ) -> None: ...
    def close(self) -> None: ...
    def write_batch(self, batch: RecordBatch, row_group_size: int | None = ...) -> None: ...
