"""What a plan asks of what was collected: one question per metric and arm, with every look so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from assay.analysis import compare
from assay.analysis.collected import ADJUSTED, Collected, Looks
from assay.analysis.compare import Evidence, Series
from assay.analysis.conclude import evidence_of
from assay.analysis.inference import Question
from assay.analysis.methods import AlwaysValid, Fixed, GroupSequential, Margin, Role, Schedule
from assay.analysis.plan import MetricPlan, Plan
from assay.analysis.readers import Look
from assay_stats.estimands import ArmMean
from assay_stats.moments import JointMoments
from assay_stats.results import Direction, Estimate

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PACE_DAYS = 7
# Per arm; sequential boundaries are of the normal distribution, and CR2's t nears it from here on.
FEWEST_CLUSTERS = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what the document says beside its answer.

    Attributes:
        is_adjusted: Whether it is asked of the adjusted estimate, which is claimed from if there is one.
        units_per_day: New units of both arms per day, of late; None without a calendar.
    """

    question: Question
    metric: MetricPlan
    is_adjusted: bool
    units_per_day: float | None


def questions(plan: Plan, collected: Collected) -> list[Asked]:
    """One question per metric and arm that is not the control; none for metrics that failed."""
    return [
        _asked(plan, metric, arm.key, collected)
        for metric in plan.metrics
        if metric.key not in collected.failures
        for arm in plan.arms
        if arm.key != plan.control
    ]


def role_of(metric: MetricPlan, plan: Plan) -> Role:
    """What a metric is for; where nobody has said, those with a margin guard and the others are goals."""
    if metric.role is not None:
        return metric.role
    if any(other.role is not None for other in plan.metrics):
        return Role.SECONDARY
    return Role.GOAL if metric.margin is None else Role.GUARDRAIL


def _asked(plan: Plan, metric: MetricPlan, arm: str, collected: Collected) -> Asked:
    strata = [segment for segment in collected.segments if segment.dimension == plan.strata]
    control, treatment = (evidence_of(metric, key, collected.whole, strata) for key in (plan.control, arm))
    series = _series(plan, metric, arm, collected.looks.get(metric.key))
    latest = _latest(metric, control, treatment, series[-1].at if series else None)
    looks = _with_enough_clusters((*series[:-1], latest), plan, metric, arm, collected)
    if not series and isinstance(plan.reading.method, GroupSequential) and not plan.reading.is_final:
        looks = ()  # without its earlier looks a design cannot know what it has spent
    question = Question(
        metric=metric.key,
        name=metric.name,
        arm=arm,
        looks=looks,
        role=role_of(metric, plan),
        direction=_direction(metric),
        is_share=metric.kind.is_share,
        margin=None if metric.margin is None else Margin(metric.margin.value, metric.margin.is_relative),
        smallest_lift=_smallest_lift(metric, latest),
        planned_units=_planned_units(series, plan.schedule, _first_share(plan)),
    )
    is_adjusted = compare.adjusted_pair(metric, control, treatment) is not None
    # How many units are still needed hangs on a split that nobody knows yet.
    return Asked(question, metric, is_adjusted, _pace(series) if plan.batching is None else None)


def _with_enough_clusters(
    looks: tuple[Look, ...], plan: Plan, metric: MetricPlan, arm: str, collected: Collected
) -> tuple[Look, ...]:
    """The looks whose normal approximation rests on enough clusters; the t test at the end needs none."""
    if plan.clustering is None or isinstance(plan.reading.method, Fixed):
        return looks
    found = collected.looks.get(metric.key)
    totals = (collected.whole if found is None else found).clusters.get(metric.key, {})
    if not {plan.control, arm} <= totals.keys():
        return looks
    fewest = np.minimum(*((totals[key].sizes > 0).sum(axis=-1) for key in (plan.control, arm)))
    counts = np.broadcast_to(fewest, (len(looks),))
    return tuple(look for look, count in zip(looks, counts, strict=True) if count >= FEWEST_CLUSTERS)


