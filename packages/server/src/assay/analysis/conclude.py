"""From moments to the result document; pure."""

from collections.abc import Mapping

import numpy as np

from assay import __version__
from assay.analysis.aggregate import Collected
from assay.analysis.document import (
    ArmSummary,
    ArmUnits,
    Comparison,
    Document,
    Estimate,
    Excluded,
    MetricResult,
    SampleRatio,
    Undefined,
)
from assay.analysis.plan import Kind, MetricPlan, Plan
from assay.analysis.units import Excluded as LeftOut
from assay_stats.estimands import ArmMean, mean_of, ratio_of
from assay_stats.frequentist import delta_lift, fieller_lift, ratio_difference, welch
from assay_stats.moments import JointMoments
from assay_stats.proportions import Counts, two_proportions
from assay_stats.results import Estimate as TestedEstimate
from assay_stats.results import Interval
from assay_stats.srm import sample_ratio
from assay_stats.undefined import Reason

# Fabijan et al. (2019) and most platforms: late enough not to cry wolf, early enough to stop a reading.
SRM_ALARM = 0.01


def conclude(plan: Plan, collected: Collected, left_out: LeftOut) -> Document:
    """The result document of a plan over the moments that were collected for it."""
    return Document(
        assay_version=__version__,
        unit=plan.unit,
        control=plan.control,
        alpha=plan.alpha,
        arms=[
            ArmUnits(arm=arm.key, weight=arm.weight, units=collected.units.get(arm.key, 0))
            for arm in plan.arms
        ],
        excluded=Excluded(
            in_several_arms=left_out.in_several_arms,
            without_unit=left_out.without_unit,
            without_arm=left_out.without_arm,
            unknown_arms=dict(left_out.unknown_arms),
        ),
        sample_ratio=_sample_ratio(plan, collected.units),
        metrics=[_metric(plan, metric, collected) for metric in plan.metrics],
    )


def _sample_ratio(plan: Plan, units: Mapping[str, int]) -> SampleRatio:
    test = sample_ratio([units.get(arm.key, 0) for arm in plan.arms], [arm.weight for arm in plan.arms])
    p_value = _number(test.p_value)
    return SampleRatio(
        statistic=_number(test.statistic),
        degrees_of_freedom=_number(test.degrees_of_freedom),
        p_value=p_value,
        suspicious=bool(test.misplaced > 0) or (p_value is not None and p_value < SRM_ALARM),
        undefined=_undefined(test.reason),
    )


def _metric(plan: Plan, metric: MetricPlan, collected: Collected) -> MetricResult:
    found = collected.moments.get(metric.key, {})
    arms = {arm.key: found.get(arm.key, JointMoments.empty(len(metric.columns))) for arm in plan.arms}
    return MetricResult(
        metric=metric.key,
        name=metric.name,
        kind=metric.kind,
        direction="decrease" if metric.direction == "decrease" else "increase",
        version=metric.version,
        arms=[_summary(key, metric.kind, moments) for key, moments in arms.items()],
        comparisons=[
            _comparison(key, metric.kind, arms[plan.control], moments, level=1 - plan.alpha)
            for key, moments in arms.items()
            if key != plan.control
        ],
    )


def _summary(arm: str, kind: Kind, moments: JointMoments) -> ArmSummary:
    spread = None if kind is Kind.RATIO else _number(np.sqrt(moments.column(0).variance))
    return ArmSummary(
        arm=arm,
        units=int(moments.n),
        missing=int(moments.missing),
        mean=_number(_arm_mean(kind, moments).value),
        standard_deviation=spread,
    )


def _comparison(
    arm: str, kind: Kind, control: JointMoments, treatment: JointMoments, *, level: float
) -> Comparison:
    tested = _difference(kind, control, treatment, level=level)
    base, other = _arm_mean(kind, control), _arm_mean(kind, treatment)
    return Comparison(
        arm=arm,
        difference=_estimate(tested),
        p_value=_number(tested.p_value),
        lift=_estimate(delta_lift(base, other, level=level)),
        lift_fieller=_estimate(fieller_lift(base, other, level=level)),
    )


def _difference(
    kind: Kind, control: JointMoments, treatment: JointMoments, *, level: float
) -> TestedEstimate:
    match kind:
        case Kind.PROPORTION:
            counts = (Counts.from_moments(arm.column(0)) for arm in (control, treatment))
            return two_proportions(*counts, level=level)
        case Kind.MEAN:
            return welch(control.column(0), treatment.column(0), level=level)
        case Kind.RATIO:
            return ratio_difference(control, treatment, level=level)


def _arm_mean(kind: Kind, moments: JointMoments) -> ArmMean:
    return ratio_of(moments) if kind is Kind.RATIO else mean_of(moments.column(0))


def _estimate(interval: Interval) -> Estimate:
    return Estimate(
        method=interval.method,
        estimate=_number(interval.value),
        low=_number(interval.lower),
        high=_number(interval.upper),
        undefined=_undefined(interval.reason),
    )


def _number(value: float | np.floating | np.ndarray) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _undefined(reason: Reason | None) -> Undefined | None:
    return None if reason is None else Undefined(reason=reason.value, sentence=reason.sentence)
