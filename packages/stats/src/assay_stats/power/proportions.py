"""Power for proportions, and for the test that the planned split was kept."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, chndtr, ndtr, ndtri

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.power.answers import DetectableEffect, Power, SampleSize
from assay_stats.power.means import design_defects, solved_sample_size
from assay_stats.power.procedures import FARTHEST_DRIFT, FIXED, FixedTest, Procedure, alternative_of, on_side
from assay_stats.roots import bracketed_root
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats, Reason, blank, first_reason


def proportion_power(
    control: ArrayLike,
    treatment: ArrayLike,
    *,
    n_control: ArrayLike,
    n_treatment: ArrayLike,
    procedure: Procedure = FIXED,
) -> Power:
    """Power for a difference of proportions, its test using the pooled variance.

    Args:
        control: True proportion of control, in (0, 1), any shape.
        treatment: True proportion of treatment.
        n_control: Units at the end.
        n_treatment: Units at the end.
        procedure: How the experiment is read; sequential ones are taken at the variance under the effect.
    Raises:
        ValueError: A proportion lies outside (0, 1).
    Source: Fleiss, Levin and Paik (2003), chapter 4, without continuity correction. Checked against
        statsmodels.
    """
    p0, p1 = checked_level(control, name="control"), checked_level(treatment, name="treatment")
    n0, n1 = as_floats(n_control), as_floats(n_treatment)
    v0, v1 = p0 * (1 - p0), p1 * (1 - p1)
    codes = design_defects(n0, n1, v0, v1)
    power, se = _proportion_power_at(p0, p1, n0, n1, procedure)
    return Power(power=blank(power, codes), standard_error=blank(se, codes), reason_codes=codes)


def proportion_sample_size(
    control: ArrayLike,
    treatment: ArrayLike,
    *,
    power: ArrayLike = 0.8,
    treatment_per_control: ArrayLike = 1.0,
    procedure: Procedure = FIXED,
) -> SampleSize:
    """Units needed to tell two proportions apart; see `proportion_power`.

    Args:
        control: True proportion of control, in (0, 1), any shape.
        treatment: True proportion of treatment.
        power: Asked for, in (0, 1).
        treatment_per_control: Allocation ratio.
        procedure: How the experiment is read.
    Raises:
        ValueError: A proportion or `power` lies outside (0, 1), or `treatment_per_control` is not positive.
    Source: Fleiss, Levin and Paik (2003), chapter 4, as `proportion_power`. Checked against statsmodels
        0.15.0.
    """
    p0, p1 = checked_level(control, name="control"), checked_level(treatment, name="treatment")
    ratio = checked_positive(treatment_per_control, name="treatment_per_control")

    def reached(n: Floats) -> Floats:
        return _proportion_power_at(p0, p1, n, n * ratio, procedure)[0]

    shape = np.broadcast_shapes(p0.shape, p1.shape, ratio.shape)
    codes = np.zeros(shape, dtype=np.int8)
    return solved_sample_size(reached, ratio, checked_level(power, name="power"), shape, codes)


def proportion_detectable_effect(
    control: ArrayLike,
    *,
    n_control: ArrayLike,
    n_treatment: ArrayLike,
    power: ArrayLike = 0.8,
    procedure: Procedure = FIXED,
) -> DetectableEffect:
    """The smallest difference of proportions that is found, upwards unless the alternative is LESS.

    Args:
        control: True proportion of control, in (0, 1), any shape.
        n_control: Units at the end.
        n_treatment: Units at the end.
        power: Asked for, in (0, 1).
        procedure: How the experiment is read.
    Raises:
        ValueError: `control` or `power` lies outside (0, 1).
    Source: Fleiss, Levin and Paik (2003), chapter 4, as `proportion_power`.
    """
    p0, n0, n1 = checked_level(control, name="control"), as_floats(n_control), as_floats(n_treatment)
    target = checked_level(power, name="power")
    shape = np.broadcast_shapes(p0.shape, n0.shape, n1.shape, target.shape)
    falls = alternative_of(procedure) is Alternative.LESS

    def shortage(share: Floats) -> Floats:
        p1 = p0 * (1 - share) if falls else p0 + (1 - p0) * share
        return _proportion_power_at(p0, p1, n0, n1, procedure)[0] - target

    low, high = np.full(shape, 1e-12), np.full(shape, 1 - 1e-12)
    codes = first_reason(
        (~((n0 >= 1) & (n1 >= 1) & np.isfinite(n0 + n1)), Reason.EMPTY_ARM),
        (shortage(high) < 0, Reason.NOT_REACHABLE),
    )
    share = bracketed_root(shortage, low, high)
    return DetectableEffect(
        effect=blank(np.where(falls, -p0 * share, (1 - p0) * share)[()], codes), reason_codes=codes
    )


def sample_ratio_power(
    n: ArrayLike, *, planned: ArrayLike, actual: ArrayLike, level: ArrayLike = 0.999
) -> Power:
    """Power of the chi-square test for a sample ratio mismatch.

    Args:
        n: Units of all arms together, any shape.
        planned: `(n_arms,)` planned shares, positive.
        actual: `(n_arms,)` shares that the broken assignment really gives.
        level: 1 minus the error rate.
    Raises:
        ValueError: `n` is not positive, or `level` outside (0, 1).
    Source: The noncentral chi-square distribution: Cohen (1988), Statistical Power Analysis, chapter 7.
        Its power is measured by the calibration suite.
    """
    units = checked_positive(n, name="n")
    expected, found = (as_floats(shares) / np.sum(as_floats(shares)) for shares in (planned, actual))
    df = expected.size - 1
    noncentrality = units * np.sum((found - expected) ** 2 / expected)
    critical = chdtri(df, 1 - checked_level(level))
    return Power(
        power=as_floats(1 - chndtr(critical, df, noncentrality)),
        standard_error=as_floats(np.nan),
        reason_codes=np.zeros(units.shape, dtype=np.int8),
    )


def _proportion_power_at(
    p0: Floats, p1: Floats, n0: Floats, n1: Floats, procedure: Procedure
) -> tuple[Floats, Floats]:
    with np.errstate(all="ignore"):
        se = np.sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1)
        drift = np.clip((p1 - p0) / se, -FARTHEST_DRIFT, FARTHEST_DRIFT)
        if not isinstance(procedure, FixedTest):
            return procedure.power(drift, degrees_of_freedom=as_floats(np.inf), n=n0 + n1), se
        pooled = (n0 * p0 + n1 * p1) / (n0 + n1)
        widening = np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1)) / se
    alpha = 1 - procedure.level
    outside = alpha / 2 if procedure.alternative is Alternative.TWO_SIDED else alpha
    edge = -ndtri(outside) * widening
    return on_side(ndtr(drift - edge), ndtr(-drift - edge), procedure.alternative), se


__all__ = ["proportion_detectable_effect", "proportion_power", "proportion_sample_size", "sample_ratio_power"]
