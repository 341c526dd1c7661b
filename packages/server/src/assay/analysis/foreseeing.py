"""What recent events tell of a metric that no experiment has measured: mean, spread, how many units come."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from assay.core.config import Settings
from assay.core.database import ReadSession, url_of
from assay.events import service as events
from assay.experiments import service as experiments
from assay.experiments.past import SHORTEST, Baseline, Pace
from assay.metrics import service as metrics
from assay.metrics.definition import event_names
from assay.metrics.schemas import MetricOut
from assay.projects import service as projects
from assay.shared.pagination import MAX_LIMIT

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from assay.events.facts import Facts

LOOKED_BACK = timedelta(days=28)
MOST_EVENTS = 500_000
SOURCE = "recent events"
TRAFFIC = "recent traffic"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Units that came, and in how many days."""

    units: int
    days: float

    @property
    def per_day(self) -> float | None:
        """New units a day; None of less than half a day."""
        return self.units / self.days if self.days >= SHORTEST / timedelta(days=1) else None


async def baselines(
    tx: ReadSession, project: str, environment: str, keys: Sequence[str], *, settings: Settings, now: datetime
) -> dict[str, Baseline]:
    """What the last four weeks of an environment's events tell of metrics, by key.

    Every unit with an event of any of the project's metrics counts, from its first such event on, as if it
    had been exposed then. Metrics of tables, quantiles, and metrics that do not vary are left out.
    """
    wanted = await metrics.require_all(tx, project, keys)
    measurable = [each for each in wanted if each.source is None and each.definition.kind != "quantile"]
    if not measurable:
        return {}
    place = await projects.get_environment(tx, project, environment)
    names = await _all_names(tx, project, measurable)
    facts = partial(_recent(settings, url_of(tx), now), environment_id=place.id, names=names)
    return await anyio.to_thread.run_sync(_measured, facts, measurable)


async def traffic(
    tx: ReadSession, project: str, environment: str, *, settings: Settings, now: datetime
) -> Pace | None:
    """How many units came to an environment in the last four weeks, exposed to anything or seen by a metric.

    None of less than half a day.
    """
    place = await projects.get_environment(tx, project, environment)
    running, _ = await experiments.listing(tx, project, cursor=None, limit=MAX_LIMIT)
    beside = [each.key for each in running if each.assignments.environment == environment]
    names = await _all_names(tx, project, ())
    facts = partial(_recent(settings, url_of(tx), now), environment_id=place.id, names=names, beside=beside)
    found = await anyio.to_thread.run_sync(_counted, facts)
    return None if found.per_day is None else Pace(found.per_day, TRAFFIC)


def _recent(settings: Settings, url: str, now: datetime) -> "Callable[..., AbstractContextManager[Facts]]":
    return partial(events.facts, settings, url, experiment="", since=now - LOOKED_BACK)


async def _all_names(tx: ReadSession, project: str, wanted: Sequence[MetricOut]) -> list[str]:
    listed, _ = await metrics.listing(tx, project, cursor=None, limit=MAX_LIMIT)
    own = [each for each in [*wanted, *listed] if each.source is None]
    return sorted({name for each in own for name in event_names(each.definition)})


def _measured(
    facts: "Callable[[Backend], AbstractContextManager[Facts]]", wanted: Sequence[MetricOut]
) -> dict[str, Baseline]:
    # The engine is loaded by the first one that asks, not by every start.
    from assay.sources.service import local_engine  # noqa: PLC0415

    engine = local_engine()
    with facts(engine) as found, ExitStack() as kept:
        rows, traffic = _newest(found.table, kept)
        told = [_baseline(rows, metric, traffic) for metric in wanted] if traffic.units else []
    return {each.metric: each for each in told if each is not None}


def _counted(facts: "Callable[[Backend], AbstractContextManager[Facts]]") -> Traffic:
    from assay.sources.service import local_engine  # noqa: PLC0415 — as above

    with facts(local_engine()) as found:
        return _traffic(found.table)


def _newest(table: "Table", kept: ExitStack) -> "tuple[Table, Traffic]":
    import ibis  # noqa: PLC0415 — as above

    from assay.analysis.experiment import complete  # noqa: PLC0415 — as above
    from assay.analysis.reading import keep  # noqa: PLC0415 — as above

    rows = keep(complete(table).order_by(ibis.desc("at")).limit(MOST_EVENTS), kept)
    return rows, _traffic(rows)


def _traffic(rows: "Table") -> Traffic:
    from assay.analysis.reading import records  # noqa: PLC0415 — as above

    (row,) = records(
        rows.aggregate(units=rows["unit"].nunique(), first=rows["at"].min(), last=rows["at"].max())
    )
    lasted = timedelta() if row["first"] is None else row["last"] - row["first"]
    return Traffic(int(row["units"]), lasted / timedelta(days=1))


def _baseline(rows: "Table", metric: MetricOut, traffic: Traffic) -> Baseline | None:
    import ibis  # noqa: PLC0415 — as above

    from assay.analysis import units  # noqa: PLC0415 — as above
    from assay.analysis.assignment import ARM, UNIT  # noqa: PLC0415 — as above
    from assay.analysis.measures import measured_by  # noqa: PLC0415 — as above
    from assay.analysis.properties import dialect_of  # noqa: PLC0415 — as above

    measured = measured_by([metric], is_adjusted=False)
    first = rows.group_by(UNIT).aggregate(first_at=rows["at"].min()).mutate(**{ARM: ibis.literal("all")})
    table = units.of_events({None: rows}, first, measured.numbers, dialect=dialect_of(rows))
    table = units.with_measures(table, measured.measures, units.limits_of(table, measured.measures))
    columns = [measure.column for measure in measured.measures]
    found = table.select(*columns).to_pyarrow()
    told = _mean_and_variance([found[column].to_numpy() for column in columns])
    return None if told is None else Baseline(metric.key, *told, SOURCE, traffic.per_day)


def _mean_and_variance(numbers: Sequence[Any]) -> tuple[float, float] | None:
    """Of a value per unit, or by the delta method of a ratio of sums."""
    import numpy as np  # noqa: PLC0415 — as above

    whole = np.array(numbers, dtype=float)
    known = whole[:, np.isfinite(whole).all(axis=0)]
    if known.shape[1] < 2:  # noqa: PLR2004 — a variance needs two
        return None
    mean, variance = float(known[0].mean()), float(known[0].var(ddof=1))
    if len(known) > 1:
        base = float(known[1].mean())
        if base == 0:
            return None
        mean = mean / base
        variance = float((known[0] - mean * known[1]).var(ddof=1)) / base**2
    return (mean, variance) if variance > 0 else None
