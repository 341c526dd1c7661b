"""The stored days of a server's experiments: where they lie, and when a result may be made from them."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import structlog
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis import units
from assay.analysis.bundle import from_json, to_json
from assay.analysis.collected import Arrivals, Collected, Cut, Disturbances, Excluded
from assay.analysis.computing import sql_of
from assay.analysis.conditions import SECONDS_PER_DAY
from assay.analysis.disturbances import disturbances_of, disturbances_of_days
from assay.analysis.experiment import complete
from assay.analysis.plan import Plan
from assay.analysis.record import Record, canonical, read, write
from assay.analysis.refresh import DIALECT, Events, Refreshed, can_refresh, refresh, walked
from assay.analysis.stored import Shelf, Stored, keep_newest
from assay.analysis.traffic import traffic_of

if TYPE_CHECKING:
    from assay.events.facts import Facts

log = structlog.get_logger()
DISTURBANCES = "disturbances"


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the days of one experiment are kept, and which of its events count.

    Attributes:
        folder: Of the experiment.
        counting: Leaves out what does not count, such as the exposures of earlier phases.
        scope: Names what `counting` does: stored days of another scope are other days.
    """

    folder: Path
    counting: Callable[[Table], Table]
    scope: str


def observe_days(
    engine: Backend,
    facts: "Facts",
    plan: Plan,
    kept: Kept,
    *,
    others: Table,
    arrivals: Arrivals,
    now: datetime,
) -> Record | None:
    """What a document is concluded from, with as few events read as possible.

    Args:
        others: Exposures of the overlapping experiments.
        arrivals: How the events came in.
    Returns:
        None when the plan's days do not add up, or the engine failed at them: everything is to be read.
    """
    if not can_refresh(plan):
        return None
    shelf = Shelf(engine, kept.folder / f"{plan.digest}-{kept.scope}")
    try:
        found = refresh(shelf, _events(facts, kept), plan, until=_midnight(now))
    except duckdb.Error as error:
        # Which metric it was, and all the others, is found out by the full run.
        log.warning("days_failed", error=str(error).partition("\n")[0])
        return None
    keep_newest(shelf.folder)
    log.info("days_refreshed", experiment=plan.experiment, read_from=_date(found), because=found.because)
    table = complete(kept.counting(facts.table))
    limits = {measure.column: units.Limits(high=measure.cap_value) for measure in plan.measures}
    collected = replace(found.collected, sql=sql_of({None: table}, plan, limits, dialect=DIALECT))
    disturbances = _disturbances(shelf, found.stored, plan, table, others)
    return Record(plan, collected, traffic_of(table, plan), disturbances, arrivals)


def _disturbances(shelf: Shelf, stored: Stored, plan: Plan, table: Table, others: Table) -> Disturbances:
    """Of the whole days, once for each: they take a walk over all units, and hardly change within a day."""
    if stored.end is None:
        return disturbances_of({None: table}, plan, others)
    asked = hashlib.sha256(canonical([asdict(other) for other in plan.overlapping])).hexdigest()
    if (known := shelf.remembered(f"{DISTURBANCES}-{asked}")) is not None:
        return read(from_json(known)).disturbances
    found = disturbances_of_days(walked(shelf, plan, stored), plan, others)
    if found.failure is None:
        record = Record(plan, Collected(Cut({}), Excluded()), disturbances=found)
        shelf.remember(f"{DISTURBANCES}-{asked}", to_json(write(record)))
    return found


def _events(facts: "Facts", kept: Kept) -> Events:
    def between(since: datetime | None, until: datetime | None) -> Table:
        return complete(kept.counting(facts.between(since, until)))

    marks = {(day - datetime(1970, 1, 1, tzinfo=UTC).date()).days: mark for day, mark in facts.marks.items()}
    return Events(between, marks)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _date(found: Refreshed) -> str | None:
    if found.read_from is None:
        return None
    return f"{datetime.fromtimestamp(found.read_from * SECONDS_PER_DAY, UTC):%Y-%m-%d}"
