"""Totals per cluster, by the same passes over the data that give totals per arm.

While data are read, each arm of each cluster stands for an arm of its own; afterwards they are folded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np
from ibis.expr.types import Table

from assay.analysis.assignment import ARM
from assay.analysis.collected import Collected, Cut, Looks, Segment
from assay.analysis.plan import Clustering, Kind, MetricPlan, Plan
from assay.analysis.reading import records
from assay.analysis.switching import BLOCK, CLUSTER
from assay.shared.errors import Invalid
from assay_stats.clusters import ClusterTotals
from assay_stats.moments import JointMoments

MOST_CLUSTERS = 20_000
# With fewer, errors by cluster have hardly a degree of freedom; windows were assigned at random too.
FEWEST_SWITCHED_CLUSTERS = 5
BETWEEN = "\x1f"
NO_QUANTILE = (
    "a quantile has no error that is robust to clusters here; measure the share of units above a threshold, "
    "or a mean"
)


T = TypeVar("T")


class TooManyClusters(Invalid):
    """There are more clusters than can be held one by one."""

    code = "too_many_clusters"


@dataclass(frozen=True, slots=True)
class Divided:
    """Members of an experiment whose arm says their cluster too, how many, and what errors are robust to."""

    members: Table
    units: Mapping[str, int]
    error_unit: str


def divided(members: Table, clustering: Clustering) -> Divided:
    """Each arm of each cluster as an arm of its own.

    Raises:
        TooManyClusters: There are more than can be held.
    """
    owner, error_unit = _owner(members, clustering)
    (found,) = records(members.aggregate(clusters=members[owner].nunique()))
    if found["clusters"] > MOST_CLUSTERS:
        raise TooManyClusters(
            f"{found['clusters']:,} clusters are more than the {MOST_CLUSTERS:,} whose errors are computed "
            "one by one; assign the units themselves, or larger clusters",
            value=found["clusters"],
        )
    label = members[ARM] + BETWEEN + members[owner]
    labelled = members.mutate(**{ARM: label}).drop(*_columns(clustering))
    counts = records(labelled.group_by(ARM).aggregate(units=labelled.count()))
    return Divided(labelled, {row[ARM]: row["units"] for row in counts}, error_unit)


def unmeasurable(plan: Plan) -> dict[str, str]:
    """The metrics that have no error robust to clusters, each with a sentence."""
    if plan.clustering is None:
        return {}
    return {metric.key: NO_QUANTILE for metric in plan.metrics if metric.quantile is not None}


def folded(collected: Collected, plan: Plan, error_unit: str) -> Collected:
    """What was collected per arm, with the totals of its clusters beside."""
    return replace(
        collected,
        whole=_folded_cut(collected.whole, plan),
        segments=[
            Segment(each.dimension, each.label, _folded_cut(each.cut, plan)) for each in collected.segments
        ],
        looks=each_once(collected.looks, lambda found: _folded_looks(found, plan)),
        error_unit=error_unit,
    )


def merged(found: Mapping[str, JointMoments]) -> dict[str, JointMoments]:
    """Per arm, of labels that begin with it."""
    return {arm: reduce(add, parts.values()) for arm, parts in by_arm_of(found).items()}


def each_once(looks: Mapping[str, Looks], fold: Callable[[Looks], Looks]) -> dict[str, Looks]:
    """The looks of each metric folded; metrics that share one walk over the days go on sharing it."""
    walks = {id(found): found for found in looks.values()}
    made = {walk: fold(found) for walk, found in walks.items()}
    return {key: made[id(found)] for key, found in looks.items()}


def by_arm_of(found: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """By arm and the rest of the label."""
    by_arm: dict[str, dict[str, T]] = {}
    for label, value in found.items():
        arm, _, name = label.partition(BETWEEN)
        by_arm.setdefault(arm, {})[name] = value
    return by_arm


def _owner(members: Table, clustering: Clustering) -> tuple[str, str]:
    if clustering.switching is None:
        return CLUSTER, clustering.kind
    (found,) = records(members.aggregate(clusters=members[CLUSTER].nunique()))
    if found["clusters"] >= FEWEST_SWITCHED_CLUSTERS:
        return CLUSTER, clustering.kind
    return BLOCK, "window" if clustering.switching.block == 1 else "block of windows"


def _columns(clustering: Clustering) -> Sequence[str]:
    return [CLUSTER] if clustering.switching is None else [CLUSTER, BLOCK]


def _folded_cut(cut: Cut, plan: Plan) -> Cut:
    units = {label: count for label, count in cut.units.items() if BETWEEN in label}
    by_arm = by_arm_of(units)
    return replace(
        cut,
        units={arm: sum(counts.values()) for arm, counts in by_arm.items()},
        moments={block: merged(found) for block, found in cut.moments.items()},
        clusters={
            metric.key: _totals(metric, cut.moments[metric.key], plan)
            for metric in plan.metrics
            if metric.key in cut.moments
        },
        cluster_counts={arm: sum(count > 0 for count in counts.values()) for arm, counts in by_arm.items()},
    )


def _folded_looks(found: Looks, plan: Plan) -> Looks:
    return Looks(
        found.days,
        {arm: reduce(add, series.values()) for arm, series in by_arm_of(found.units).items()},
        {block: merged(moments) for block, moments in found.moments.items()},
        {
            metric.key: _totals(metric, found.moments[metric.key], plan)
            for metric in plan.metrics
            if metric.key in found.moments
        },
    )


def _totals(metric: MetricPlan, found: Mapping[str, JointMoments], plan: Plan) -> dict[str, ClusterTotals]:
    """Per arm, over the same clusters in the same order."""
    by_arm = by_arm_of(found)
    names = sorted({name for parts in by_arm.values() for name in parts})
    empty = np.zeros(next(iter(found.values())).n.shape) if found else np.zeros(())
    made: dict[str, ClusterTotals] = {}
    for arm in plan.arms:
        parts = by_arm.get(arm.key, {})
        pairs = [_pair(metric, parts[name]) if name in parts else (empty, empty) for name in names]
        made[arm.key] = ClusterTotals(
            np.stack([size for size, _ in pairs], axis=-1) if pairs else np.zeros(0),
            np.stack([total for _, total in pairs], axis=-1) if pairs else np.zeros(0),
        )
    return made


def _pair(metric: MetricPlan, moments: JointMoments) -> tuple[np.ndarray, np.ndarray]:
    # The mean of nobody is no number, its total is 0.
    totals = np.where(moments.n[..., None] > 0, moments.n[..., None] * moments.means, 0.0)
    if metric.kind is Kind.RATIO:
        return totals[..., 1], totals[..., 0]
    return np.asarray(moments.n, dtype=np.float64), totals[..., 0]
