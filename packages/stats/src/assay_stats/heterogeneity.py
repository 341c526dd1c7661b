"""Effects that differ: between segments, between experiments that overlap, and over time."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level
from assay_stats.estimands import ArmMean, mean_of
from assay_stats.frequentist import difference, t_inference
from assay_stats.moments import JointMoments, Moments
from assay_stats.results import Estimate, Result
from assay_stats.tails import Alternative, critical_value
from assay_stats.undefined import Bools, Codes, Floats, Reason, first_reason, merge_reasons

_NORMAL = as_floats(np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity(Result):
    """How far the effects of segments scatter beyond chance, and what each is believed to be.

    Attributes:
        statistic: Cochran's Q.
        degrees_of_freedom: Segments that could be compared, less one.
        p_value: Probability of a Q at least as large when all segments share one effect.
        tau_squared: DerSimonian-Laird variance of the true effects between segments.
        i_squared: Share of the scatter that is not chance, in [0, 1].
        pooled: Mean effect over segments, with random effects.
        pooled_error: Standard error of `pooled`.
        shrunk: `(..., n_segments)` effect of each segment, drawn towards `pooled`.
        shrunk_lower: Lower end of its interval.
        shrunk_upper: Upper end of its interval.
    """

    statistic: Floats
    degrees_of_freedom: Floats
    p_value: Floats
    tau_squared: Floats
    i_squared: Floats
    pooled: Floats
    pooled_error: Floats
    shrunk: Floats
    shrunk_lower: Floats
    shrunk_upper: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the hypotheses; the segments are an axis of `shrunk` alone."""
        return self.shrunk.shape


def segment_heterogeneity(
    effects: ArrayLike, squared_errors: ArrayLike, *, level: ArrayLike = 0.95
) -> Heterogeneity:
    """Cochran's Q over segments and empirical-Bayes estimates of each segment's effect.

    Args:
        effects: `(..., n_segments)` effect per segment; NaN where it could not be computed.
        squared_errors: `(..., n_segments)` its squared standard error, known.
        level: Coverage of the shrunken intervals, in (0, 1).
    Returns:
        Segments whose effect or error is missing are left out and stay NaN.
    Raises:
        ValueError: `level` outside (0, 1).
    Source: Cochran (1954), Biometrics 10:101-129; DerSimonian & Laird (1986), Controlled Clinical Trials
        7:177-188. Checked against statsmodels 0.15 `combine_effects`.
    """
    d, v = np.broadcast_arrays(as_floats(effects), as_floats(squared_errors))
    coverage = checked_level(level)
    usable = np.isfinite(d) & np.isfinite(v) & (v > 0)
    with np.errstate(all="ignore"):
        weight = np.where(usable, 1 / v, 0.0)
        effect = np.where(usable, d, 0.0)
        freedom: Floats = usable.sum(axis=-1) - 1.0
        total: Floats = weight.sum(axis=-1)
        common: Floats = (weight * effect).sum(axis=-1) / total
        q: Floats = (weight * (effect - common[..., None]) ** 2).sum(axis=-1)
        tau = np.maximum((q - freedom) / (total - (weight**2).sum(axis=-1) / total), 0.0)
        pooled, pooled_variance = _random_effects_mean(effect, v, usable, tau)
        trust = tau[..., None] / (tau[..., None] + v)
        shrunk = pooled[..., None] + trust * (d - pooled[..., None])
        spread = trust * v + (1 - trust) ** 2 * pooled_variance[..., None]
        half_width = critical_value(coverage, _NORMAL, Alternative.TWO_SIDED) * np.sqrt(spread)
        i_squared = np.where(q > 0, np.maximum((q - freedom) / q, 0.0), 0.0)
    few = freedom < 1
    known = np.where(few, np.nan, 1.0)
    shown = np.where(usable, known[..., None], np.nan)
    p_value: Floats = scipy.special.gammaincc(np.maximum(freedom, 1.0) / 2, q / 2)
    return Heterogeneity(
        statistic=(q * known)[()],
        degrees_of_freedom=(freedom * known)[()],
        p_value=(p_value * known)[()],
        tau_squared=(tau * known)[()],
        i_squared=(i_squared * known)[()],
        pooled=(pooled * known)[()],
        pooled_error=(np.sqrt(pooled_variance) * known)[()],
        shrunk=shrunk * shown,
        shrunk_lower=(shrunk - half_width) * shown,
        shrunk_upper=(shrunk + half_width) * shown,
        reason_codes=first_reason((few[()], Reason.TOO_FEW_SEGMENTS)),
    )


