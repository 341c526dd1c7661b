"""Sample ratio mismatch: do the arms hold the shares of units that the split promised?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from assay_stats.results import Result
from assay_stats.undefined import Bools, Floats, Reason, blank, first_reason

_MOST_OUTCOMES = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio(Result):
    """A test of the observed split against the planned one.

    Attributes:
        statistic: Pearson's chi-square over arms with a positive weight.
        degrees_of_freedom: Arms with a positive weight, less one.
        p_value: Probability of a split at least as uneven when assignment works as planned.
        units: Units in arms with a positive weight.
        misplaced: Units seen in arms whose weight is 0. Any is an error of assignment, whatever the p-value.
        method: `chi_square` or `exact`.
    """

    statistic: Floats
    degrees_of_freedom: Floats
    p_value: Floats
    units: Floats
    misplaced: Floats
    method: str


def sample_ratio(counts: ArrayLike, weights: ArrayLike, *, exact: bool = False) -> SampleRatio:
    """Test whether units were assigned in the planned proportions.

    Args:
        counts: `(..., n_arms)` distinct units seen per arm.
        weights: `(n_arms,)` or `(..., n_arms)` planned weights in any unit; 0 closes an arm.
        exact: Sum the multinomial probabilities of all splits no more likely than the observed one, not
            the chi-square approximation. For small counts.
    Returns:
        One test per leading index. Undefined with fewer than two open arms or no unit in them.
    Raises:
        ValueError: Weights are negative, not finite or of another length than counts, or an exact test would
            enumerate more than two million splits.
    Source: Fabijan et al. (2019), KDD, "Diagnosing Sample Ratio Mismatch in Online Controlled
        Experiments".
        Checked against `scipy.stats.chisquare` and `scipy.stats.binomtest`.
    """
    observed, planned = np.asarray(counts, dtype=np.float64), _checked_weights(counts, weights)
    observed, planned = np.broadcast_arrays(observed, planned)
    is_open = planned > 0
    with np.errstate(all="ignore"):
        shares = planned / planned.sum(axis=-1, keepdims=True)
        units: Floats = np.where(is_open, observed, 0.0).sum(axis=-1)
        expected = shares * units[..., None]
        distance: Floats = np.where(is_open, (observed - expected) ** 2 / expected, 0.0).sum(axis=-1)
    freedom: Floats = is_open.sum(axis=-1) - 1.0
    possible = (np.isfinite(observed) & (observed >= 0) & (observed == np.rint(observed))).all(axis=-1)
    codes = first_reason(
        (~possible, Reason.IMPOSSIBLE_COUNT),
        (freedom < 1, Reason.SINGLE_ARM),
        (units == 0, Reason.NO_INFORMATION),
    )
    defined = codes == 0
    p_value: Floats = (
        _exact_tail(observed, shares, defined) if exact else special.gammaincc(freedom / 2, distance / 2)
    )
    return SampleRatio(
        statistic=blank(distance[()], codes),
        degrees_of_freedom=freedom[()],
        p_value=blank(p_value[()], codes),
        units=units[()],
        misplaced=np.where(is_open, 0.0, observed).sum(axis=-1)[()],
        method="exact" if exact else "chi_square",
        reason_codes=codes,
    )


def _checked_weights(counts: ArrayLike, weights: ArrayLike) -> Floats:
    planned = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(planned) & (planned >= 0)).all():
        raise ValueError(f"weights must be finite and not negative; got {weights!r}")
    arms = np.asarray(counts).shape[-1:]
    if planned.shape[-1:] != arms:
        raise ValueError(f"one weight per arm: got {planned.shape[-1:]} weights for {arms} counts")
    return planned


def _exact_tail(observed: Floats, shares: Floats, defined: Bools) -> Floats:
    tails = np.full(observed.shape[:-1], np.nan)
    for index in np.ndindex(tails.shape):
        if defined[index]:
            is_open = shares[index] > 0
            tails[index] = _multinomial_tail(observed[index][is_open], shares[index][is_open])
    return tails


def _multinomial_tail(observed: Floats, shares: Floats) -> float:
    splits = _splits(int(observed.sum()), len(observed))
    # A split exactly as likely as the observed one counts; rounding must not exclude it.
    limit = _log_probability(observed, shares) + 1e-7
    logs = _log_probability(splits, shares)
    return min(1.0, float(np.exp(logs[logs <= limit]).sum()))


def _log_probability(splits: Floats, shares: Floats) -> Floats:
    total: Floats = splits.sum(axis=-1)
    ways: Floats = special.gammaln(total + 1) - special.gammaln(splits + 1).sum(axis=-1)
    return ways + (splits * np.log(shares)).sum(axis=-1)


def _splits(units: int, arms: int) -> Floats:
    """All ways to place `units` into `arms`: `(n_outcomes, arms)`."""
    outcomes = special.comb(units + arms - 1, arms - 1, exact=True)
    if outcomes > _MOST_OUTCOMES:
        raise ValueError(
            f"an exact test of {units} units in {arms} arms enumerates {outcomes} splits, more than "
            f"{_MOST_OUTCOMES}; use the chi-square test, which is accurate at this size"
        )
    if arms == 1:
        return np.array([[float(units)]])
    if arms == 2:  # noqa: PLR2004 — the usual case, without recursion
        first = np.arange(units + 1.0)
        return np.stack([first, units - first], axis=1)
    heads = [np.insert(_splits(units - first, arms - 1), 0, first, axis=1) for first in range(units + 1)]
    return np.concatenate(heads)
