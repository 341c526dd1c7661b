"""Fixed-horizon comparisons of two arms: difference, relative lift, non-inferiority, equivalence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level
from assay_stats.estimands import ArmMean, mean_of, ratio_of
from assay_stats.moments import JointMoments, Moments
from assay_stats.results import Estimate, Interval
from assay_stats.tails import Alternative, critical_value, ends, tail
from assay_stats.undefined import Codes, Floats, Reason, blank, first_reason, merge_reasons, none_missing

_ignoring_undefined = np.errstate(all="ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift(Interval):
    """A relative change; its test is the one of the difference, so that a hypothesis has one p-value.

    Attributes:
        value: (treatment - control) / |control|; 0.05 is five percent more.
        standard_error: First-order standard error; Fieller's interval does not use it.
        baseline_cv: Coefficient of variation of the control mean. Above 0.1 prefer Fieller.
    """

    baseline_cv: Floats


@_ignoring_undefined
def t_inference(
    value: Floats,
    squared_error: Floats,
    degrees_of_freedom: Floats,
    codes: Codes,
    *,
    method: str,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Test and interval of an estimate whose standardised error is t distributed.

    Args:
        value: The estimate.
        squared_error: Its squared standard error; 0 is reported as `Reason.ZERO_VARIANCE`.
        degrees_of_freedom: inf for the normal.
        codes: What is already known to be undefined.
        method: Name kept in the result.
        null: Value tested against.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Student's t distribution. Checked against R 4.2.2 `t.test` and `pt`.
    """
    return _inferred(
        value,
        squared_error,
        degrees_of_freedom,
        codes,
        method=method,
        null=null,
        level=level,
        alternative=alternative,
    )


@_ignoring_undefined
def difference(
    control: ArmMean,
    treatment: ArmMean,
    *,
    covariance: ArrayLike = 0.0,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
    method: str = "difference",
) -> Estimate:
    """Treatment minus control, with Satterthwaite degrees of freedom.

    Args:
        control: Any estimate of an arm.
        treatment: The same of the other arm.
        covariance: Of the two estimates; 0 for independent arms.
        null: Difference under the null hypothesis.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
        method: Name kept in the result.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Satterthwaite (1946), Biometrics Bulletin 2:110-114.
    """
    return _inferred(
        treatment.value - control.value,
        control.squared_error + treatment.squared_error - 2 * as_floats(covariance),
        _satterthwaite(control, treatment, as_floats(1.0)),
        merge_reasons(control.codes, treatment.codes),
        method=method,
        null=null,
        level=level,
        alternative=alternative,
    )


@_ignoring_undefined
def satterthwaite(control: ArmMean, treatment: ArmMean, *, weight: ArrayLike = 1.0) -> Floats:
    """Degrees of freedom of `treatment - weight * control`, from what each arm contributes alone.

    Args:
        control: Any estimate of an arm.
        treatment: The same of the other arm.
        weight: Of the control.
    Source: Satterthwaite (1946), Biometrics Bulletin 2:110-114.
    """
    return _satterthwaite(control, treatment, as_floats(weight))


