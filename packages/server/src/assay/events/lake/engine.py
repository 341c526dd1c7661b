"""The DuckDB that moves rows into the lake: bounded in memory, the rest goes to a scratch folder."""

from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import duckdb

MEMORY = "512MB"


@contextmanager
def mover() -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A DuckDB of its own, which leaves nothing behind."""
    with TemporaryDirectory(prefix="assay-lake-") as scratch:
        connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "memory_limit": MEMORY,
                "temp_directory": scratch,
            }
        )
        try:
            yield connection
        finally:
            connection.close()
