"""What an experiment estimates in one arm: a mean or a ratio, with the squared standard error it carries."""

from dataclasses import dataclass

import numpy as np

from assay_stats.moments import JointMoments, Moments
from assay_stats.undefined import Codes, Floats, Reason, first_reason, merge_reasons

UNSTABLE_DENOMINATOR_CV = 0.1
"""Above this coefficient of variation of a denominator's mean, first-order approximations lose accuracy."""


@dataclass(frozen=True, slots=True)
class ArmMean:
    """An estimated mean of one arm, whatever produced it.

    Attributes:
        value: The estimate, in the metric's unit.
        squared_error: Its squared standard error.
        own_error: The part of it that other arms do not share.
        degrees_of_freedom: Of `own_error`; inf when it is known.
        codes: Why `value` or `squared_error` is undefined; 0 where they are not.
    """

    value: Floats
    squared_error: Floats
    own_error: Floats
    degrees_of_freedom: Floats
    codes: Codes


@dataclass(frozen=True, slots=True)
class ArmRatio(ArmMean):
    """A ratio of two means of the same units.

    Attributes:
        denominator_cv: Coefficient of variation of the denominator's mean. Above
            `UNSTABLE_DENOMINATOR_CV` the delta method is doubtful and the caller should say so.
    """

    denominator_cv: Floats


def mean_of(moments: Moments) -> ArmMean:
    """The mean of one arm.

    Args:
        moments: Of any shape.
    """
    with np.errstate(all="ignore"):
        freedom = moments.n - 1
        squared_error = moments.m2 / (freedom * moments.n)
    return ArmMean(moments.mean, squared_error, squared_error, freedom, moments.defects)


def ratio_of(moments: JointMoments, *, numerator: int = 0, denominator: int = 1) -> ArmRatio:
    """The ratio of the means of two columns, by the delta method over units.

    The unit of analysis is the unit of randomisation; the denominator (sessions, orders) is a column.

    Args:
        moments: Of any shape, with at least the two columns.
        numerator: Column of the numerator.
        denominator: Column of the denominator.
    Source: Deng, Knoblich & Lu (2018), KDD, section 3.1, arXiv:1803.06336.
    """
    pair = moments.select(numerator, denominator)
    top, bottom = pair.means[..., 0], pair.means[..., 1]
    with np.errstate(all="ignore"):
        freedom = pair.n - 1
        ratio = top / bottom
        covered = pair.comoments / (freedom * pair.n)[..., None, None]
        residual = covered[..., 0, 0] - 2 * ratio * covered[..., 0, 1] + ratio**2 * covered[..., 1, 1]
        # Where every unit has the same ratio, cancellation may leave a negative rounding error.
        scale = covered[..., 0, 0] + ratio**2 * covered[..., 1, 1]
        squared_error = np.where(residual <= 1e-14 * scale, 0.0, residual) / bottom**2
        cv = np.sqrt(covered[..., 1, 1]) / np.abs(bottom)
    codes = merge_reasons(pair.defects, first_reason((bottom == 0, Reason.ZERO_DENOMINATOR)))
    defined = np.where(bottom == 0, np.nan, 1.0)[()]
    error = (squared_error * defined)[()]
    return ArmRatio((ratio * defined)[()], error, error, freedom, codes, (cv * defined)[()])
