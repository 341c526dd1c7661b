"""Rank tests: does the treatment tend to larger values, whatever their scale?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, complete_values
from assay_stats.frequentist import t_inference
from assay_stats.results import Estimate, Result
from assay_stats.tails import Alternative, tail
from assay_stats.undefined import Codes, Floats, Reason, blank, first_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTest(Result):
    """A Mann-Whitney test.

    Its null is that both distributions are equal, so it is dual to no interval of its `value`; the function
    `superiority` has one.

    Attributes:
        value: Probability that a treatment unit exceeds a control unit, ties counted half; 0.5 is no effect.
        statistic: U of the treatment.
        p_value: Probability under equal distributions.
        alternative: The side that counts as evidence.
        method: `mann_whitney` or `mann_whitney_exact`.
    """

    value: Floats
    statistic: Floats
    p_value: Floats
    alternative: Alternative
    method: str


def mann_whitney(
    control: ArrayLike,
    treatment: ArrayLike,
    *,
    alternative: Alternative = Alternative.TWO_SIDED,
    exact: bool = False,
) -> RankTest:
    """Test whether two samples come from one distribution, by ranks with correction for ties.

    Args:
        control: `(n_control,)` values, one per unit.
        treatment: `(n_treatment,)` values.
        alternative: The side that counts as evidence.
        exact: Use the permutation distribution instead of the normal one (without continuity correction).
    Raises:
        ValueError: A value is missing, or an exact test meets ties.
    Source: Mann & Whitney (1947), Annals of Mathematical Statistics 18:50-60. Checked against
        `scipy.stats.mannwhitneyu`.
    """
    base, other = complete_values(control, name="control"), complete_values(treatment, name="treatment")
    pairs = float(len(base)) * len(other)
    ranks, ties = _midranks(np.concatenate([base, other]))
    codes = first_reason((pairs == 0, Reason.EMPTY_ARM), (len(ties) <= 1, Reason.ZERO_VARIANCE))
    with np.errstate(all="ignore"):
        above = as_floats(ranks[len(base) :].sum() - len(other) * (len(other) + 1) / 2)
        z = (above - pairs / 2) / np.sqrt(_null_variance(len(base), len(other), ties))
        p_value = (
            _exact_tail(base, other, ties, alternative) if exact else tail(z, as_floats(np.inf), alternative)
        )
        share = above / pairs
    return RankTest(
        value=share,
        statistic=above,
        p_value=blank(p_value, codes),
        alternative=alternative,
        method="mann_whitney_exact" if exact else "mann_whitney",
        reason_codes=codes,
    )


def superiority(
    control: ArrayLike,
    treatment: ArrayLike,
    *,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Probability that a treatment unit exceeds a control unit, less one half, with a dual interval.

    Args:
        control: `(n_control,)` values, one per unit.
        treatment: `(n_treatment,)` values.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Returns:
        P(treatment > control) + P(tie) / 2 - 1/2, in [-1/2, 1/2]; the interval may leave that range.
    Raises:
        ValueError: A value is missing, or `level` is outside (0, 1).
    Source: Brunner & Munzel (2000), Biometrical Journal 42:17-25. Checked against
        `scipy.stats.brunnermunzel`.
    """
    base, other = complete_values(control, name="control"), complete_values(treatment, name="treatment")
    n0, n1 = float(len(base)), float(len(other))
    ranks, _ = _midranks(np.concatenate([base, other]))
    with np.errstate(all="ignore"):
        first, second = ranks[: len(base)], ranks[len(base) :]
        spread0 = _placement_variance(first, base) / (n1 * n1 * n0)
        spread1 = _placement_variance(second, other) / (n0 * n0 * n1)
        value = as_floats((_average(second) - _average(first)) / (n0 + n1))
        share = spread0 / (spread0 + spread1)
        freedom = 1 / (share**2 / (n0 - 1) + (1 - share) ** 2 / (n1 - 1))
    return t_inference(
        value,
        spread0 + spread1,
        freedom,
        _size_reasons(n0, n1),
        level=level,
        alternative=alternative,
        method="brunner_munzel",
    )


def _size_reasons(n0: float, n1: float) -> Codes:
    return first_reason((min(n0, n1) == 0, Reason.EMPTY_ARM), (min(n0, n1) == 1, Reason.TOO_FEW_UNITS))


def _midranks(values: Floats) -> tuple[Floats, Floats]:
    """Average ranks from 1, and how often each distinct value occurs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse], counts.astype(np.float64)


def _null_variance(n0: int, n1: int, ties: Floats) -> Floats:
    n = n0 + n1
    surplus: Floats = (ties**3 - ties).sum() / (n * max(n - 1, 1))
    return as_floats(n0 * n1 / 12 * (n + 1 - surplus))


def _placement_variance(ranks: Floats, values: Floats) -> Floats:
    """Sample variance of how many units of the other arm lie below each unit."""
    own, _ = _midranks(values)
    placements = ranks - own
    return as_floats(((placements - _average(placements)) ** 2).sum() / np.float64(len(ranks) - 1))


def _average(values: Floats) -> Floats:
    return as_floats(np.float64(values.sum()) / np.float64(len(values)))


def _exact_tail(base: Floats, other: Floats, ties: Floats, alternative: Alternative) -> Floats:
    if ties.max(initial=1.0) > 1:
        raise ValueError(
            "an exact Mann-Whitney test knows no ties; the normal approximation corrects for them"
        )
    from scipy import stats  # noqa: PLC0415 — too slow to import on the hot path

    return as_floats(stats.mannwhitneyu(other, base, alternative=alternative.value, method="exact").pvalue)
