"""A bandit's epochs: each is compared by itself, while its split was fixed, and the differences are joined.

While data are read, each arm of each batch stands for an arm of its own, as arms of clusters do; afterwards
they are folded. A batch is what happened between two moves of the weights: epochs in a row whose weights
stayed are one. Batches of different splits are never pooled, which would bring the bias of adaptation and
Simpson's paradox back; one with too few units in an arm is left out, told by its units alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import ibis
import numpy as np
from ibis.expr.types import Table, Value

from assay.analysis.assignment import ARM
from assay.analysis.clustered import BETWEEN, by_arm_of, each_once, merged
from assay.analysis.collected import Batches, Collected, Cut, Looks, Segment
from assay.analysis.conditions import FIRST_AT
from assay.analysis.plan import Batching, MetricPlan, Plan
from assay.analysis.reading import records
from assay_stats.moments import JointMoments
from assay_stats.undefined import Floats

NO_QUANTILE = (
    "a quantile cannot be joined over a bandit's epochs here; measure the share of units above a threshold, "
    "or a mean"
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Members of an experiment whose arm says their batch too, and how many."""

    members: Table
    units: Mapping[str, int]


def unmeasurable(plan: Plan) -> dict[str, str]:
    """The metrics that cannot be joined over batches, each with a sentence."""
    if plan.batching is None:
        return {}
    return {metric.key: NO_QUANTILE for metric in plan.metrics if metric.quantile is not None}


def labelled(members: Table, batching: Batching) -> Labelled:
    """Each arm of each batch as an arm of its own."""
    label = members[ARM] + BETWEEN + batch_at(members[FIRST_AT], batching).cast("string")
    found = members.mutate(**{ARM: label})
    counts = records(found.group_by(ARM).aggregate(units=found.count()))
    return Labelled(found, {row[ARM]: row["units"] for row in counts})


def batch_at(moment: Value, batching: Batching) -> Value:
    """The place of the batch in which a unit was first exposed."""
    place = ibis.literal(0)
    for batch in batching.batches[1:]:
        place += ibis.ifelse(moment >= batch.began_at, 1, 0)
    return place


def folded(collected: Collected, plan: Plan) -> Collected:
    """What was collected per arm, with that of each batch beside."""
    segments = [Segment(each.dimension, each.label, _folded(each.cut, plan)) for each in collected.segments]
    return replace(
        collected,
        whole=_folded(collected.whole, plan),
        segments=segments,
        looks=each_once(collected.looks, lambda found: _folded_looks(found, plan)),
    )


def alone(collected: Collected, batch: int) -> Collected:
    """What was collected of one batch, as if it were an experiment."""

    def of(found: Mapping[str, Batches]) -> dict[str, JointMoments]:
        return {arm: each.moments[(*_everything(each.moments), batch)] for arm, each in found.items()}

    looks = {
        key: Looks(
            each.days,
            {arm: units[..., batch] for arm, units in each.batch_units.items()},
            {metric: of(found) for metric, found in each.batches.items()},
        )
        for key, each in collected.looks.items()
    }
    whole = Cut(
        {arm: int(units[batch]) for arm, units in collected.whole.batch_units.items()},
        {metric: of(found) for metric, found in collected.whole.batches.items()},
    )
    return replace(collected, whole=whole, segments=[], looks=looks)


def _everything(moments: JointMoments) -> tuple[slice, ...]:
    return (slice(None),) * (len(moments.shape) - 1)


def _folded(cut: Cut, plan: Plan) -> Cut:
    units = {label: count for label, count in cut.units.items() if BETWEEN in label}
    by_arm, entered = by_arm_of(units), _units(units, plan)
    return replace(
        cut,
        units={arm: sum(counts.values()) for arm, counts in by_arm.items()},
        moments={block: merged(found) for block, found in cut.moments.items()},
        batches={
            metric.key: _stacked(metric, cut.moments[metric.key], entered, plan)
            for metric in plan.metrics
            if metric.key in cut.moments
        },
        batch_units=entered,
    )


def _folded_looks(found: Looks, plan: Plan) -> Looks:
    entered = _units(found.units, plan)
    return Looks(
        found.days,
        {arm: reduce(add, series.values()) for arm, series in by_arm_of(found.units).items()},
        {block: merged(moments) for block, moments in found.moments.items()},
        batches={
            metric.key: _stacked(metric, found.moments[metric.key], entered, plan)
            for metric in plan.metrics
            if metric.key in found.moments
        },
        batch_units=entered,
    )


def _stacked(
    metric: MetricPlan, found: Mapping[str, JointMoments], entered: Mapping[str, Floats], plan: Plan
) -> dict[str, Batches]:
    """Per arm, the batches along the last axis."""
    shape = next(iter(found.values())).n.shape if found else ()
    nothing = _nothing(len(metric.columns), shape)
    least = 0 if plan.batching is None else plan.batching.least_units
    return {
        arm.key: Batches(
            _joined([found.get(label, nothing) for label in _labels(arm.key, plan)]), entered[arm.key], least
        )
        for arm in plan.arms
    }


def _units(found: Mapping[str, float | Floats], plan: Plan) -> dict[str, Floats]:
    nothing = np.zeros(np.shape(next(iter(found.values()), 0.0)))
    return {
        arm.key: np.stack(
            [np.asarray(found.get(label, nothing), dtype=np.float64) for label in _labels(arm.key, plan)],
            axis=-1,
        )
        for arm in plan.arms
    }


def _labels(arm: str, plan: Plan) -> Sequence[str]:
    batches = () if plan.batching is None else plan.batching.batches
    return [f"{arm}{BETWEEN}{place}" for place in range(len(batches))]


def _nothing(columns: int, shape: tuple[int, ...]) -> JointMoments:
    return JointMoments(
        np.zeros(shape),
        np.full((*shape, columns), np.nan),
        np.zeros((*shape, columns, columns)),
        np.zeros(shape),
    )


def _joined(parts: Sequence[JointMoments]) -> JointMoments:
    return JointMoments(
        np.stack([part.n for part in parts], axis=-1),
        np.stack([part.means for part in parts], axis=-2),
        np.stack([part.comoments for part in parts], axis=-3),
        np.stack([np.broadcast_to(part.missing, part.n.shape) for part in parts], axis=-1),
    )
