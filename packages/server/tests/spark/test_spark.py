"""Spark for real: a master and two workers on this machine, the same plan on the same Parquet."""

import asyncio
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

# Beside this file, wherever pytest was started.
sys.path.insert(0, str(Path(__file__).parent))

from cluster import standalone_cluster

from assay.sources import looking
from assay.sources.connections import Files, Spark
from assay.sources.engines.opening import Means, opened
from assay.sources.errors import QueryCancelled
from assay.sources.places import Allowed
from assay.sources.running import run
from assay.sources.tables import FilePattern, Roles, Select
from support_engines import assert_same_numbers, numbers_of, write_events

pytestmark = [
    pytest.mark.spark,
    pytest.mark.anyio,
    pytest.mark.timeout(600),
    # Spark 4.3 warns of the pandas that Ibis brings; neither is ours to change.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
OPTIONS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "4",
}
ENDLESS = (
    "SELECT count(*) AS n FROM range(1000000000000) AS big WHERE (big.id % 999983) * (big.id % 1000) % 7 = 3"
)
ROLES = Roles.model_validate(
    {"units": {"user": "unit"}, "timestamp": "at", "event": {"column": "name"}, "value": "value"}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_events(tmp_path_factory.mktemp("spark") / "events.parquet").parent


@pytest.fixture(scope="module")
def spark(folder: Path) -> Iterator[Spark]:
    """A connection to a cluster of our own; the session and its Java end with the tests."""
    with standalone_cluster(folder / "cluster") as master:
        yield Spark(kind="spark", master=master, options=OPTIONS)
        _end_session()


def test_the_plan_on_two_workers_agrees_with_duckdb(spark: Spark, folder: Path) -> None:
    means = Means(Allowed([folder]), timeout_seconds=300)

    with opened(Files(kind="files", folder=str(folder)), means) as duckdb:
        expected = numbers_of(duckdb.table(FilePattern(kind="files", pattern="*.parquet")))
    with opened(spark, means) as engine:
        found = numbers_of(engine.table(the_file(folder)))
        executors = executors_of(engine)

    assert executors == 2
    assert_same_numbers(found, expected)


async def test_spark_tells_what_a_table_holds_and_costs(spark: Spark, folder: Path) -> None:
    means = Means(Allowed([folder]), timeout_seconds=300)

    found = await looking.profile(spark, the_file(folder), ROLES, means, max_bytes=0, is_cancelled=_never)
    price = await looking.estimate(spark, the_file(folder), ROLES, means, max_bytes=0)

    columns = {column.name: column for column in found.columns}
    assert found.rows > 1000
    assert columns["kind"].lowest == "event"
    assert columns["value"].quantiles["0.5"] > 0
    assert price.scanned_bytes is not None
    assert price.scanned_bytes > 0


async def test_a_job_on_the_cluster_is_cancelled(spark: Spark, folder: Path) -> None:
    asked = asyncio.Event()
    asyncio.get_running_loop().call_later(3, asked.set)
    started = asyncio.get_running_loop().time()

    async def is_cancelled() -> bool:
        return asked.is_set()

    with pytest.raises(QueryCancelled):
        await run(
            spark,
            Means(Allowed([folder]), timeout_seconds=300),
            lambda engine: engine.table(Select(kind="select", sql=ENDLESS)).to_pyarrow(),
            is_cancelled=is_cancelled,
        )

    assert asyncio.get_running_loop().time() - started < 60


def the_file(folder: Path) -> FilePattern:
    return FilePattern(kind="files", pattern=str(folder / "*.parquet"))


def executors_of(engine: Any) -> int:
    """Executors that hold memory for us; the driver is listed among them."""
    return engine.session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1


def _end_session() -> None:
    # By name, because an extra brings it. The active session is one of the thread that ran the last query.
    session: Any = import_module("pyspark.sql").SparkSession.builder.getOrCreate()
    java: Any = import_module("pyspark").SparkContext._gateway
    session.stop()
    java.shutdown()
    java.proc.stdin.close()
    java.proc.wait(timeout=60)


async def _never() -> bool:
    return False
