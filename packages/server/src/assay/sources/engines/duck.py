"""Files and DuckDB databases, read in this process by an engine that can reach nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend
from ibis.backends.sql.datatypes import DuckDBType
from ibis.expr.types import Table

from assay.sources.connections import DuckDB, Files
from assay.sources.engines.base import Estimate, unsupported
from assay.sources.errors import ConnectionFailed
from assay.sources.files import read_csv
from assay.sources.local import local_engine
from assay.sources.places import Allowed, is_parquet, matching_files
from assay.sources.selects import require_select
from assay.sources.tables import FilePattern, NamedTable, Relation, Select

# Of files too big to be read twice the beginning decides the types.
SNIFF_ALL_BELOW_BYTES = 64 * 1024 * 1024
SNIFFED_ROWS = 200_000
BYTES_BY_TYPE = {
    "BOOLEAN": 1,
    "TINYINT": 1,
    "SMALLINT": 2,
    "INTEGER": 4,
    "FLOAT": 4,
    "DATE": 4,
    "VARCHAR": 24,
}
BYTES_OF_OTHERS = 8


@dataclass(frozen=True, slots=True)
class FileEngine:
    """Parquet and CSV files below a folder."""

    backend: Backend
    folder: Path
    allowed: Allowed

    @classmethod
    def opened(cls, definition: Files, allowed: Allowed) -> "FileEngine":
        """An engine over the folder.

        Raises:
            PlaceNotAllowed: The folder lies outside the allowed roots.
            ConnectionFailed: It is not there.
        """
        folder = allowed.require(Path(definition.folder))
        if not folder.is_dir():
            raise ConnectionFailed(f"no folder {definition.folder!r}", value=definition.folder)
        return cls(local_engine(), folder, allowed)

    def tables(self) -> list[str]:
        """The files and folders directly below."""
        return sorted(path.name for path in self.folder.iterdir())

    def table(self, relation: Relation) -> Table:
        """The matching files as one table."""
        paths = self._paths(relation)
        _confine(self.backend, paths)
        names = [_literal(path) for path in paths]
        if is_parquet(paths[0]):
            return self.backend.read_parquet(names)
        is_small = _size(paths) <= SNIFF_ALL_BELOW_BYTES
        return read_csv(self.backend, names, sample_size=-1 if is_small else SNIFFED_ROWS)

    def estimate(self, relation: Relation, columns: Sequence[str]) -> Estimate:
        """Rows and bytes from the files' own figures; nothing is read but footers."""
        paths = self._paths(relation)
        if not is_parquet(paths[0]):
            return Estimate(None, _size(paths), "size of the CSV files")
        footers = [pq.read_metadata(path) for path in paths]
        rows = sum(footer.num_rows for footer in footers)
        return Estimate(
            rows, sum(_bytes(footer, columns) for footer in footers), "footers of the Parquet files"
        )

    def interrupt(self) -> None:
        """Stops what runs now."""
        self.backend.con.interrupt()

    def close(self) -> None:
        """Frees what the engine holds."""
        self.backend.disconnect()

    def _paths(self, relation: Relation) -> list[Path]:
        if not isinstance(relation, FilePattern):
            raise unsupported(relation, "files")
        return matching_files(self.folder, relation.pattern, self.allowed)


@dataclass(frozen=True, slots=True)
class DuckDBEngine:
    """A DuckDB file, opened for reading only."""

    backend: Backend

    @classmethod
    def opened(cls, definition: DuckDB, allowed: Allowed) -> "DuckDBEngine":
        """The file, with no way out of it.

        Raises:
            PlaceNotAllowed: It lies outside the allowed roots.
            ConnectionFailed: It is not there.
        """
        path = allowed.require(Path(definition.path))
        if not path.is_file():
            raise ConnectionFailed(f"no file {definition.path!r}", value=definition.path)
        backend = ibis.duckdb.connect(
            path,
            read_only=True,
            enable_external_access=False,
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
        )
        backend.con.execute("SET lock_configuration = true")
        return cls(backend)

    def tables(self) -> list[str]:
        """Tables and views."""
        rows = self.backend.con.execute(
            "SELECT table_name FROM information_schema.tables ORDER BY table_name LIMIT 1000"
        ).fetchall()
        return [name for (name,) in rows]

    def table(self, relation: Relation) -> Table:
        """The table, view or SELECT."""
        match relation:
            case NamedTable():
                return self.backend.table(relation.name, database=relation.namespace)
            case Select():
                require_select(relation.sql, dialect="duckdb")
                return self.backend.sql(relation.sql, schema=self._schema(relation.sql))
            case FilePattern():
                raise unsupported(relation, "duckdb")

    def estimate(self, relation: Relation, columns: Sequence[str]) -> Estimate:
        """Rows as the catalogue counts them, bytes by the width of the columns' types."""
        if not isinstance(relation, NamedTable):
            return Estimate(None, None, "DuckDB does not tell what a SELECT will read")
        found = self.backend.con.execute(
            "SELECT estimated_size FROM duckdb_tables() WHERE table_name = ? AND schema_name = ?",
            [relation.name, relation.namespace or "main"],
        ).fetchone()
        if found is None:
            return Estimate(None, None, "DuckDB does not tell what a view will read")
        return Estimate(found[0], found[0] * self._width(relation, columns), "DuckDB's catalogue")

    def interrupt(self) -> None:
        """Stops what runs now."""
        self.backend.con.interrupt()

    def close(self) -> None:
        """Closes the file."""
        self.backend.disconnect()

    def _schema(self, sql: str) -> Mapping[str, object]:
        rows = self.backend.con.execute(f"DESCRIBE {sql}").fetchall()
        return {name: DuckDBType.from_string(kind) for name, kind, *_ in rows}

    def _width(self, relation: NamedTable, columns: Sequence[str]) -> int:
        rows = self.backend.con.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND schema_name = ?",
            [relation.name, relation.namespace or "main"],
        ).fetchall()
        return sum(BYTES_BY_TYPE.get(kind, BYTES_OF_OTHERS) for name, kind in rows if name in columns)


def _confine(backend: Backend, paths: Sequence[Path]) -> None:
    backend.con.execute("SET allowed_paths = ?", [[str(path) for path in paths]])
    backend.con.execute("SET enable_external_access = false")
    backend.con.execute("SET lock_configuration = true")


def _literal(path: Path) -> str:
    # DuckDB takes these marks in a name for a pattern and would read other files too.
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in str(path))


def _size(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _bytes(footer: pq.FileMetaData, columns: Sequence[str]) -> int:
    wanted = set(columns)
    total = 0
    for group in range(footer.num_row_groups):
        part = footer.row_group(group)
        chunks = [part.column(index) for index in range(part.num_columns)]
        total += sum(
            chunk.total_compressed_size
            for chunk in chunks
            if chunk.path_in_schema.partition(".")[0] in wanted
        )
    return total