def _latest(metric: MetricPlan, control: Evidence, treatment: Evidence, at: datetime | None) -> Look:
    found = compare.adjusted_pair(metric, control, treatment)
    n = float(control.moments.n), float(treatment.moments.n)
    if found is not None:
        pair = found[1]
        return Look(at, *n, pair.control, pair.treatment, float(pair.covariance))

    def exact(level: float) -> Estimate:
        return compare.tested_difference(metric.kind, control, treatment, level=level)

    base, other, covariance = compare.arm_means(metric.kind, control, treatment)
    return Look(at, *n, base, other, float(covariance), exact=exact)


def _series(plan: Plan, metric: MetricPlan, arm: str, looks: Looks | None) -> list[Look]:
    if looks is None or not {plan.control, arm} <= looks.moments.get(metric.key, {}).keys():
        return []
    own = [looks.moments[metric.key][key] for key in (plan.control, arm)]
    control, treatment, covariance = _daily(metric, own, plan, arm, looks)
    return [
        Look(
            at=EPOCH + timedelta(days=int(day) + 1),
            n_control=float(own[0].n[at]),
            n_treatment=float(own[1].n[at]),
            control=_on(control, at, len(looks.days)),
            treatment=_on(treatment, at, len(looks.days)),
            covariance=float(covariance[at]),
        )
        for at, day in enumerate(looks.days)
    ]


def _daily(
    metric: MetricPlan, own: Sequence[JointMoments], plan: Plan, arm: str, looks: Looks
) -> tuple[ArmMean, ArmMean, np.ndarray]:
    joint = looks.moments.get(metric.key + ADJUSTED, {})
    if metric.covariates and {plan.control, arm} <= joint.keys():
        pair = compare.cuped(metric, joint[plan.control], joint[arm])[1]
        return pair.control, pair.treatment, np.broadcast_to(pair.covariance, (len(looks.days),))
    clusters, batches = looks.clusters.get(metric.key, {}), looks.batches.get(metric.key, {})
    return compare.series_means(
        metric.kind,
        *(
            Series(looks.days, moments, None, clusters.get(key), batches.get(key))
            for key, moments in zip((plan.control, arm), own, strict=True)
        ),
    )


def _on(mean: ArmMean, day: int, days: int) -> ArmMean:
    """One day of an estimate over days."""
    value, error, own, freedom, codes = (
        np.broadcast_to(part, (days,))[day]
        for part in (mean.value, mean.squared_error, mean.own_error, mean.degrees_of_freedom, mean.codes)
    )
    return ArmMean(value, error, own, freedom, codes)


def _direction(metric: MetricPlan) -> Direction:
    return Direction.LOWER_IS_BETTER if metric.direction == "decrease" else Direction.HIGHER_IS_BETTER


def _smallest_lift(metric: MetricPlan, latest: Look) -> float | None:
    if metric.smallest_effect is None or metric.is_effect_relative:
        return metric.smallest_effect
    baseline = abs(float(latest.control.value))
    return metric.smallest_effect / baseline if baseline > 0 and np.isfinite(baseline) else None


def _first_share(plan: Plan) -> float:
    method = plan.reading.method
    if isinstance(method, GroupSequential) and method.looks:
        return method.looks[0]
    return 0.0 if isinstance(method, AlwaysValid | Fixed) else 0.1


def _planned_units(series: Sequence[Look], schedule: Schedule | None, share: float) -> float | None:
    """The units to be expected at the planned end, foreseen once, at the first look, and kept.

    Foreseeing them anew at each look would move the looks with the data that they are to judge.
    """
    if schedule is None or schedule.days is None:
        return None
    for look in series:
        elapsed = _days_between(schedule.started_at, look.at)
        if elapsed >= max(1.0, share * schedule.days):
            return look.units * schedule.days / elapsed
    return None


def _days_between(start: datetime, end: datetime | None) -> float:
    return 0.0 if end is None else (end - start) / timedelta(days=1)


def _pace(series: Sequence[Look]) -> float | None:
    if not series:
        return None
    if len(series) == 1:
        return series[0].units
    first, last = series[-min(PACE_DAYS + 1, len(series))], series[-1]
    if first.at is None or last.at is None:
        return None
    return (last.units - first.units) / max((last.at - first.at) / timedelta(days=1), 1.0)
