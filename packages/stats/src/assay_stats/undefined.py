"""Why a number cannot be computed, so that no 0, 1 or bare NaN stands in for it.

Conventions of the whole package
--------------------------------
*Arrays.* Every function takes scalars or arrays and broadcasts them. `Floats` is what comes back: an array of
float64, and for scalar input a `numpy.float64`, which is a `float` and has `shape == ()`.

*Results* are frozen, slotted dataclasses derived from `results.Result`; a field holds a number per
hypothesis.

*Undefined.* A field that cannot be computed is NaN, and `reason_codes` (int8, broadcast over the result)
says why; 0 is "defined". `result.reason` is `None` or a `Reason` for a scalar; `result.reasons` is an object
array of these for any shape. Fields that can still be computed survive: the difference of two means is known
even where its standard error is not. Wrong *data* gives a reason; a wrong *call* (a level of 95, shapes that
do not broadcast) raises `ValueError`.

*Tests.* One p-value per hypothesis, dual to the interval shown beside it: the interval excludes the null
value exactly when p < 1 - level. `level`, margins and weights are keyword inputs. Nothing switches method
silently.

*Direction.* Estimators never ask whether higher is better. `results.Direction` is applied once, by
`Estimate.as_benefit`, as a change of sign.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]


class Reason(StrEnum):
    """Why an entry of a result is undefined; `sentence` says it to a person."""

    EMPTY_ARM = "empty_arm"
    TOO_FEW_UNITS = "too_few_units"
    NOT_FINITE = "not_finite"
    NEGATIVE_VARIANCE = "negative_variance"
    IMPOSSIBLE_COVARIANCE = "impossible_covariance"
    IMPOSSIBLE_COUNT = "impossible_count"
    ZERO_VARIANCE = "zero_variance"
    ZERO_BASELINE = "zero_baseline"
    BASELINE_NOT_SEPARATED = "baseline_not_separated"
    ZERO_DENOMINATOR = "zero_denominator"
    COLLINEAR_COVARIATES = "collinear_covariates"
    NO_EVENTS = "no_events"
    SINGLE_ARM = "single_arm"
    TOO_FEW_CLUSTERS = "too_few_clusters"
    TOO_FEW_SEGMENTS = "too_few_segments"
    QUANTILE_OUT_OF_REACH = "quantile_out_of_reach"
    INVALID_PRIOR = "invalid_prior"
    NO_INFORMATION = "no_information"
    NOT_REACHABLE = "not_reachable"
    CONTRADICTION = "contradiction"
    NO_BATCH = "no_batch"
    ONLY_ZEROS = "only_zeros"

    @property
    def sentence(self) -> str:
        """The reason in words that tell what to do."""
        return _SENTENCES[self]

    @property
    def code(self) -> np.int8:
        """The reason as it is kept in `reason_codes`; positive."""
        return _CODES[self]


_SENTENCES = {
    Reason.EMPTY_ARM: "a variant has no units",
    Reason.TOO_FEW_UNITS: "a variant has fewer than two units, so its variance is unknown",
    Reason.NOT_FINITE: (
        "a count, mean or variance is missing or not finite: the input held NaN or infinity, its squares "
        "left the range of floating point, or power sums were taken too far from the mean to resolve a "
        "variance (subtract a pilot mean before summing)"
    ),
    Reason.NEGATIVE_VARIANCE: "a variance is negative, so the moments are wrong",
    Reason.IMPOSSIBLE_COVARIANCE: "a covariance exceeds what its variances allow",
    Reason.IMPOSSIBLE_COUNT: "a count is negative, not whole, or larger than the number of units",
    Reason.ZERO_VARIANCE: "the metric varies in neither variant, so there is no scale to test against",
    Reason.ZERO_BASELINE: "the control mean is 0, so a relative change means nothing; read the absolute one",
    Reason.BASELINE_NOT_SEPARATED: (
        "the control mean cannot be told from 0 at this level, so the interval of the relative change is "
        "unbounded; read the absolute one"
    ),
    Reason.ZERO_DENOMINATOR: "the denominator of the ratio has mean 0 in a variant",
    Reason.COLLINEAR_COVARIATES: (
        "a covariate is constant or repeats the others, so its coefficient is not determined"
    ),
    Reason.NO_EVENTS: "no event was counted in either variant",
    Reason.SINGLE_ARM: "fewer than two variants have a positive weight, so there is nothing to compare",
    Reason.TOO_FEW_CLUSTERS: "a variant has fewer than two clusters",
    Reason.TOO_FEW_SEGMENTS: "fewer than two segments can be compared",
    Reason.QUANTILE_OUT_OF_REACH: "too few units beyond the quantile for an interval",
    Reason.INVALID_PRIOR: "the prior's parameters are not finite and positive",
    Reason.NO_INFORMATION: "no information has been gathered yet",
    Reason.NOT_REACHABLE: (
        "no sample size reaches the target: the effect to detect is 0 or the design cannot do it"
    ),
    Reason.CONTRADICTION: (
        "no single value lies in the intervals of all looks: the effect has probably changed, so read the "
        "looks one by one"
    ),
    Reason.NO_BATCH: "no epoch has enough units in both variants",
    Reason.ONLY_ZEROS: (
        "every value of the variant is 0, so the relative change is exactly -100 % and nothing tells its "
        "error; read the absolute one"
    ),
}
_REASONS: tuple[Reason | None, ...] = (None, *Reason)
_CODES = {reason: np.int8(code) for code, reason in enumerate(Reason, start=1)}
DEFINED: Codes = np.int8(0)  # pyright: ignore[reportAssignmentType]  # quacks as a 0-d array
"""The code of an entry that lacks nothing."""


def first_reason(*checks: tuple[Bools | np.bool_ | bool, Reason]) -> Codes:
    """The code of the first check that holds, entry by entry; 0 where none does.

    Args:
        checks: Pairs of a condition, any shapes that broadcast, and the reason it stands for.
    """
    codes = DEFINED
    for holds, reason in reversed(checks):
        if getattr(holds, "ndim", 0) == 0 and not holds:
            continue
        codes = np.where(holds, reason.code, codes)[()]
    return codes


def none_missing(like: Bools) -> Codes:
    """The code of "defined" in the shape of `like`; the quick way when no check can hold."""
    return DEFINED if like.ndim == 0 else np.zeros(like.shape, dtype=np.int8)


def merge_reasons(*codes: Codes) -> Codes:
    """The first non-zero code, entry by entry."""
    merged = codes[0]
    for other in codes[1:]:
        if getattr(other, "ndim", 0) == 0 and other == 0:
            continue
        merged = np.where(merged == 0, other, merged)[()]
    return merged


def blank(values: Floats, codes: Codes) -> Floats:
    """`values` with NaN wherever `codes` gives a reason."""
    if codes.ndim == 0:
        return values if codes == 0 else values * np.nan
    return np.where(codes == 0, values, np.nan)


def reasons(codes: Codes) -> NDArray[np.object_]:
    """`None` or the `Reason` of each code, in the same shape."""
    return np.array(_REASONS, dtype=object)[codes]


def reason(codes: Codes) -> Reason | None:
    """The reason of one code."""
    return _REASONS[int(codes)]
