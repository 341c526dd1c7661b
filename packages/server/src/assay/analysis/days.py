"""The stored days of a server's experiments: where they lie, and when a result may be made from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import structlog
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis import units
from assay.analysis.computing import sql_of
from assay.analysis.conditions import SECONDS_PER_DAY
from assay.analysis.experiment import complete
from assay.analysis.plan import Plan
from assay.analysis.record import Record
from assay.analysis.refresh import DIALECT, Events, Refreshed, can_refresh, refresh
from assay.analysis.stored import Shelf, keep_newest
from assay.analysis.traffic import traffic_of

if TYPE_CHECKING:
    from assay.events.facts import Facts

log = structlog.get_logger()


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


def observe_days(engine: Backend, facts: "Facts", plan: Plan, kept: Kept, *, now: datetime) -> Record | None:
    """What a document is concluded from, with as few events read as possible.

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
    return Record(plan, collected, traffic_of(table, plan))


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
