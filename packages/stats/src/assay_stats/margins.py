"""Not worse than a margin, or as good as equal: non-inferiority and equivalence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.estimands import ArmMean, mean_of
from assay_stats.frequentist import difference, satterthwaite, t_inference
from assay_stats.moments import Moments
from assay_stats.proportions import Counts, two_proportions
from assay_stats.results import Direction, Estimate, Interval
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats, Reason, first_reason, merge_reasons

Arm = ArmMean | Moments | Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence(Interval):
    """Two one-sided tests; equivalent at `1 - p_level` when the interval lies inside the margins.

    Attributes:
        p_value: The larger of the two one-sided p-values.
        lower_margin: Largest drop that counts as equal, negative.
        upper_margin: Largest rise that counts as equal.
        level: Coverage of the interval, 1 - 2 alpha.
    """

    p_value: Floats
    lower_margin: Floats
    upper_margin: Floats


def non_inferiority(
    control: Arm,
    treatment: Arm,
    *,
    margin: ArrayLike,
    direction: Direction = Direction.HIGHER_IS_BETTER,
    level: ArrayLike = 0.95,
    covariance: ArrayLike = 0.0,
) -> Estimate:
    """Is the treatment at most `margin` worse than the control?

    Args:
        control: Moments, an estimated mean, or counts of a proportion (score method).
        treatment: The same of the other arm.
        margin: Largest tolerated loss, in the metric's unit; positive.
        direction: Whether a higher value is better.
        level: Coverage of the one-sided interval, in (0, 1); not worse when its lower end is above -margin.
        covariance: Of two estimated means; 0 for independent arms.
    Returns:
        The benefit (positive is better), one-sided, tested against -margin.
    Raises:
        ValueError: `margin` not positive, or `level` outside (0, 1).
        TypeError: The arms are not of one kind.
    Source: A one-sided test at the margin: Wellek (2010), Testing Statistical Hypotheses of Equivalence
        and Noninferiority. Checked against statsmodels 0.15.0.
    """
    loss = checked_positive(margin, name="margin")
    is_rise = direction is Direction.HIGHER_IS_BETTER
    side = Alternative.GREATER if is_rise else Alternative.LESS
    null = -direction.sign * loss
    if isinstance(control, Counts) and isinstance(treatment, Counts):
        found = two_proportions(control, treatment, null=null, level=level, alternative=side)
    else:
        found = difference(
            _mean(control),
            _mean(treatment),
            covariance=covariance,
            null=null,
            level=level,
            alternative=side,
            method="non_inferiority",
        )
    return found.as_benefit(direction)


def relative_non_inferiority(
    control: ArmMean | Moments,
    treatment: ArmMean | Moments,
    *,
    margin: ArrayLike,
    direction: Direction = Direction.HIGHER_IS_BETTER,
    level: ArrayLike = 0.95,
    covariance: ArrayLike = 0.0,
) -> Estimate:
    """Is the treatment worse by at most the share `margin` of the control mean?

    The margin moves with the control mean, whose error therefore enters: margin times the *estimated* mean is
    no constant.

    Args:
        control: Moments or an estimated mean.
        treatment: The same of the other arm.
        margin: Largest tolerated loss as a share of |control mean|, 0.02 for two percent; positive.
        direction: Whether a higher value is better.
        level: Coverage of the one-sided interval, in (0, 1).
        covariance: Of the two estimates; 0 for independent arms.
    Returns:
        Benefit plus margin x |control mean|, in the metric's unit, one-sided, tested against 0: positive
        where the treatment is within the margin.
    Raises:
        ValueError: `margin` not positive, or `level` outside (0, 1).
    Source: The linear form of Hauschke, Kieser, Diletti and Burke (1999), Statistics in Medicine
        18:93-105; its size is measured by the calibration suite.
    """
    share = checked_positive(margin, name="margin")
    base, other = _mean(control), _mean(treatment)
    weight = 1 - direction.sign * share * np.sign(base.value)
    side = Alternative.GREATER if direction is Direction.HIGHER_IS_BETTER else Alternative.LESS
    with np.errstate(all="ignore"):
        squared = other.squared_error + weight**2 * base.squared_error - 2 * weight * as_floats(covariance)
    return t_inference(
        other.value - weight * base.value,
        squared,
        satterthwaite(base, other, weight=weight),
        merge_reasons(base.codes, other.codes, first_reason((base.value == 0, Reason.ZERO_BASELINE))),
        level=level,
        alternative=side,
        method="relative_non_inferiority",
    ).as_benefit(direction)


def equivalence(
    control: Arm,
    treatment: Arm,
    *,
    lower_margin: ArrayLike,
    upper_margin: ArrayLike,
    level: ArrayLike = 0.95,
    covariance: ArrayLike = 0.0,
) -> Equivalence:
    """Is the difference inside the margins? Two one-sided tests, each at 1 - level.

    Args:
        control: Moments, an estimated mean, or counts of a proportion.
        treatment: The same of the other arm.
        lower_margin: Largest drop that counts as equal, negative, in the metric's unit.
        upper_margin: Largest rise that counts as equal, positive.
        level: 1 - alpha of each test, in (0.5, 1); the interval dual to both covers 2 level - 1.
        covariance: Of two estimated means; 0 for independent arms.
    Raises:
        ValueError: Margins that do not enclose 0, or `level` outside (0.5, 1).
    Source: Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15:657-680.
    """
    low, high = as_floats(lower_margin), as_floats(upper_margin)
    if not np.all((low < 0) & (high > 0)):
        raise ValueError(f"margins must enclose 0; got {lower_margin!r} and {upper_margin!r}")
    coverage = checked_level(2 * checked_level(level) - 1, name="2 * level - 1")
    above = _one_sided(control, treatment, low, Alternative.GREATER, level, covariance)
    below = _one_sided(control, treatment, high, Alternative.LESS, level, covariance)
    return Equivalence(
        value=above.value,
        standard_error=above.standard_error,
        lower=above.lower,
        upper=below.upper,
        level=coverage,
        method="two_one_sided_tests",
        p_value=np.maximum(above.p_value, below.p_value),
        lower_margin=low,
        upper_margin=high,
        reason_codes=above.reason_codes,
    )


def _one_sided(
    control: Arm, treatment: Arm, null: Floats, side: Alternative, level: ArrayLike, covariance: ArrayLike
) -> Estimate:
    if isinstance(control, Counts) and isinstance(treatment, Counts):
        return two_proportions(control, treatment, null=null, level=level, alternative=side)
    means = _mean(control), _mean(treatment)
    return difference(*means, covariance=covariance, null=null, level=level, alternative=side)


def _mean(arm: Arm) -> ArmMean:
    match arm:
        case ArmMean():
            return arm
        case Moments():
            return mean_of(arm)
        case Counts():
            raise TypeError("both arms must be of one kind: counts on both sides, or means on both")
