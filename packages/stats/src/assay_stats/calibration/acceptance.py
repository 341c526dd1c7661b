"""When a simulated frequency agrees with a claim: exact binomial bounds, shared out over all claims."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import betainc

from assay_stats.checks import checked_level


class Kind(StrEnum):
    """How a frequency relates to its target."""

    EQUAL = "="
    AT_MOST = "<="
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Bounds:
    """The shares that a run may measure.

    Attributes:
        lower: Least share accepted.
        upper: Largest share accepted.
    """

    lower: float
    upper: float

    def accept(self, share: float) -> bool:
        """Whether a measured share agrees."""
        return self.lower <= share <= self.upper


def acceptance(kind: Kind, *, target: float, slack: float, trials: int, false_alarm: float) -> Bounds:
    """The measured shares that do not contradict a claim.

    A claim that holds to within its slack is rejected with a probability of at most `false_alarm`, exactly.

    Args:
        kind: How the frequency relates to the target.
        target: Claimed probability, in (0, 1).
        slack: What a finite sample is allowed to deviate, 0 or more.
        trials: Independent trials, at least 1.
        false_alarm: For this claim alone, in (0, 1).
    Raises:
        ValueError: `target` lies outside (0, 1), or there is no trial.
    Source: The exact binomial tails of Clopper and Pearson (1934), Biometrika 26:404-413. Checked against
        `binom` of scipy 1.17.1.
    """
    checked_level(target, name="target")
    if trials < 1:
        raise ValueError(f"a claim needs at least one trial; got {trials!r}")
    per_side = false_alarm / 2 if kind is Kind.EQUAL else false_alarm
    lowest, highest = max(target - slack, 0.0), min(target + slack, 1.0)
    lower = 0 if kind is Kind.AT_MOST else _least_accepted(trials, lowest, per_side)
    upper = trials if kind is Kind.AT_LEAST else trials - _least_accepted(trials, 1 - highest, per_side)
    return Bounds(lower / trials, upper / trials)


def _least_accepted(trials: int, share: float, probability: float) -> int:
    """The smallest count x with P(X <= x) above a probability, for X binomial."""
    if share <= 0:
        return 0
    low, high = 0, trials
    while low < high:
        middle = (low + high) // 2
        at_most = (
            1.0 if middle >= trials else float(betainc(trials - middle, middle + 1, np.float64(1 - share)))
        )
        low, high = (low, middle) if at_most > probability else (middle + 1, high)
    return low


__all__ = ["Bounds", "Kind", "acceptance"]
