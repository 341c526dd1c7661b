"""From what was collected to the result document; pure."""

from collections.abc import Mapping, Sequence

import numpy as np

from assay import __version__
from assay.analysis import compare
from assay.analysis.bandit_notes import bandit_of, batched_ratio, expected_weights, ratio_as_document
from assay.analysis.cluster_notes import clusters_of, rerandomised_of
from assay.analysis.collected import ADJUSTED, Collected, Cut, Looks, Segment, kind_of, value_of
from assay.analysis.compare import Evidence, Series
from assay.analysis.document import (
    ArmUnits,
    Comparison,
    Document,
    Excluded,
    Failure,
    Look,
    MetricResult,
    SampleRatio,
    SegmentMetric,
    SegmentResult,
)
from assay.analysis.plan import MetricPlan, Plan
from assay_stats.moments import JointMoments
from assay_stats.quantiles import quantile_of
from assay_stats.srm import sample_ratio


def conclude(plan: Plan, collected: Collected) -> Document:
    """The result document of a plan over what was collected for it."""
    left_out = collected.excluded
    return Document(
        assay_version=__version__,
        unit=plan.unit,
        control=plan.control,
        alpha=plan.alpha,
        arms=_arm_units(plan, collected.whole),
        excluded=Excluded(
            in_several_arms=left_out.in_several_arms,
            without_unit=left_out.without_unit,
            without_arm=left_out.without_arm,
            unknown_arms=dict(left_out.unknown_arms),
            without_cluster=left_out.without_cluster,
        ),
        sample_ratio=_sample_ratio(plan, _counted(plan, collected.whole))
        if plan.batching is None
        else batched_ratio(plan, plan.batching, collected.whole),
        bandit=bandit_of(plan, collected),
        clusters=clusters_of(plan, collected),
        rerandomised=rerandomised_of(plan),
        metrics=[_metric(plan, metric, collected) for metric in plan.metrics],
        segments=[_segment(plan, segment, collected) for segment in collected.segments],
        plan=plan.digest,
    )


def _arm_units(plan: Plan, cut: Cut) -> list[ArmUnits]:
    weights = expected_weights(plan, cut)
    return [
        ArmUnits(arm=arm.key, weight=weight, units=cut.units.get(arm.key, 0))
        for arm, weight in zip(plan.arms, weights, strict=True)
    ]


def _counted(plan: Plan, cut: Cut) -> Mapping[str, int]:
    """What was assigned at random: units, cells of a switchback, or whole clusters."""
    is_whole = plan.clustering is not None and plan.clustering.switching is None
    return cut.cluster_counts if is_whole else cut.units


def _sample_ratio(plan: Plan, units: Mapping[str, int]) -> SampleRatio:
    test = sample_ratio([units.get(arm.key, 0) for arm in plan.arms], [arm.weight for arm in plan.arms])
    return ratio_as_document(test)


def _metric(plan: Plan, metric: MetricPlan, collected: Collected) -> MetricResult:
    failure = collected.failures.get(metric.key)
    strata = [segment for segment in collected.segments if segment.dimension == plan.strata]
    arms = () if failure else plan.arms
    found = {arm.key: evidence_of(metric, arm.key, collected.whole, strata) for arm in arms}
    return MetricResult(
        metric=metric.key,
        name=metric.name,
        kind=metric.kind,
        direction="decrease" if metric.direction == "decrease" else "increase",
        version=metric.version,
        arms=[compare.summary(arm, metric, evidence) for arm, evidence in found.items()],
        comparisons=[
            each.model_copy(
                update={"looks": _looks(metric, plan.control, each.arm, collected.looks.get(metric.key))}
            )
            for each in _comparisons(plan, metric, found)
        ],
        failure=None if failure is None else Failure(sentence=failure),
        sql=collected.sql.get(metric.key),
        no_looks=_no_looks(plan, metric, collected),
    )


