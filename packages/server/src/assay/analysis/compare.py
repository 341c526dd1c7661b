"""One arm of a metric against another, by the method its kind asks for; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from assay.analysis.collected import Batches
from assay.analysis.document import (
    Adjusted,
    ArmSummary,
    Comparison,
    Estimate,
    Look,
    MarginTest,
    Undefined,
)
from assay.analysis.joining import joined_arms, joined_difference
from assay.analysis.plan import Kind, MarginPlan, MetricPlan
from assay_stats.adjustment import (
    ArmPair,
    adjusted_arms,
    adjusted_ratio_arms,
    pair_difference,
    post_stratified,
    post_stratified_adjusted,
)
from assay_stats.clusters import ClusterTotals, clustered_arms, clustered_difference
from assay_stats.estimands import ArmMean, mean_of, ratio_of
from assay_stats.frequentist import delta_lift, difference, fieller_lift, ratio_difference, welch
from assay_stats.margins import non_inferiority, relative_non_inferiority
from assay_stats.moments import JointMoments
from assay_stats.proportions import Counts, two_proportions
from assay_stats.results import Direction, Interval
from assay_stats.results import Estimate as TestedEstimate
from assay_stats.undefined import Floats, Reason

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one arm of a metric.

    Attributes:
        moments: Of its own columns.
        adjusted: Of the same with its covariates, when it has some.
        strata: As `adjusted`, or as `moments` without covariates, `(n_strata,)`; None without strata.
        quantile: In place of moments, for a quantile.
        clusters: Where whole clusters were assigned, by which errors are then computed.
        batches: Of a bandit, over which differences are then joined.
    """

    moments: JointMoments
    adjusted: JointMoments | None = None
    strata: JointMoments | None = None
    quantile: ArmMean | None = None
    clusters: ClusterTotals | None = None
    batches: Batches | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One arm of a metric over the days so far; moments of shape `(n_days,)`."""

    days: Sequence[int]
    moments: JointMoments
    adjusted: JointMoments | None
    clusters: ClusterTotals | None = None
    batches: Batches | None = None


def summary(arm: str, metric: MetricPlan, found: Evidence) -> ArmSummary:
    """One arm by itself."""
    has_spread = metric.kind not in {Kind.RATIO, Kind.QUANTILE}
    return ArmSummary(
        arm=arm,
        units=int(found.moments.n),
        missing=int(found.moments.missing),
        mean=number(arm_mean(metric.kind, found).value),
        standard_deviation=number(np.sqrt(found.moments.column(0).variance)) if has_spread else None,
    )


def comparison(
    arm: str, metric: MetricPlan, control: Evidence, treatment: Evidence, *, alpha: float
) -> Comparison:
    """An arm against the control, with and without adjustment."""
    level = 1 - alpha
    tested = tested_difference(metric.kind, control, treatment, level=level)
    base, other, covariance = arm_means(metric.kind, control, treatment)
    return Comparison(
        arm=arm,
        difference=estimate(tested),
        p_value=number(tested.p_value),
        lift=estimate(delta_lift(base, other, covariance=covariance, level=level)),
        lift_fieller=estimate(fieller_lift(base, other, covariance=covariance, level=level)),
        adjusted=_adjusted(metric, control, treatment, tested, level=level),
        margin=None
        if metric.margin is None
        else _margin(metric, metric.margin, control, treatment, alpha=alpha),
    )


def looks(metric: MetricPlan, control: Series, treatment: Series) -> list[Look]:
    """The difference at the end of every day on which both arms had units."""
    base, other, covariance = series_means(metric.kind, control, treatment)
    plain = difference(base, other, covariance=covariance)
    adjusted = _adjusted_series(metric, control, treatment)
    return [
        Look(
            day=EPOCH + timedelta(days=day),
            control_units=int(control.moments.n[at]),
            arm_units=int(treatment.moments.n[at]),
            estimate=number(plain.value[at]),
            standard_error=number(plain.standard_error[at]),
            adjusted_estimate=None if adjusted is None else number(adjusted.value[at]),
            adjusted_standard_error=None if adjusted is None else number(adjusted.standard_error[at]),
        )
        for at, day in enumerate(control.days)
    ]


def estimate(interval: Interval) -> Estimate:
    """An interval as the document has it."""
    return Estimate(
        method=interval.method,
        estimate=number(interval.value),
        low=number(interval.lower),
        high=number(interval.upper),
        undefined=undefined(interval.reason),
    )


def number(value: float | Floats) -> float | None:
    """A finite number, or None."""
    found = float(value)
    return found if np.isfinite(found) else None


def undefined(reason: Reason | None) -> Undefined | None:
    """A reason as the document has it."""
    return None if reason is None else Undefined(reason=reason.value, sentence=reason.sentence)


def tested_difference(kind: Kind, control: Evidence, treatment: Evidence, *, level: float) -> TestedEstimate:
    """The difference by the test of the metric's kind."""
    if control.clusters is not None and treatment.clusters is not None:
        return clustered_difference(control.clusters, treatment.clusters, level=level)
    if control.batches is not None and treatment.batches is not None:
        return joined_difference(kind, control.batches, treatment.batches, level=level)
    if control.quantile is not None and treatment.quantile is not None:
        return difference(control.quantile, treatment.quantile, level=level, method="quantile_outer")
    if kind is Kind.RATIO:
        return ratio_difference(control.moments, treatment.moments, level=level)
    columns = [arm.moments.column(0) for arm in (control, treatment)]
    if kind.is_share:
        return two_proportions(*(Counts.from_moments(column) for column in columns), level=level)
    return welch(*columns, level=level)


