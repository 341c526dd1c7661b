"""One new day of a sixty-day experiment, and a re-cut without any, beside the full run of all sixty.

    uv run python bench/analysis/refreshed.py [--scale 1]

Goal: at most a tenth of the full run, in processor time.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import measure
import shop
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis.computing import collect
from assay.analysis.experiment import Options, complete
from assay.analysis.plan import Plan
from assay.analysis.refresh import Events, refresh
from assay.analysis.stored import Shelf
from assay.sources.service import local_engine

DAYS, GOAL = 60, 0.1
START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Measures both in turns and says whether the goal is met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        shop.write_events(folder, scale=given.scale, days=DAYS, day_files=True)
        _refresh(folder, folder / "stored", DAYS - 1)
        full = min(_processor(lambda: _full(folder)) for _ in range(given.rounds))
        new, again = map(min, zip(*(_a_day(folder) for _ in range(given.rounds)), strict=True))
    print(f"full {full:.3f} s, a new day {new:.3f} s: {new / full:.3f} of it; again {again / full:.4f}")
    return 0 if new <= GOAL * full else 1


def _a_day(folder: Path) -> tuple[float, float]:
    again = folder / "again"
    shutil.copytree(folder / "stored", again)
    found = (
        _processor(lambda: _refresh(folder, again, DAYS)),
        _processor(lambda: _refresh(folder, again, DAYS)),
    )
    shutil.rmtree(again)
    return found


def _processor(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def _full(folder: Path) -> object:
    table = complete(_events(local_engine(), folder)(None, START + timedelta(days=DAYS)))
    return collect({None: table}, _plan(), shows_sql=False)


def _refresh(folder: Path, stored: Path, days: int) -> object:
    engine = local_engine()
    end = START + timedelta(days=days)
    first = START - timedelta(days=7)
    marks = {
        int((first + timedelta(days=day)).timestamp()) // 86_400: "" for day in range((end - first).days)
    }
    events = Events(_events(engine, folder), marks)
    return refresh(Shelf(engine, stored), events, _plan(), until=end)


def _plan() -> Plan:
    return measure.a_plan("events", Options(has_looks=True))


def _events(engine: Backend, folder: Path) -> Callable[[datetime | None, datetime | None], Table]:
    engine.con.execute("SET threads = 2; SET TimeZone = 'UTC'")
    table = engine.read_parquet(str(folder / "events" / "*" / "*.parquet"), hive_partitioning=True)

    def between(since: datetime | None, until: datetime | None) -> Table:
        # Days first: files of other days are not opened, as the lake's are not.
        found = table
        if since is not None:
            found = found.filter((found["day"] >= since.date()) & (found["at"] >= since.replace(tzinfo=None)))
        if until is not None:
            found = found.filter((found["day"] <= until.date()) & (found["at"] < until.replace(tzinfo=None)))
        return complete(found.drop("day"))

    return between


if __name__ == "__main__":
    sys.exit(main())
