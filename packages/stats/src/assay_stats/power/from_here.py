"""What a running experiment can still find, and what it still needs."""

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.checks import as_floats, checked_level
from assay_stats.power.answers import DetectableEffect, Power, Remaining, SampleSize
from assay_stats.power.procedures import FIXED, FixedTest, GroupSequentialTest, Procedure, drift_for
from assay_stats.sequential import brownian
from assay_stats.sequential.group_sequential import GroupSequentialPlan, boundary
from assay_stats.undefined import Floats, Reason, blank, first_reason


def conditional_power(
    value: ArrayLike,
    standard_error: ArrayLike,
    *,
    fraction: float,
    effect: ArrayLike,
    procedure: FixedTest | GroupSequentialTest = FIXED,
    null: ArrayLike = 0.0,
) -> Power:
    """Probability of a finding from here on, given what has been seen and an effect that is assumed.

    Args:
        value: Estimate now, any shape.
        standard_error: Its standard error now.
        fraction: Information now over information at the planned end, in (0, 1).
        effect: True effect assumed for the rest: the planned one, or `value` for the current trend.
        procedure: How the experiment is read; of a group-sequential one the looks after `fraction` count.
        null: The value tested against.
    Returns:
        `standard_error` is the one expected at the end.
    Raises:
        ValueError: `fraction` lies outside (0, 1), or no look is left after it.
    Source: Jennison and Turnbull (2000), chapter 10.
    """
    checked_level(fraction, name="fraction")
    d, se, truth, origin = (as_floats(part) for part in (value, standard_error, effect, null))
    codes = first_reason(
        (~(np.isfinite(d) & np.isfinite(se) & np.isfinite(truth)), Reason.NOT_FINITE),
        (se < 0, Reason.NEGATIVE_VARIANCE),
        (se == 0, Reason.ZERO_VARIANCE),
    )
    looks, upper, lower = _looks_to_come(procedure, fraction)
    with np.errstate(all="ignore"):
        score = (d - origin) / se * np.sqrt(fraction)
        final_se = se * np.sqrt(fraction)
        drift = (truth - origin) / final_se
    scores, drifts = np.broadcast_arrays(blank(score, codes), blank(drift, codes))
    found = [
        _power_from(fraction, s, m, looks, upper, lower)
        for s, m in zip(scores.ravel(), drifts.ravel(), strict=True)
    ]
    power = np.reshape(np.array(found, dtype=np.float64), scores.shape)[()]
    return Power(power=blank(power, codes), standard_error=blank(final_se, codes), reason_codes=codes)


def detectable_from_here(
    standard_error: ArrayLike,
    *,
    n_now: ArrayLike,
    n_end: ArrayLike,
    power: ArrayLike = 0.8,
    procedure: Procedure = FIXED,
) -> DetectableEffect:
    """The smallest effect a running experiment will find by its end, from the noise it has shown so far.

    Args:
        standard_error: Of the estimate now, any shape.
        n_now: Units of both arms now.
        n_end: Units of both arms at the end.
        power: Asked for.
        procedure: How the experiment is read.
    Raises:
        ValueError: `power` lies outside (0, 1).
    Source: The error shrinks with the root of the units; the effect is the drift at which the procedure
        has its power (Jennison and Turnbull 2000, section 2.3).
    """
    se, now, end = as_floats(standard_error), as_floats(n_now), as_floats(n_end)
    codes = first_reason(
        (~((now > 0) & (end > 0)), Reason.NO_INFORMATION),
        (~np.isfinite(se), Reason.NOT_FINITE),
        (se < 0, Reason.NEGATIVE_VARIANCE),
    )
    drift = drift_for(
        checked_level(power, name="power"), as_floats(np.inf), np.where(codes == 0, end, 1.0), procedure
    )
    with np.errstate(all="ignore"):
        final_se = se * np.sqrt(now / end)
    return DetectableEffect(effect=blank(drift * final_se, codes), reason_codes=codes)


def remaining(
    needed: SampleSize, *, n_control: ArrayLike, n_treatment: ArrayLike, per_day: ArrayLike
) -> Remaining:
    """What is still missing to a sample size, in units and in days.

    Args:
        needed: From `mean_sample_size` or `proportion_sample_size`, with variances as observed so far.
        n_control: Units now.
        n_treatment: Units now.
        per_day: New units of both arms per day; 0 makes the days infinite while units are missing.
    """
    before = np.maximum(needed.control - as_floats(n_control), 0.0)
    after = np.maximum(needed.treatment - as_floats(n_treatment), 0.0)
    share = needed.control / needed.total
    pace = as_floats(per_day)
    with np.errstate(divide="ignore", invalid="ignore"):
        slowest = np.maximum(before / (pace * share), after / (pace * (1 - share)))
    days = np.where(before + after == 0, 0.0, np.ceil(slowest))[()]
    return Remaining(control=before, treatment=after, days=days, reason_codes=needed.reason_codes)


def _looks_to_come(
    procedure: FixedTest | GroupSequentialTest, fraction: float
) -> tuple[tuple[float, ...], Floats, Floats]:
    """Fractions after now and the boundaries there, on the scale of the score."""
    if isinstance(procedure, FixedTest):
        plan = GroupSequentialPlan(level=procedure.level, alternative=procedure.alternative)
        design = boundary(plan, [1.0], is_final=True)
    else:
        design = boundary(procedure.plan, procedure.fractions, is_final=True)
    later = design.fractions > fraction
    if not later.any():
        raise ValueError(
            f"no look is left after fraction {fraction!r}; looks are at {design.fractions.tolist()}"
        )
    root = np.sqrt(design.fractions[later])
    return tuple(design.fractions[later].tolist()), design.upper[later] * root, design.lower[later] * root


def _power_from(
    time: float, score: float, drift: float, looks: tuple[float, ...], upper: Floats, lower: Floats
) -> float:
    if np.isnan(score + drift):
        return np.nan
    paths, total = brownian.started(time=time, score=float(score)), 0.0
    for k, look in enumerate(looks):
        above = brownian.exceedance(paths, time=look, bound=upper[k], drift=float(drift))
        below = brownian.shortfall(paths, time=look, bound=lower[k], drift=float(drift))
        total += float(above + below)
        if k + 1 < len(looks):
            paths = brownian.advanced(
                paths,
                time=look,
                lower=float(lower[k]),
                upper=float(upper[k]),
                next_time=looks[k + 1],
                reach=9.0 + abs(float(drift)),
            )
    return total


__all__ = ["conditional_power", "detectable_from_here", "remaining"]
