"""What one interval says, in a word; nothing else may be consulted for a badge, a colour or a sentence."""

import numpy as np

from assay.analysis.methods import Finding
from assay_stats.results import Direction, Interval


def finding(interval: Interval | None, direction: Direction, *, reserve: Interval | None = None) -> Finding:
    """The finding of an interval; an end on 0 does not exclude it.

    A loss that is known to stay within the tolerated margin is within the margin, however certain it is.

    Args:
        interval: Treatment minus control; None before the method allows one.
        direction: Whether higher is better.
        reserve: Of a guardrail: benefit plus margin, which is above 0 where the loss is tolerable.
    """
    if interval is None:
        return Finding.EARLY
    benefit_low, benefit_high = benefit_ends(interval, direction)
    if np.isnan(benefit_low) or np.isnan(benefit_high):
        return Finding.UNKNOWN
    if benefit_low > 0:
        return Finding.BETTER
    if reserve is not None and reserve.lower > 0:
        return Finding.WITHIN_MARGIN
    return Finding.WORSE if benefit_high < 0 else Finding.OPEN


def benefit_ends(interval: Interval, direction: Direction) -> tuple[float, float]:
    """The ends of an interval turned so that positive is better."""
    low, high = float(interval.lower), float(interval.upper)
    return (low, high) if direction is Direction.HIGHER_IS_BETTER else (-high, -low)
