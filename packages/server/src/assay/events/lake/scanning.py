"""Files of the lake as a relation of DuckDB, wherever they are."""

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa
from pyarrow import dataset

from assay.events.lake.place import Place
from assay.events.lake.table import COLUMNS, DAY, DataFile

_VIEW = """
    CREATE OR REPLACE TEMP VIEW {name} AS
    SELECT * FROM read_parquet({files}, hive_partitioning = true, hive_types = {{'day': DATE}})
"""


def view(connection: duckdb.DuckDBPyConnection, name: str, place: Place, files: Sequence[DataFile]) -> None:
    """Makes the files readable under a name: all columns and `day`.

    Args:
        name: One of ours; it is not quoted.
    """
    if place.is_local:
        listed = ", ".join(_literal(place.of(file.path)) for file in files)
        connection.execute(_VIEW.format(name=name, files=f"[{listed}]")).fetchall()
    else:
        # DuckDB reads object stores by an extension that has to be downloaded; Arrow needs none.
        connection.register(name, _dataset(place, files))


def _dataset(place: Place, files: Sequence[DataFile]) -> dataset.Dataset:
    return dataset.dataset(
        [place.of(file.path) for file in files],
        schema=pa.schema([*COLUMNS, pa.field(DAY, pa.date32())]),
        filesystem=place.filesystem(),
        format="parquet",
        partitioning=dataset.partitioning(pa.schema([(DAY, pa.date32())]), flavor="hive"),
        partition_base_dir=place.path,
    )


def _literal(path: str) -> str:
    # Brackets keep DuckDB from taking a name for a pattern.
    pattern = re.sub(r"([*?[])", r"[\1]", path)
    return "'" + pattern.replace("'", "''") + "'"