def _no_looks(plan: Plan, metric: MetricPlan, collected: Collected) -> str | None:
    if metric.quantile is not None:
        return "a quantile of all units is no sum over days, so it has no series; it is read as of now alone"
    if not plan.has_looks or metric.key in collected.failures or metric.key in collected.looks:
        return None
    return "nothing has happened on any day yet"


def _segment(plan: Plan, segment: Segment, collected: Collected) -> SegmentResult:
    label = segment.label
    return SegmentResult(
        dimension=segment.dimension,
        kind=kind_of(label),
        value=value_of(label),
        arms=_arm_units(plan, segment.cut),
        metrics=[
            _segment_metric(plan, metric, segment.cut)
            for metric in plan.metrics
            if metric.key not in collected.failures
        ],
    )


def _segment_metric(plan: Plan, metric: MetricPlan, cut: Cut) -> SegmentMetric:
    found = {arm.key: evidence_of(metric, arm.key, cut, ()) for arm in plan.arms}
    return SegmentMetric(
        metric=metric.key,
        arms=[compare.summary(arm, metric, evidence) for arm, evidence in found.items()],
        comparisons=_comparisons(plan, metric, found),
    )


def _comparisons(plan: Plan, metric: MetricPlan, found: Mapping[str, Evidence]) -> list[Comparison]:
    return [
        compare.comparison(arm, metric, found[plan.control], evidence, alpha=plan.alpha)
        for arm, evidence in found.items()
        if arm != plan.control
    ]


def evidence_of(metric: MetricPlan, arm: str, cut: Cut, strata: Sequence[Segment]) -> Evidence:
    """What some units say of an arm.

    Args:
        strata: The segments within which arms are compared; empty without strata.
    """
    if metric.quantile is not None:
        return _quantile_evidence(metric, arm, cut)
    empty = JointMoments.empty(len(metric.columns))
    key = metric.key + ADJUSTED
    size = len(metric.columns) + len(metric.covariates)
    return Evidence(
        clusters=cut.clusters.get(metric.key, {}).get(arm),
        batches=cut.batches.get(metric.key, {}).get(arm),
        moments=cut.moments.get(metric.key, {}).get(arm, empty),
        adjusted=cut.moments.get(key, {}).get(arm, JointMoments.empty(size)) if metric.covariates else None,
        strata=_stacked(metric, key if metric.covariates else metric.key, arm, strata) if strata else None,
    )


def _quantile_evidence(metric: MetricPlan, arm: str, cut: Cut) -> Evidence:
    found = cut.quantiles.get(metric.key, {}).get(arm)
    if found is None:
        return Evidence(JointMoments.empty(1), quantile=quantile_of([], metric.quantile or 0.5))
    moments = JointMoments(found.units, [float(found.mean.value)], [[0.0]], found.missing)
    return Evidence(moments, quantile=found.mean)


def _stacked(metric: MetricPlan, key: str, arm: str, strata: Sequence[Segment]) -> JointMoments:
    empty = JointMoments.empty(len(metric.columns) + len(metric.covariates))
    parts = [stratum.cut.moments.get(key, {}).get(arm, empty) for stratum in strata]
    return JointMoments(
        np.stack([part.n for part in parts]),
        np.stack([part.means for part in parts]),
        np.stack([part.comoments for part in parts]),
        np.stack([part.missing for part in parts]),
    )


def _looks(metric: MetricPlan, control: str, arm: str, looks: Looks | None) -> list[Look]:
    if looks is None:
        return []
    found = looks.moments.get(metric.key, {})
    if control not in found or arm not in found:
        return []
    joint = looks.moments.get(metric.key + ADJUSTED, {})
    clusters = looks.clusters.get(metric.key, {})
    batches = looks.batches.get(metric.key, {})
    base, other = (
        Series(looks.days, found[key], joint.get(key), clusters.get(key), batches.get(key))
        for key in (control, arm)
    )
    return compare.looks(metric, base, other)