def interaction(
    cells: Moments | ArmMean,
    *,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Does one experiment change the effect of another that runs on the same units?

    Args:
        cells: `(..., 2, 2)` moments, or what is estimated from them such as ratios, by arm of the first and
            of the second experiment; index 0 is control.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Returns:
        Effect of the first experiment under the second's treatment, less the one under the second's control.
    Raises:
        ValueError: `cells` does not end in (2, 2), or `level` outside (0, 1).
    Source: A contrast of four independent means with Welch's (1947) degrees of freedom, Biometrika
        34:28-35.
    """
    means = mean_of(cells) if isinstance(cells, Moments) else cells
    if means.value.shape[-2:] != (2, 2):
        raise ValueError(f"cells must have shape (..., 2, 2); got {means.value.shape}")
    signs = np.array([[1.0, -1.0], [-1.0, 1.0]])
    with np.errstate(all="ignore"):
        squared: Floats = means.squared_error.sum(axis=(-2, -1))
        shares = means.squared_error / squared[..., None, None]
        freedom: Floats = 1 / (shares**2 / means.degrees_of_freedom).sum(axis=(-2, -1))
        value: Floats = (signs * means.value).sum(axis=(-2, -1))
    return t_inference(
        value[()],
        squared[()],
        freedom[()],
        _worst(means.codes, axes=(-2, -1)),
        level=level,
        alternative=alternative,
        method="interaction",
    )


def novelty_trend(
    control: JointMoments,
    treatment: JointMoments,
    *,
    times: ArrayLike,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Slope of the effect over the time since first exposure, for units observed at every time.

    Each unit's values are reduced to their least-squares slope, so that the correlation of a unit's days is
    respected; then slopes are compared by Welch.

    Args:
        control: Moments of any shape whose columns are the metric in each period, of the same units.
        treatment: The same of the other arm.
        times: `(k,)` time of each column, in any unit.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Returns:
        Change of the effect per unit of time; a fading novelty has the sign opposite to the effect.
    Raises:
        ValueError: Not one time per column, all times equal, or `level` outside (0, 1).
    Source: Summary measures: Matthews, Altman, Campbell and Royston (1990), BMJ 300:230-235; then Welch
        (1947).
    """
    weights = _slope_weights(times, control.k)
    slopes = [mean_of(arm.linear(weights[None, :]).column(0)) for arm in (control, treatment)]
    return difference(*slopes, level=level, alternative=alternative, method="novelty_trend")


@dataclass(frozen=True, slots=True)
class PeriodLifts:
    """The relative effect in each period, of units observed in all of them.

    Attributes:
        values: `(k,)` lift per period.
        covariance: `(k, k)` of these estimates.
        precision: `(k,)` how much each period weighs in a trend; the same whichever arm is called control.
        codes: Why `values` are undefined; 0 where they are not.
    """

    values: Floats
    covariance: Floats
    precision: Floats
    codes: Codes


def period_lifts(control: JointMoments, treatment: JointMoments, *, is_ratio: bool = False) -> PeriodLifts:
    """The lift of each period, with the correlation that periods of the same units have.

    A lift, unlike a difference, does not change merely because units do less as they get older.

    Args:
        control: Scalar moments whose columns are the metric in each period, of the same units.
        treatment: The same of the other arm.
        is_ratio: Whether the columns come in pairs, numerator and denominator of each period.
    Source: Delta method over the joint moments: Deng, Knoblich and Lu (2018), KDD, section 3,
        arXiv:1803.06336.
    """
    base, base_covariance, base_codes = _periods(control, is_ratio=is_ratio)
    other, other_covariance, other_codes = _periods(treatment, is_ratio=is_ratio)
    with np.errstate(all="ignore"):
        scale = np.abs(base)
        slope: Floats = -np.sign(base) * other / base**2
        covariance = other_covariance / np.outer(scale, scale) + base_covariance * np.outer(slope, slope)
        noise: Floats = np.diag(base_covariance) + np.diag(other_covariance)
        precision: Floats = ((base + other) / 2) ** 2 / noise
        values: Floats = (other - base) / scale
    codes = first_reason((base == 0, Reason.ZERO_BASELINE), (~(noise > 0), Reason.ZERO_VARIANCE))
    return PeriodLifts(
        values, covariance, precision, merge_reasons(base_codes, merge_reasons(other_codes, codes))
    )


def lift_trend(lifts: PeriodLifts, *, times: ArrayLike, level: ArrayLike = 0.95) -> Estimate:
    """Slope of the lift over the time since first exposure.

    Args:
        lifts: Of at least two periods.
        times: `(k,)` time of each period, in any unit.
        level: Coverage of the interval, in (0, 1).
    Returns:
        Change of the lift, a share, per unit of time.
    Raises:
        ValueError: Not one time per period, all times equal, or `level` outside (0, 1).
    Source: A linear contrast of the lifts by precision-weighted least squares, with the error of the
        contrast from their full covariance (generalised estimating equations: Liang and Zeger (1986),
        Biometrika 73:13-22).
    """
    moments = _checked_times(times, len(lifts.values))
    with np.errstate(all="ignore"):
        centre: Floats = (lifts.precision * moments).sum() / lifts.precision.sum()
        weight: Floats = lifts.precision * (moments - centre)
        weight = weight / (weight * (moments - centre)).sum()
        slope: Floats = (weight * lifts.values).sum()
        squared: Floats = weight @ lifts.covariance @ weight
    codes = merge_reasons(
        _worst(lifts.codes, axes=(-1,)), first_reason((~np.isfinite(slope), Reason.NOT_FINITE))
    )
    return t_inference(slope[()], squared[()], _NORMAL, codes, level=level, method="lift_trend")


def effect_trend(
    effects: ArrayLike,
    squared_errors: ArrayLike,
    *,
    times: ArrayLike,
    level: ArrayLike = 0.95,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate:
    """Slope of independent effects over time (cohorts by day of exposure), weighted by their precision.

    Args:
        effects: `(..., k)` effect per cohort.
        squared_errors: `(..., k)` its squared standard error, known.
        times: `(k,)` time of each cohort.
        level: Coverage of the interval, in (0, 1).
        alternative: The side that counts as evidence.
    Raises:
        ValueError: Not one time per cohort, all times equal, or `level` outside (0, 1).
    Source: Weighted least squares with known variances: Higgins and Thompson (2004), Statistics in
        Medicine 23:1663-1682.
    """
    d, v = np.broadcast_arrays(as_floats(effects), as_floats(squared_errors))
    moments = _checked_times(times, d.shape[-1])
    with np.errstate(all="ignore"):
        weight = 1 / v
        total: Floats = weight.sum(axis=-1)
        centre: Floats = (weight * moments).sum(axis=-1) / total
        distance = moments - centre[..., None]
        leverage: Floats = (weight * distance**2).sum(axis=-1)
        slope: Floats = (weight * distance * d).sum(axis=-1) / leverage
    codes = first_reason((~np.isfinite(slope), Reason.NOT_FINITE))
    return t_inference(
        slope[()],
        (1 / leverage)[()],
        _NORMAL,
        codes,
        level=level,
        alternative=alternative,
        method="effect_trend",
    )


def _random_effects_mean(
    effect: Floats, variance: Floats, usable: Bools, tau: Floats
) -> tuple[Floats, Floats]:
    weight = np.where(usable, 1 / (variance + tau[..., None]), 0.0)
    total: Floats = weight.sum(axis=-1)
    return (weight * effect).sum(axis=-1) / total, 1 / total


def _periods(moments: JointMoments, *, is_ratio: bool) -> tuple[Floats, Floats, Codes]:
    """The estimate of each period, and the covariance of these estimates."""
    if not is_ratio:
        return moments.means, moments.covariance / moments.n, moments.defects
    top, bottom = moments.means[0::2], moments.means[1::2]
    with np.errstate(all="ignore"):
        ratio: Floats = top / bottom
        linear = np.zeros((len(ratio), moments.k))
        places = np.arange(len(ratio))
        linear[places, 2 * places] = 1 / bottom
        linear[places, 2 * places + 1] = -ratio / bottom
    if not np.isfinite(linear).all():
        nothing = np.full((len(ratio), len(ratio)), np.nan)
        return ratio, nothing, first_reason((bottom == 0, Reason.ZERO_DENOMINATOR))
    return ratio, moments.linear(linear).covariance / moments.n, moments.defects


def _worst(codes: Codes, *, axes: tuple[int, ...]) -> Codes:
    return np.asarray(codes).max(axis=axes).astype(np.int8)[()]


def _checked_times(times: ArrayLike, k: int) -> Floats:
    moments = np.asarray(times, dtype=np.float64)
    if moments.shape != (k,):
        raise ValueError(f"one time per column: got shape {moments.shape} for {k} columns")
    if not np.isfinite(moments).all() or np.ptp(moments) == 0:
        raise ValueError(f"a trend needs at least two different times; got {times!r}")
    return moments


def _slope_weights(times: ArrayLike, k: int) -> Floats:
    distance = _checked_times(times, k)
    distance = distance - distance.mean()
    return distance / (distance**2).sum()
