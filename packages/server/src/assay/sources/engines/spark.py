"""Spark, in this process or on a cluster; the session lives as long as the process, as Spark wants it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any

import ibis
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from assay.sources.connections import SPARK_OPTIONS, Spark
from assay.sources.engines.base import Estimate
from assay.sources.errors import ConnectionFailed
from assay.sources.places import Allowed, matching_files
from assay.sources.selects import require_select
from assay.sources.tables import FilePattern, NamedTable, Relation, Select

OBJECT_STORES = ("s3a://", "gs://", "abfss://", "hdfs://")
# Without ANSI mode a failed cast is a silent NULL and an overflow a wrong number.
DEFAULTS = {
    "spark.sql.ansi.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """The process's Spark session, with a job group of this engine's own."""

    backend: BaseBackend
    session: Any
    allowed: Allowed
    group: str = field(default_factory=lambda: f"assay-{uuid.uuid4()}")

    @classmethod
    def opened(cls, definition: Spark, allowed: Allowed) -> "SparkEngine":
        """The session with this master, made when the process has none.

        Raises:
            ConnectionFailed: An option is not allowed, or the process has a session with another master.
        """
        if strange := sorted(set(definition.options) - SPARK_OPTIONS):
            raise ConnectionFailed(f"Spark option {strange[0]!r} may not be set here", value=strange[0])
        # By name, because an extra brings it: neither the type check nor other connections may need it.
        builder: Any = import_module("pyspark.sql").SparkSession.builder
        builder = builder.appName("assay").master(definition.master)
        for name, value in {**DEFAULTS, **definition.options}.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        _require_master(session, definition.master)
        engine = cls(ibis.pyspark.connect(session), session, allowed)
        session.sparkContext.setJobGroup(engine.group, "assay", interruptOnCancel=True)
        return engine

    def tables(self) -> list[str]:
        """Tables and views of the current catalogue."""
        return sorted(table.name for table in self.session.catalog.listTables())[:1000]

    def table(self, relation: Relation) -> Table:
        """The table, view, SELECT or Parquet files."""
        match relation:
            case NamedTable():
                return self.backend.table(relation.name, database=relation.namespace)
            case Select():
                require_select(relation.sql, dialect="spark")
                return self._view(self.session.sql(relation.sql))
            case FilePattern():
                return self._view(self.session.read.parquet(*self._places(relation.pattern)))

    def estimate(self, relation: Relation, columns: Sequence[str]) -> Estimate:
        """Bytes as Spark's optimiser expects them for these columns."""
        name = self.table(relation).select(*columns)
        frame = self.session.sql(self.backend.compile(name))
        size = frame._jdf.queryExecution().optimizedPlan().stats().sizeInBytes()
        scanned = int(str(size))
        # Spark's word for "unknown" is a size no disk holds.
        known = scanned < 2**62
        return Estimate(None, scanned if known else None, "statistics of Spark's optimiser")

    def interrupt(self) -> None:
        """Cancels the jobs of this engine."""
        self.session.sparkContext.cancelJobGroup(self.group)

    def close(self) -> None:
        """Leaves the session to the process."""

    def _view(self, frame: Any) -> Table:  # noqa: ANN401 — Spark's frames come untyped
        name = f"assay_{uuid.uuid4().hex}"
        frame.createOrReplaceTempView(name)
        return self.backend.table(name)

    def _places(self, pattern: str) -> list[str]:
        if pattern.startswith(OBJECT_STORES):
            return [pattern]
        folder, below = _split(pattern)
        return [str(path) for path in matching_files(folder, below, self.allowed)]


def _split(pattern: str) -> tuple[Path, str]:
    parts = Path(pattern).parts
    fixed = list(takewhile(lambda part: not set(part) & set("*?["), parts[:-1]))
    return Path(*fixed), str(Path(*parts[len(fixed) :]))


def _require_master(session: Any, master: str) -> None:  # noqa: ANN401 — Spark's sessions come untyped
    found = session.sparkContext.master
    if found != master:
        raise ConnectionFailed(
            f"this process has a Spark session on {found!r} already; one process speaks to one Spark. "
            f"Run another worker for {master!r}",
            value=master,
        )