def arm_mean(kind: Kind, found: Evidence) -> ArmMean:
    """What the metric estimates in one arm."""
    return series_mean(kind, found.moments) if found.quantile is None else found.quantile


def arm_means(kind: Kind, control: Evidence, treatment: Evidence) -> tuple[ArmMean, ArmMean, Floats]:
    """What the metric estimates in both arms, and the covariance that clusters with units in both give.

    Of a bandit, as the joined difference weighs its batches.
    """
    if control.clusters is not None and treatment.clusters is not None:
        found = clustered_arms(control.clusters, treatment.clusters)
        return found.control, found.treatment, found.covariance
    if control.batches is not None and treatment.batches is not None:
        return *joined_arms(kind, control.batches, treatment.batches), np.zeros(())
    return arm_mean(kind, control), arm_mean(kind, treatment), np.zeros(())


def series_means(kind: Kind, control: Series, treatment: Series) -> tuple[ArmMean, ArmMean, Floats]:
    """The same over days."""
    if control.clusters is not None and treatment.clusters is not None:
        found = clustered_arms(control.clusters, treatment.clusters)
        return found.control, found.treatment, found.covariance
    if control.batches is not None and treatment.batches is not None:
        return *joined_arms(kind, control.batches, treatment.batches), np.zeros(len(control.days))
    base, other = (series_mean(kind, series.moments) for series in (control, treatment))
    return base, other, np.zeros(len(control.days))


def series_mean(kind: Kind, moments: JointMoments) -> ArmMean:
    """The same from moments, of any shape."""
    return ratio_of(moments) if kind is Kind.RATIO else mean_of(moments.column(0))


def _adjusted(
    metric: MetricPlan, control: Evidence, treatment: Evidence, plain: TestedEstimate, *, level: float
) -> Adjusted | None:
    found = adjusted_pair(metric, control, treatment)
    if found is None:
        return None
    method, pair = found
    tested = pair_difference(pair, level=level, method=method)
    lift = delta_lift(pair.control, pair.treatment, covariance=pair.covariance, level=level)
    with np.errstate(all="ignore"):
        reduction = 1 - (tested.standard_error / plain.standard_error) ** 2
    return Adjusted(
        method=method,
        difference=estimate(tested),
        p_value=number(tested.p_value),
        lift=estimate(lift),
        variance_reduction=number(reduction),
    )


def adjusted_pair(metric: MetricPlan, control: Evidence, treatment: Evidence) -> tuple[str, ArmPair] | None:
    """Both arms after adjustment and the method's name, or None where nothing adjusts them."""
    is_ratio = metric.kind is Kind.RATIO
    if control.strata is not None and treatment.strata is not None and not is_ratio:
        if metric.covariates:
            covariates = tuple(range(1, control.strata.k))
            pair = post_stratified_adjusted(control.strata, treatment.strata, covariates=covariates)
            return "post_stratified_cuped", pair
        return "post_stratified", post_stratified(control.strata.column(0), treatment.strata.column(0))
    if control.adjusted is None or treatment.adjusted is None:
        return None
    return cuped(metric, control.adjusted, treatment.adjusted)


def cuped(metric: MetricPlan, control: JointMoments, treatment: JointMoments) -> tuple[str, ArmPair]:
    """Both arms adjusted by their covariates, moments of any shape, and the method's name."""
    own = len(metric.columns)
    others = tuple(range(own, own + len(metric.covariates)))
    if metric.kind is not Kind.RATIO:
        return "cuped_per_arm", adjusted_arms(control, treatment, covariates=others)
    if len(others) == 2:  # noqa: PLR2004 — the same ratio before exposure
        pair = adjusted_ratio_arms(control, treatment, prior_ratio=(others[0], others[1]))
    else:
        pair = adjusted_ratio_arms(control, treatment, covariates=others)
    return "cuped_ratio_per_arm", pair


def _adjusted_series(metric: MetricPlan, control: Series, treatment: Series) -> TestedEstimate | None:
    if control.adjusted is None or treatment.adjusted is None:
        return None
    return pair_difference(cuped(metric, control.adjusted, treatment.adjusted)[1])


def _margin(
    metric: MetricPlan, margin: MarginPlan, control: Evidence, treatment: Evidence, *, alpha: float
) -> MarginTest:
    direction = Direction.LOWER_IS_BETTER if metric.direction == "decrease" else Direction.HIGHER_IS_BETTER
    test = relative_non_inferiority if margin.is_relative else non_inferiority
    base, other, covariance = arm_means(metric.kind, control, treatment)
    tested = test(
        base, other, covariance=covariance, margin=margin.value, direction=direction, level=1 - alpha
    )
    p_value = number(tested.p_value)
    return MarginTest(
        kind="relative" if margin.is_relative else "absolute",
        margin=margin.value,
        p_value=p_value,
        is_within=None if p_value is None else p_value < alpha,
        undefined=undefined(tested.reason),
    )
