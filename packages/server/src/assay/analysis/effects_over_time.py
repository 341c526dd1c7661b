"""Effects that wear off, and experiments that disturb each other: one interval each, valid at every look.

Nobody plans for these questions and results are computed every hour, so a test for one look would ring by
chance sooner or later; the intervals are confidence sequences, and their level shares one small error rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.analysis.readers import UNPLANNED_UNITS
from assay_stats.estimands import ArmMean
from assay_stats.heterogeneity import interaction, lift_trend, period_lifts
from assay_stats.moments import JointMoments
from assay_stats.results import Estimate, Interval
from assay_stats.sequential import (
    AlwaysValidEstimate,
    asymptotic_confidence_sequence,
    tuned_rho_squared,
)

DISTURBANCE_ALPHA = 0.01
"""Probability that a steady experiment ever rings for novelty; likewise an undisturbed one for others."""
FEWEST_PERIODS = 3
HORIZONS = ((1, 7), (7, 4))
"""Days of a period and how many: a week by days, four weeks by weeks. Fixed, so that the question stays the
same while data come in, which an answer that holds at every look needs."""
MOST_MET = 8
"""Other experiments that are tested, those with the most units in common; the rest is named."""

TrendFinding = Literal["fades", "grows", "steady", "unknown"]
InteractionFinding = Literal["differs", "no_difference", "unknown"]


@dataclass(frozen=True, slots=True)
class Aging:
    """What two arms did in each period after first exposure; only units seen in all periods.

    Attributes:
        days: Length of a period.
        control: A column per period, or two for a ratio.
    """

    days: int
    control: JointMoments
    treatment: JointMoments
    is_ratio: bool = False

    @property
    def units(self) -> float:
        """Of both arms."""
        return float(self.control.n + self.treatment.n)

    @property
    def smaller_arm(self) -> float:
        """Units of the smaller arm."""
        return float(min(self.control.n, self.treatment.n))


@dataclass(frozen=True, slots=True)
class Trend:
    """How a lift changes with the time since first exposure.

    Attributes:
        lifts: Of each period with its standard error; NaN where there is none.
        interval: Of the change per day; None where there is too little to see one.
        problem: Why there is no interval, in words.
    """

    lifts: Sequence[tuple[float, float]]
    interval: AlwaysValidEstimate | None
    finding: TrendFinding
    problem: str | None = None


def trend(aging: Aging, *, alpha: float, minimum_units: int) -> Trend:
    """The trend of a lift over the periods in which anything was done.

    Args:
        alpha: Of this one trend.
        minimum_units: Fewest units per arm.
    """
    if aging.smaller_arm < minimum_units:
        return Trend((), None, "unknown", _few(minimum_units, aging.days * _periods(aging)))
    busy = [at for at in range(_periods(aging)) if _is_busy(aging, at)]
    shown = _lifts_of(aging, range(_periods(aging)))
    if len(busy) < FEWEST_PERIODS:
        return Trend(shown, None, "unknown", _idle(aging.days))
    lifts = period_lifts(*_of_periods(aging, busy), is_ratio=aging.is_ratio)
    found = lift_trend(lifts, times=np.array(busy) * aging.days)
    if found.reason is not None:
        return Trend(shown, None, "unknown", found.reason.sentence)
    interval = _always_valid(found, aging.units, alpha)
    mean = float(np.average(lifts.values, weights=lifts.precision))
    return Trend(shown, interval, trend_of_interval(interval, mean_lift=mean))


def trend_of_interval(interval: Interval, *, mean_lift: float) -> TrendFinding:
    """What an interval of a change per day says; an end on 0 does not exclude it."""
    if interval.lower <= 0 <= interval.upper:
        return "steady"
    return "grows" if (interval.lower > 0) == (mean_lift > 0) else "fades"


def _always_valid(found: Estimate, units: float, alpha: float) -> AlwaysValidEstimate:
    return asymptotic_confidence_sequence(
        found.value,
        found.standard_error,
        units,
        rho_squared=tuned_rho_squared(UNPLANNED_UNITS, level=1 - alpha),
        level=1 - alpha,
    )


def _idle(days: int) -> str:
    when = "on fewer than three days" if days == 1 else f"in fewer than three periods of {days} days"
    return f"what is measured happens {when} after first exposure"


def _few(minimum_units: int, days: int) -> str:
    return f"fewer than {minimum_units} units of an arm have been followed for {days} days"


def _periods(aging: Aging) -> int:
    return aging.control.k // (2 if aging.is_ratio else 1)


def _of_periods(aging: Aging, periods: Sequence[int]) -> tuple[JointMoments, JointMoments]:
    columns = [2 * at + part for at in periods for part in (0, 1)] if aging.is_ratio else list(periods)
    return aging.control.select(*columns), aging.treatment.select(*columns)


def _is_busy(aging: Aging, period: int) -> bool:
    return any(float(arm.means[0]) != 0 for arm in _of_periods(aging, [period]))


def _lifts_of(aging: Aging, periods: Sequence[int]) -> list[tuple[float, float]]:
    found = period_lifts(*_of_periods(aging, periods), is_ratio=aging.is_ratio)
    with np.errstate(all="ignore"):
        errors = np.sqrt(np.diag(found.covariance))
    return [(float(value), float(error)) for value, error in zip(found.values, errors, strict=True)]


@dataclass(frozen=True, slots=True)
class Crossed:
    """What was estimated in the four cells of an arm here and an arm there.

    Attributes:
        cells: `(2, 2)` by arm of this and of the other experiment; 0 is control.
        units: `(2, 2)`, likewise.
    """

    cells: ArmMean
    units: np.ndarray


@dataclass(frozen=True, slots=True)
class Change:
    """By how much another experiment changes an effect.

    Attributes:
        interval: None where there is too little to see one.
        problem: Why there is no interval, in words.
    """

    interval: AlwaysValidEstimate | None
    finding: InteractionFinding
    problem: str | None = None


def change(crossed: Crossed, *, alpha: float, minimum_units: int) -> Change:
    """The interaction of an arm here and an arm there.

    Args:
        alpha: Of this one pair.
        minimum_units: Fewest units per cell.
    """
    if crossed.units.min() < minimum_units:
        few = f"fewer than {minimum_units} units have one of the four pairs of arms"
        return Change(None, "unknown", few)
    found = interaction(crossed.cells)
    if found.reason is not None:
        return Change(None, "unknown", found.reason.sentence)
    interval = _always_valid(found, float(crossed.units.sum()), alpha)
    return Change(interval, change_of_interval(interval))


def change_of_interval(interval: Interval) -> InteractionFinding:
    """What an interval of a change of an effect says; an end on 0 does not exclude it."""
    return "no_difference" if interval.lower <= 0 <= interval.upper else "differs"