def welch(
    control: Moments,
    treatment: Moments,
    *,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of two means without assuming equal variances.

    Args:
        control: Moments of any shape.
        treatment: Moments that broadcast against it.
        null: Difference under the null hypothesis, in the metric's unit.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Returns:
        Treatment minus control. Undefined where an arm has fewer than two units or neither varies.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Welch (1947), Biometrika 34:28-35. Checked against `scipy.stats.ttest_ind_from_stats`.
    """
    return difference(
        mean_of(control), mean_of(treatment), null=null, level=level, alternative=alternative, method="welch"
    )


def ratio_difference(
    control: JointMoments,
    treatment: JointMoments,
    *,
    numerator: int = 0,
    denominator: int = 1,
    null: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Difference of two ratios of means, by the delta method.

    Args:
        control: Moments of any shape with numerator and denominator among the columns.
        treatment: The same of the other arm.
        numerator: Column of the numerator.
        denominator: Column of the denominator.
        null: Difference under the null hypothesis.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Deng, Knoblich & Lu (2018), KDD, section 3.1. Checked against tea-tasting 1.14 `RatioOfMeans`.
    """
    arms = (ratio_of(arm, numerator=numerator, denominator=denominator) for arm in (control, treatment))
    return difference(*arms, null=null, level=level, alternative=alternative, method="ratio_delta")


@_ignoring_undefined
def delta_lift(
    control: ArmMean | Moments,
    treatment: ArmMean | Moments,
    *,
    covariance: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Lift:
    """Relative change (treatment - control) / |control|, by the delta method.

    The control mean is estimated too, so its variance enters; dividing the absolute interval by it would
    cover 87 % instead of 95 % at a lift of one half.

    Args:
        control: Estimate or moments of the control arm.
        treatment: The same of the other arm.
        covariance: Of the two estimates; 0 for independent arms.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that the interval is open to.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Deng, Knoblich & Lu (2018), KDD, section 3.
    """
    base, other = _arm(control), _arm(treatment)
    coverage, between = checked_level(level), as_floats(covariance)
    ratio, scale = other.value / base.value, np.abs(base.value)
    value = (other.value - base.value) / scale
    squared = (other.squared_error + ratio * ratio * base.squared_error - 2 * ratio * between) / scale**2
    codes = merge_reasons(base.codes, other.codes, _lift_reasons(base, other, squared))
    freedom = _satterthwaite(base, other, ratio)
    standard_error = blank(np.sqrt(squared), codes)
    half_width = critical_value(coverage, freedom, alternative) * standard_error
    value = np.where(base.value == 0, np.nan, value)[()]
    lower, upper = ends(value, half_width, alternative)
    return Lift(
        value=value,
        standard_error=standard_error,
        lower=lower,
        upper=upper,
        level=coverage,
        method="delta",
        baseline_cv=np.sqrt(base.squared_error) / scale,
        reason_codes=codes,
    )


@_ignoring_undefined
def fieller_lift(
    control: ArmMean | Moments,
    treatment: ArmMean | Moments,
    *,
    covariance: ArrayLike = 0.0,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Lift:
    """Relative change (treatment - control) / |control|, exact for normal means; dual to the Welch test.

    The interval is the set of lifts that a t test with the degrees of freedom of the difference keeps. Where
    the control mean cannot be told from 0 that set is unbounded, which `Reason.BASELINE_NOT_SEPARATED` says;
    the point estimate remains.

    Args:
        control: Estimate or moments of the control arm.
        treatment: The same of the other arm.
        covariance: Of the two estimates; 0 for independent arms.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that the interval is open to.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Fieller (1954), JRSS B 16:175-185.
    """
    base, other = _arm(control), _arm(treatment)
    coverage, between = checked_level(level), as_floats(covariance)
    critical = critical_value(coverage, _satterthwaite(base, other, as_floats(1.0)), alternative)
    ratio, scale = other.value / base.value, np.abs(base.value)
    unseparated = (critical / scale) ** 2 * base.squared_error
    tilt = (critical / scale) ** 2 * between
    value = (other.value - base.value) / scale
    squared = other.squared_error - 2 * ratio * between + ratio * ratio * base.squared_error
    determinant = other.squared_error * base.squared_error - between * between
    root = critical / scale * np.sqrt(squared - (critical / scale) ** 2 * determinant)
    centre = value + np.sign(base.value) * (unseparated * ratio - tilt) / (1 - unseparated)
    unbounded = unseparated >= 1
    codes = merge_reasons(
        base.codes,
        other.codes,
        _lift_reasons(base, other, squared),
        first_reason((unbounded, Reason.BASELINE_NOT_SEPARATED)),
    )
    lower, upper = ends(centre, blank(root / (1 - unseparated), codes), alternative)
    return Lift(
        value=np.where(base.value == 0, np.nan, value)[()],
        standard_error=np.sqrt(squared) / scale,
        lower=blank(lower, codes),
        upper=blank(upper, codes),
        level=coverage,
        method="fieller",
        baseline_cv=np.sqrt(base.squared_error) / scale,
        reason_codes=codes,
    )


def _arm(arm: ArmMean | Moments) -> ArmMean:
    return mean_of(arm) if isinstance(arm, Moments) else arm


def _lift_reasons(base: ArmMean, other: ArmMean, squared: Floats) -> Codes:
    has_only_zeros = (other.value == 0) & (other.squared_error == 0) & (base.squared_error > 0)
    return first_reason(
        (base.value == 0, Reason.ZERO_BASELINE),
        (has_only_zeros, Reason.ONLY_ZEROS),
        (~np.isfinite(squared), Reason.NOT_FINITE),
        (squared < 0, Reason.IMPOSSIBLE_COVARIANCE),
        (squared == 0, Reason.ZERO_VARIANCE),
    )


def _inferred(
    value: Floats,
    squared_error: Floats,
    degrees_of_freedom: Floats,
    codes: Codes,
    *,
    method: str,
    null: ArrayLike,
    level: ArrayLike,
    alternative: Alternative,
) -> Estimate:
    coverage, against = checked_level(level), as_floats(null)
    codes = merge_reasons(codes, _error_reasons(value, squared_error))
    standard_error = blank(np.sqrt(squared_error), codes)
    statistic = (value - against) / standard_error
    freedom = blank(degrees_of_freedom, codes)
    half_width = critical_value(coverage, freedom, alternative) * standard_error
    lower, upper = ends(value, half_width, alternative)
    return Estimate(
        value=value,
        standard_error=standard_error,
        lower=lower,
        upper=upper,
        level=coverage,
        method=method,
        statistic=statistic,
        degrees_of_freedom=freedom,
        p_value=tail(statistic, freedom, alternative),
        null=against,
        alternative=alternative,
        reason_codes=codes,
    )


def _error_reasons(value: Floats, squared_error: Floats) -> Codes:
    sound = (squared_error > 0) & (np.abs(value + squared_error) < np.inf)
    if sound if sound.ndim == 0 else sound.all():
        return none_missing(sound)
    return first_reason(
        (~np.isfinite(value + squared_error), Reason.NOT_FINITE),
        (squared_error < 0, Reason.IMPOSSIBLE_COVARIANCE),
        (squared_error == 0, Reason.ZERO_VARIANCE),
    )


def _satterthwaite(control: ArmMean, treatment: ArmMean, weight: Floats) -> Floats:
    """In shares of the variance, so that squares neither overflow nor underflow."""
    first = control.own_error * weight * weight
    share = first / (first + treatment.own_error)
    rest = 1 - share
    return 1 / (share * share / control.degrees_of_freedom + rest * rest / treatment.degrees_of_freedom)
