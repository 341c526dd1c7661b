"""How much of the error budget may be used by an information fraction (Lan and DeMets 1983, Biometrika
70:659-663).

Every family gives the logarithm of the cumulative share, because an O'Brien-Fleming design with daily looks
spends less than 1e-30 at its first one. Beyond the planned information the whole budget has been spent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtri

from assay_stats.checks import as_floats, checked_positive
from assay_stats.undefined import Floats


@dataclass(frozen=True, slots=True)
class OBrienFleming:
    """Very little early, nearly a fixed test at the end: 2 * (1 - Phi(z_(budget/2) / sqrt(t)))."""

    def log_spent(self, fraction: ArrayLike, budget: float) -> Floats:
        """Log of the cumulative spending at each fraction.

        Args:
            fraction: Information over planned information, above 0; any shape.
            budget: Error probability of one side, in (0, 1].
        """
        with np.errstate(divide="ignore"):
            return np.log(2) + log_ndtr(ndtri(budget / 2) / np.sqrt(_planned(fraction)))


@dataclass(frozen=True, slots=True)
class Pocock:
    """Nearly equal critical values at all looks: budget * ln(1 + (e - 1) * t)."""

    def log_spent(self, fraction: ArrayLike, budget: float) -> Floats:
        """Log of the cumulative spending at each fraction; see `OBrienFleming.log_spent`."""
        return np.log(budget) + np.log(np.log1p((np.e - 1) * _planned(fraction)))


@dataclass(frozen=True, slots=True)
class PowerFamily:
    """budget * t**exponent (Kim and DeMets 1987); 3 is near O'Brien-Fleming, 1 near Pocock.

    Attributes:
        exponent: Positive.
    """

    exponent: float = 2.0

    def __post_init__(self) -> None:
        checked_positive(self.exponent, name="exponent")

    def log_spent(self, fraction: ArrayLike, budget: float) -> Floats:
        """Log of the cumulative spending at each fraction; see `OBrienFleming.log_spent`."""
        return np.log(budget) + self.exponent * np.log(_planned(fraction))


@dataclass(frozen=True, slots=True)
class HwangShihDeCani:
    """budget * (1 - exp(-gamma * t)) / (1 - exp(-gamma)); -4 is near O'Brien-Fleming, 1 near Pocock, 0
    linear.

    Attributes:
        gamma: Any finite number.
    """

    gamma: float = -4.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.gamma) or abs(self.gamma) > 700:  # noqa: PLR2004 — exp leaves float64 there
            raise ValueError(f"gamma must be finite and within ±700; got {self.gamma!r}")

    def log_spent(self, fraction: ArrayLike, budget: float) -> Floats:
        """Log of the cumulative spending at each fraction; see `OBrienFleming.log_spent`."""
        t = _planned(fraction)
        share = np.expm1(-self.gamma * t) / np.expm1(-self.gamma) if self.gamma else t
        return np.log(budget) + np.log(share)


Spending = OBrienFleming | Pocock | PowerFamily | HwangShihDeCani


def _planned(fraction: ArrayLike) -> Floats:
    return np.minimum(as_floats(fraction), 1.0)


__all__ = ["HwangShihDeCani", "OBrienFleming", "Pocock", "PowerFamily", "Spending"]
