"""Effects that wear off, and experiments that disturb each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay_stats.heterogeneity import effect_trend, interaction
from assay_stats.moments import Moments
from assay_stats.results import Estimate
from assay_stats.undefined import Reason

FEWEST_AGES = 3


@dataclass(frozen=True, slots=True)
class Cohort:
    """The effect on units of one age.

    Attributes:
        days: Since their first exposure.
        effect: Treatment minus control.
        squared_error: Its squared standard error.
    """

    days: float
    effect: float
    squared_error: float


@dataclass(frozen=True, slots=True)
class Trend:
    """How an effect changes with the time since first exposure.

    Attributes:
        slope: Per day, in the metric's unit.
        low: Lower end of its interval.
        high: Upper end.
        sentence: What it means, None while the interval holds 0.
    """

    slope: float
    low: float
    high: float
    p_value: float
    sentence: str | None


def novelty(cohorts: Sequence[Cohort], *, alpha: float = 0.01) -> Trend | None:
    """The trend of the effect over days since exposure; None where fewer than three ages can be compared.

    Args:
        alpha: Late by default, as nobody plans for this test and every metric has one.
    """
    known = [one for one in cohorts if np.isfinite(one.effect) and 0 < one.squared_error < np.inf]
    if len({one.days for one in known}) < FEWEST_AGES:
        return None
    found = effect_trend(
        [one.effect for one in known],
        [one.squared_error for one in known],
        times=[one.days for one in known],
        level=1 - alpha,
    )
    low, high = float(found.lower), float(found.upper)
    mean = float(np.average([one.effect for one in known], weights=[1 / one.squared_error for one in known]))
    return Trend(float(found.value), low, high, float(found.p_value), _trend_sentence(mean, low, high))


def _trend_sentence(mean: float, low: float, high: float) -> str | None:
    if low <= 0 <= high:
        return None
    if (low > 0) == (mean > 0):
        return (
            "The effect grows with the days since first exposure: units learn, so the average so far "
            "understates what stays."
        )
    return (
        "The effect fades with the days since first exposure: a novelty that wears off, so the average "
        "so far overstates what stays."
    )


@dataclass(frozen=True, slots=True)
class Interaction:
    """Whether an experiment changes the effect of another one.

    Attributes:
        other: The other experiment.
        change: Effect under the other's treatment less the one under its control; None where undefined.
        reason: Why it is undefined.
        sentence: What it means, None while the interval holds 0.
    """

    other: str
    change: float | None
    low: float | None
    high: float | None
    p_value: float | None
    reason: Reason | None
    sentence: str | None


def interactions(cells: Sequence[tuple[str, Moments]], *, alpha: float = 0.01) -> list[Interaction]:
    """The interaction with every overlapping experiment; alpha is shared by all of them.

    Args:
        cells: The other experiment, with `(2, 2)` moments by arm of this and of the other; 0 is control.
    """
    level = 1 - alpha / max(len(cells), 1)
    return [_interaction(other, interaction(four, level=level)) for other, four in cells]


def _interaction(other: str, found: Estimate) -> Interaction:
    if found.reason is not None:
        return Interaction(other, None, None, None, None, found.reason, None)
    low, high = float(found.lower), float(found.upper)
    sentence = (
        None
        if low <= 0 <= high
        else f"The effect differs between the arms of {other}, which runs on the same units: read it per "
        f"arm of {other}, or run the two one after the other."
    )
    return Interaction(other, float(found.value), low, high, float(found.p_value), None, sentence)
