from collections.abc import Sequence

from pyarrow import Schema
from pyarrow.fs import FileSystem

class Dataset: ...
class Partitioning: ...

def dataset(
    source: Sequence[str],
    schema: Schema | None = ...,
    format: str | None = ...,
    filesystem: FileSystem | None = ...,
    partitioning: Partitioning | None = ...,
    partition_base_dir: str | None = ...,
) -> Dataset: ...
def partitioning(schema: Schema, *, flavor: str | None = ...) -> Partitioning: ...
