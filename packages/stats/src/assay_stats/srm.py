"""Sample ratio mismatch: do the arms hold the shares of units that the split promised?"""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from assay_stats.checks import checked_positive
from assay_stats.multiplicity import holm
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
        _exact_tail(observed, shares, defined)
        if exact
        else scipy.special.gammaincc(freedom / 2, distance / 2)
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


def sample_ratio_over_batches(
    counts: ArrayLike, weights: ArrayLike, *, fewest_expected: float = 5.0
) -> SampleRatio:
    """Test a split whose weights changed from batch to batch: each against its own, their chi-squares added.

    Args:
        counts: `(n_batches, n_arms)` distinct units.
        weights: `(n_batches, n_arms)` of each batch; 0 closes an arm.
        fewest_expected: A batch that lets one expect fewer units in an open arm is not tested, as its
            distance is not chi-square distributed.
    Returns:
        One test; undefined when no batch can be tested.
    Raises:
        ValueError: as `sample_ratio`.
    Source: `sample_ratio`; independent chi-squares add up. Cochran (1954), Biometrics 10:417-451, for the
        expected counts.
    """
    each, planned = sample_ratio(counts, weights), _checked_weights(counts, weights)
    with np.errstate(all="ignore"):
        shares = planned / planned.sum(axis=-1, keepdims=True)
        expected = np.where(shares > 0, shares * each.units[..., None], np.inf).min(axis=-1)
    tested = (each.reason_codes == 0) & (expected >= fewest_expected)
    statistic: Floats = np.where(tested, each.statistic, 0.0).sum(axis=-1)
    freedom: Floats = np.where(tested, each.degrees_of_freedom, 0.0).sum(axis=-1)
    codes = first_reason((~tested.any(axis=-1), Reason.NO_INFORMATION))
    tail: Floats = scipy.special.gammaincc(np.maximum(freedom, 1.0) / 2, statistic / 2)
    return SampleRatio(
        statistic=blank(statistic, codes),
        degrees_of_freedom=freedom,
        p_value=blank(tail, codes),
        units=np.where(tested, each.units, 0.0).sum(axis=-1),
        misplaced=each.misplaced.sum(axis=-1),
        method="chi_square",
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
    ways: Floats = scipy.special.gammaln(total + 1) - scipy.special.gammaln(splits + 1).sum(axis=-1)
    return ways + (splits * np.log(shares)).sum(axis=-1)


def _splits(units: int, arms: int) -> Floats:
    """All ways to place `units` into `arms`: `(n_outcomes, arms)`."""
    outcomes = scipy.special.comb(units + arms - 1, arms - 1, exact=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSampleRatio(SampleRatio):
    """Sample ratios of many segments.

    Attributes:
        adjusted_p_value: By Holm over the segments: compare this one with the alarm level.
    """

    adjusted_p_value: Floats


def sample_ratio_by_segment(
    counts: ArrayLike, weights: ArrayLike, *, exact: bool = False
) -> SegmentSampleRatio:
    """Where a mismatch comes from: one test per segment, corrected for their number.

    Args:
        counts: `(n_segments, n_arms)` distinct units.
        weights: `(n_arms,)` planned weights.
        exact: As in `sample_ratio`.
    Raises:
        ValueError: as `sample_ratio`.
    Source: `sample_ratio` per segment; Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    plain = sample_ratio(counts, weights, exact=exact)
    return SegmentSampleRatio(
        statistic=plain.statistic,
        degrees_of_freedom=plain.degrees_of_freedom,
        p_value=plain.p_value,
        units=plain.units,
        misplaced=plain.misplaced,
        method=plain.method,
        reason_codes=plain.reason_codes,
        adjusted_p_value=holm(plain.p_value),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialSampleRatio(Result):
    """A sample ratio test that may be read after every unit.

    Attributes:
        log_bayes_factor: `(..., n_looks)` evidence against the planned split at each look.
        p_value: `(..., n_looks)` always-valid p-value: the running minimum of 1 / Bayes factor.
        units: `(..., n_looks)` units in open arms.
        misplaced: `(..., n_looks)` units in arms whose weight is 0.
        concentration: The prior's concentration.
    """

    log_bayes_factor: Floats
    p_value: Floats
    units: Floats
    misplaced: Floats
    concentration: Floats


def sequential_sample_ratio(
    cumulative_counts: ArrayLike, weights: ArrayLike, *, concentration: float = 100.0
) -> SequentialSampleRatio:
    """Test the split continuously: the p-value holds at all looks together.

    Args:
        cumulative_counts: `(..., n_looks, n_arms)` distinct units so far, never falling along the looks.
        weights: `(n_arms,)` planned weights; 0 closes an arm.
        concentration: Of the Dirichlet prior around the plan. 100 finds practical mismatches early; larger
            values suit tiny mismatches in huge samples.
    Raises:
        ValueError: Weights invalid, counts that fall between looks, or `concentration` not positive.
    Source: Lindon & Malek (2022), NeurIPS, arXiv:2011.03567.
    """
    observed = np.asarray(cumulative_counts, dtype=np.float64)
    planned = np.broadcast_to(_checked_weights(observed, weights), observed.shape)
    prior = checked_positive(concentration, name="concentration")
    if (np.diff(observed, axis=-2) < 0).any():
        raise ValueError("cumulative counts fall between two looks; give totals so far, not units per look")
    is_open = planned > 0
    shares = np.where(is_open, planned / planned.sum(axis=-1, keepdims=True), 1.0)
    alpha = np.where(is_open, prior * shares, 1.0)
    inside = np.where(is_open, observed, 0.0)
    units: Floats = inside.sum(axis=-1)
    gained: Floats = (
        scipy.special.gammaln(alpha + inside) - scipy.special.gammaln(alpha) - inside * np.log(shares)
    ).sum(axis=-1)
    log_bayes = gained - scipy.special.gammaln(prior + units) + scipy.special.gammaln(prior)
    possible: Bools = (np.isfinite(observed) & (observed >= 0) & (observed == np.rint(observed))).all(axis=-1)
    codes = first_reason(
        (~possible, Reason.IMPOSSIBLE_COUNT),
        (is_open.sum(axis=-1) < 2, Reason.SINGLE_ARM),  # noqa: PLR2004
    )
    p_value = np.exp(-np.maximum(np.maximum.accumulate(log_bayes, axis=-1), 0.0))
    return SequentialSampleRatio(
        log_bayes_factor=blank(log_bayes, codes),
        p_value=blank(p_value, codes),
        units=units,
        misplaced=np.where(is_open, 0.0, observed).sum(axis=-1),
        concentration=prior,
        reason_codes=codes,
    )
