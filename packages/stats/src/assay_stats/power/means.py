"""Power for anything with a variance per unit: means, ratios, adjusted means, clusters, rates, quantiles."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.power.answers import DetectableEffect, Power, SampleSize
from assay_stats.power.procedures import FARTHEST_DRIFT, FIXED, Procedure, drift_for
from assay_stats.roots import bracketed_root
from assay_stats.undefined import Codes, Floats, Reason, blank, first_reason

_FEWEST_UNITS = 2.0
_MOST_UNITS = 1e15


def mean_power(
    effect: ArrayLike,
    *,
    n_control: ArrayLike,
    n_treatment: ArrayLike,
    variance_control: ArrayLike,
    variance_treatment: ArrayLike,
    null: ArrayLike = 0.0,
    procedure: Procedure = FIXED,
) -> Power:
    """Power for a difference of means, or of anything with a variance per unit.

    Args:
        effect: True treatment minus control, any shape.
        n_control: Units at the end.
        n_treatment: Units at the end.
        variance_control: Per unit.
        variance_treatment: Per unit.
        null: The value tested against; minus the margin for non-inferiority.
        procedure: How the experiment is read.
    Source: Satterthwaite degrees of freedom and the noncentral t. Checked against statsmodels 0.15.0.
    """
    distance = as_floats(effect) - as_floats(null)
    n0, n1, v0, v1 = (
        as_floats(part) for part in (n_control, n_treatment, variance_control, variance_treatment)
    )
    codes = design_defects(n0, n1, v0, v1)
    power, se = _power_at(distance, n0, n1, v0, v1, procedure)
    return Power(power=blank(power, codes), standard_error=blank(se, codes), reason_codes=codes)


def mean_sample_size(
    effect: ArrayLike,
    *,
    variance_control: ArrayLike,
    variance_treatment: ArrayLike,
    power: ArrayLike = 0.8,
    treatment_per_control: ArrayLike = 1.0,
    null: ArrayLike = 0.0,
    procedure: Procedure = FIXED,
) -> SampleSize:
    """Units needed to find an effect; see `mean_power`.

    Args:
        effect: True treatment minus control, any shape.
        variance_control: Per unit.
        variance_treatment: Per unit.
        power: Asked for, in (0, 1).
        treatment_per_control: Allocation ratio.
        null: The value tested against.
        procedure: How the experiment is read.
    Returns:
        `Reason.NOT_REACHABLE` where no number of units suffices, as for an effect of 0.
    Raises:
        ValueError: `power` lies outside (0, 1), or `treatment_per_control` is not positive.
    Source: `mean_power`, solved for the units. Checked against statsmodels 0.15.0.
    """
    distance = as_floats(effect) - as_floats(null)
    v0, v1 = as_floats(variance_control), as_floats(variance_treatment)
    ratio = checked_positive(treatment_per_control, name="treatment_per_control")

    def reached(n: Floats) -> Floats:
        return _power_at(distance, n, n * ratio, v0, v1, procedure)[0]

    shape = np.broadcast_shapes(distance.shape, v0.shape, v1.shape, ratio.shape)
    codes = design_defects(as_floats(_FEWEST_UNITS), as_floats(_FEWEST_UNITS), v0, v1)
    return solved_sample_size(reached, ratio, checked_level(power, name="power"), shape, codes)


def mean_detectable_effect(
    *,
    n_control: ArrayLike,
    n_treatment: ArrayLike,
    variance_control: ArrayLike,
    variance_treatment: ArrayLike,
    power: ArrayLike = 0.8,
    null: ArrayLike = 0.0,
    procedure: Procedure = FIXED,
) -> DetectableEffect:
    """The smallest effect that is found with a given power; see `mean_power`.

    Args:
        n_control: Units at the end.
        n_treatment: Units at the end.
        variance_control: Per unit, any shape.
        variance_treatment: Per unit.
        power: Asked for, in (0, 1).
        null: The value tested against.
        procedure: How the experiment is read.
    Raises:
        ValueError: `power` lies outside (0, 1).
    Source: `mean_power`, solved for the effect. Checked against statsmodels 0.15.0.
    """
    n0, n1, v0, v1 = (
        as_floats(part) for part in (n_control, n_treatment, variance_control, variance_treatment)
    )
    codes = design_defects(n0, n1, v0, v1)
    with np.errstate(all="ignore"):
        se = np.sqrt(v0 / n0 + v1 / n1)
    drift = drift_for(checked_level(power, name="power"), _satterthwaite(n0, n1, v0, v1), n0 + n1, procedure)
    return DetectableEffect(effect=blank(as_floats(null) + drift * se, codes), reason_codes=codes)


def lift_detectable_effect(
    mean_control: ArrayLike,
    *,
    n_control: ArrayLike,
    n_treatment: ArrayLike,
    variance_control: ArrayLike,
    variance_treatment: ArrayLike,
    power: ArrayLike = 0.8,
    procedure: Procedure = FIXED,
) -> DetectableEffect:
    """The smallest relative change that is found; the test is that of the difference, so its variance
    applies.

    Args:
        mean_control: Control mean; the lift is relative to its absolute value.
        n_control: Units at the end.
        n_treatment: Units at the end.
        variance_control: Per unit.
        variance_treatment: Per unit.
        power: Asked for.
        procedure: How the experiment is read.
    Source: `mean_detectable_effect` over the baseline.
    """
    baseline = np.abs(as_floats(mean_control))
    absolute = mean_detectable_effect(
        n_control=n_control,
        n_treatment=n_treatment,
        variance_control=variance_control,
        variance_treatment=variance_treatment,
        power=power,
        procedure=procedure,
    )
    no_baseline = first_reason((baseline == 0, Reason.ZERO_BASELINE))
    codes = np.where(no_baseline != 0, no_baseline, absolute.reason_codes)[()]
    with np.errstate(all="ignore"):
        return DetectableEffect(effect=blank(absolute.effect / baseline, codes), reason_codes=codes)


def solved_sample_size(
    reached: Callable[[Floats], Floats], ratio: Floats, power: Floats, shape: tuple[int, ...], codes: Codes
) -> SampleSize:
    """The fewest units at which a rising power is reached; `reached` maps control units to power."""
    shape = np.broadcast_shapes(shape, power.shape)
    fewest = np.broadcast_to(np.maximum(_FEWEST_UNITS, _FEWEST_UNITS / ratio), shape)

    def shortage(log_n: Floats) -> Floats:
        return reached(np.exp(log_n)) - power

    low, high = np.log(fewest), np.full(shape, np.log(_MOST_UNITS))
    codes = np.where(codes != 0, codes, first_reason((shortage(high) < 0, Reason.NOT_REACHABLE)))[()]
    root = np.exp(bracketed_root(shortage, low, high))
    control = np.ceil(np.where(shortage(low) >= 0, fewest, root) * (1 - 1e-12))[()]
    treatment = np.ceil(control * ratio * (1 - 1e-12))
    return SampleSize(
        control=blank(control, codes),
        treatment=blank(treatment, codes),
        power=blank(reached(control), codes),
        reason_codes=codes,
    )


def design_defects(n0: Floats, n1: Floats, v0: Floats, v1: Floats) -> Codes:
    """Why a design has no power."""
    return first_reason(
        (~np.isfinite(n0 + n1 + v0 + v1), Reason.NOT_FINITE),
        ((n0 < 1) | (n1 < 1), Reason.EMPTY_ARM),
        ((v0 < 0) | (v1 < 0), Reason.NEGATIVE_VARIANCE),
        ((n0 < _FEWEST_UNITS) | (n1 < _FEWEST_UNITS), Reason.TOO_FEW_UNITS),
        (v0 + v1 == 0, Reason.ZERO_VARIANCE),
    )


def _power_at(
    distance: Floats, n0: Floats, n1: Floats, v0: Floats, v1: Floats, procedure: Procedure
) -> tuple[Floats, Floats]:
    with np.errstate(all="ignore"):
        se = np.sqrt(v0 / n0 + v1 / n1)
        drift = np.nan_to_num(np.clip(distance / se, -FARTHEST_DRIFT, FARTHEST_DRIFT))
    df = _satterthwaite(n0, n1, v0, v1)
    return procedure.power(drift, degrees_of_freedom=df, n=np.nan_to_num(n0 + n1, nan=1.0)), se


def _satterthwaite(n0: Floats, n1: Floats, v0: Floats, v1: Floats) -> Floats:
    with np.errstate(all="ignore"):
        s0, s1 = v0 / n0, v1 / n1
        df = (s0 + s1) ** 2 / (s0**2 / (n0 - 1) + s1**2 / (n1 - 1))
    return np.where(np.isfinite(df), df, 1.0)[()]


__all__ = ["lift_detectable_effect", "mean_detectable_effect", "mean_power", "mean_sample_size"]
