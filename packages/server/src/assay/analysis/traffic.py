"""New units per hour, arm and everything known of them at their first exposure: what the doctor looks at."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import ibis
import msgspec
import numpy as np
from ibis.expr.types import Table, Value

from assay.analysis import switching
from assay.analysis.assignment import (
    ARM,
    assigned,
    dimension_column,
    first_exposures,
    with_labels,
)
from assay.analysis.batched import batch_at
from assay.analysis.collected import OTHER, VALUE_MARK
from assay.analysis.conditions import FIRST_AT
from assay.analysis.doctor import Traffic
from assay.analysis.plan import Batching, Dimension, Plan
from assay.analysis.properties import dialect_of
from assay.analysis.reading import keep, records
from assay_stats.undefined import Floats

PILOT_EXPOSURES = 2_048
MOST_DIMENSIONS = 8
MOST_VALUES = 20
HOURS_PER_PERIOD = (1, 6, 24)
MOST_PERIODS = 24 * 14
_HOUR_SECONDS = 3_600


def traffic_of(events: Table, plan: Plan) -> Traffic:
    """The traffic of an experiment; hours while it is young, then longer periods.

    Args:
        events: Exposures among other events, with `properties` as JSON text.
        plan: Names the experiment and its arms.
    """
    dialect = dialect_of(events)
    events = _keyed(events, plan)
    dimensions = _dimensions(events, plan)
    wanted = replace(plan, segments=tuple(Dimension(key, MOST_VALUES) for key in dimensions))
    with ExitStack() as kept:
        first = keep(first_exposures(events, wanted, dialect=dialect), kept)
        units = keep(with_labels(assigned(first, wanted), wanted.segments), kept)
        hours = units.mutate(hour=units[FIRST_AT].epoch_seconds() // _HOUR_SECONDS, batch=_batch(units, plan))
        whole = records(hours.group_by("hour", "batch", ARM).aggregate(units=hours.count()))
        cut = {key: _by_value(hours, key) for key in dimensions}
    return _traffic(plan, whole, cut)


def _batch(units: Table, plan: Plan) -> Value:
    return ibis.literal(0) if plan.batching is None else batch_at(units[FIRST_AT], plan.batching)


def _keyed(events: Table, plan: Plan) -> Table:
    """The events whose units are what was assigned, so that each counts once."""
    if plan.clustering is None:
        return events
    keyed = switching.keyed({None: events}, plan.clustering)[None]
    return keyed if plan.clustering.switching is not None else switching.by_cluster(keyed)


def _dimensions(events: Table, plan: Plan) -> list[str]:
    """The plain properties that the first exposures carry, the most frequent first."""
    is_exposure = (events["kind"] == "exposure") & events["properties"].notnull()
    if plan.experiment is not None:
        is_exposure &= events["name"] == plan.experiment
    pilot = events.filter(is_exposure).select("properties").limit(PILOT_EXPOSURES)
    seen: dict[str, int] = {}
    for row in records(pilot):
        for key, value in _plain(row["properties"]).items():
            seen[key] = seen.get(key, 0) + isinstance(value, str | bool | int)
    return sorted((key for key in seen if seen[key]), key=lambda key: (-seen[key], key))[:MOST_DIMENSIONS]


def _plain(text: str) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _by_value(hours: Table, key: str) -> list[dict[str, Any]]:
    column = dimension_column(key)
    labelled = hours.mutate(label=hours[column])
    grouped = labelled.group_by("hour", "batch", ARM, "label").aggregate(units=labelled.count())
    return [row for row in records(grouped) if row["label"] != OTHER]


def _traffic(
    plan: Plan, whole: Sequence[Mapping[str, Any]], cut: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Traffic:
    hours = [int(row["hour"]) for row in whole]
    first, last = min(hours, default=0), max(hours, default=-1)
    span = last - first + 1
    width = next((each for each in HOURS_PER_PERIOD if span <= each * MOST_PERIODS), HOURS_PER_PERIOD[-1])
    # From a midnight on, so that no period lies in two days.
    start = first - first % width
    periods = (last - start) // width + 1 if whole else 0
    place = {arm.key: number for number, arm in enumerate(plan.arms)}
    slots = _slots(plan.batching, [_moment(start + width * period) for period in range(periods + 1)])
    numbered = {slot: number for number, slot in enumerate(slots)}

    def counts(rows: Sequence[Mapping[str, Any]]) -> Floats:
        found = np.zeros((len(slots), len(place)))
        for row in rows:
            period = (int(row["hour"]) - start) // width
            found[numbered[period, int(row["batch"])], place[row[ARM]]] += row["units"]
        return found

    return Traffic(
        arms=tuple(place),
        weights=tuple(arm.weight for arm in plan.arms),
        periods=tuple(_moment(start + width * period) for period, _ in slots),
        shares=None
        if plan.batching is None
        else np.array([plan.batching.batches[batch].weights for _, batch in slots]).reshape(-1, len(place)),
        counts=counts(whole),
        segments={
            key: {
                label.removeprefix(VALUE_MARK): counts([row for row in rows if row["label"] == label])
                for label in sorted({row["label"] for row in rows})
            }
            for key, rows in cut.items()
        },
    )


def _slots(batching: Batching | None, bounds: Sequence[datetime]) -> list[tuple[int, int]]:
    """Periods in order, one in which a bandit's weights moved once for each of its batches."""
    if batching is None:
        return [(period, 0) for period in range(len(bounds) - 1)]
    begins = [batch.began_at for batch in batching.batches[1:]]
    return [
        (period, batch)
        for period, (since, until) in enumerate(pairwise(bounds))
        for batch in range(bisect_right(begins, since), bisect_left(begins, until) + 1)
    ]


def _moment(hour: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
