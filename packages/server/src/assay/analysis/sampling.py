"""The distribution of a metric's numbers over units, computed by the engine and described."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
from ibis.expr.types import Table

from assay.analysis import units
from assay.analysis.assignment import ARM, UNIT
from assay.analysis.experiment import complete
from assay.analysis.measures import measured_by
from assay.analysis.properties import dialect_of
from assay.analysis.reading import keep
from assay.metrics.schemas import MetricOut
from assay_stats.undefined import Floats

BINS = 20
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class Sampled:
    """What was found.

    Attributes:
        is_cut: Whether there were more events than were read.
        numbers: What describes each number of the metric.
    """

    events: int
    is_cut: bool
    numbers: Sequence[Mapping[str, Any]]
    sql: str


def sample(events: Table, metric: MetricOut, *, most: int) -> Sampled:
    """The metric over the newest events, each unit as if it had been exposed at the first of them.

    Args:
        events: As for an analysis.
        metric: What to measure.
        most: How many events to read.
    """
    measured = measured_by([metric], is_adjusted=False)
    dialect = dialect_of(events)
    with ExitStack() as kept:
        found = keep(complete(events).order_by(ibis.desc("at")).limit(most + 1), kept)
        count = int(found.count().to_pyarrow().as_py())
        first = (
            found.group_by(UNIT).aggregate(first_at=found["at"].min()).mutate(**{ARM: ibis.literal("all")})
        )
        table = units.of_events({None: found, metric.source: found}, first, measured.numbers, dialect=dialect)
        limits = units.limits_of(table, measured.measures)
        shaped = units.with_measures(table, measured.measures, limits)
        columns = [measure.column for measure in measured.measures]
        rows = shaped.select(*columns).to_pyarrow()
        numbers = [described(rows[column].to_numpy()) for column in columns]
        return Sampled(min(count, most), count > most, numbers, ibis.to_sql(shaped, dialect=dialect))


def described(values: Floats) -> Mapping[str, Any]:
    """What describes a sample; NaN is missing."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        nothing = dict.fromkeys(("mean", "standard_deviation", "share_zero", "histogram"))
        return {"units": 0, "missing": len(values), "quantiles": {}, **nothing}
    counts, edges = np.histogram(known, bins=BINS)
    quantiles = np.quantile(known, SHARES)
    return {
        "units": len(known),
        "missing": len(values) - len(known),
        "mean": float(known.mean()),
        "standard_deviation": float(known.std(ddof=1)) if len(known) > 1 else None,
        "share_zero": float((known == 0).mean()),
        "quantiles": {f"{share:g}": float(value) for share, value in zip(SHARES, quantiles, strict=True)},
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
