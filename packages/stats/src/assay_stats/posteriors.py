"""Posterior distributions of one arm, in a coordinate where they are smooth and quickly decaying.

A probability is integrated on the logit scale and a rate on the log scale: there every density is analytic
with exponential tails, whatever the counts, so one Gauss-Legendre rule serves three events as well as a
billion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import (
    betainc,
    betaincc,
    betaincinv,
    expit,
    gammainc,
    gammaincc,
    gammaincinv,
    ndtr,
    ndtri,
    polygamma,
)

from assay_stats.checks import as_floats
from assay_stats.undefined import Codes, Floats, Reason, first_reason


@dataclass(frozen=True, slots=True)
class NormalPosterior:
    """A normal posterior.

    Attributes:
        mean: Any shape.
        sd: Positive, same shape.
    """

    mean: Floats
    sd: Floats

    @property
    def centre(self) -> Floats:
        """Mode in the coordinate of integration."""
        return self.mean

    @property
    def scale(self) -> Floats:
        """Standard deviation in the coordinate of integration."""
        return self.sd

    @property
    def defects(self) -> Codes:
        """Why this is no distribution."""
        return first_reason(
            (~(np.isfinite(self.mean) & np.isfinite(self.sd)), Reason.NOT_FINITE),
            (self.sd < 0, Reason.NEGATIVE_VARIANCE),
            (self.sd == 0, Reason.ZERO_VARIANCE),
        )

    def log_kernel(self, y: Floats) -> Floats:
        """Log density up to a constant."""
        return -(((y - self.mean) / self.sd) ** 2) / 2

    def below(self, y: Floats) -> Floats:
        """Probability of a smaller value."""
        return ndtr((y - self.mean) / self.sd)

    def above(self, y: Floats) -> Floats:
        """Probability of a larger value."""
        return ndtr((self.mean - y) / self.sd)

    def to_coordinate(self, value: Floats) -> Floats:
        """The coordinate of a value."""
        return value

    def value(self, y: Floats) -> Floats:
        """The value at a coordinate."""
        return y

    def slope(self, y: Floats) -> Floats:
        """How fast the value changes with the coordinate."""
        return np.ones_like(y)

    def quantile(self, probability: ArrayLike) -> Floats:
        """The value that is exceeded with probability 1 - `probability`."""
        return self.mean + self.sd * ndtri(as_floats(probability))

    def expanded(self, axis: int) -> "NormalPosterior":
        """The same with one more axis."""
        return NormalPosterior(np.expand_dims(self.mean, axis), np.expand_dims(self.sd, axis))


@dataclass(frozen=True, slots=True)
class BetaPosterior:
    """The posterior of a probability.

    Attributes:
        successes: First parameter, any shape, positive.
        failures: Second parameter, same shape, positive.
    """

    successes: Floats
    failures: Floats

    @property
    def mean(self) -> Floats:
        """Posterior mean."""
        return self.successes / (self.successes + self.failures)

    @property
    def centre(self) -> Floats:
        """Mode in the coordinate of integration."""
        return np.log(self.successes) - np.log(self.failures)

    @property
    def scale(self) -> Floats:
        """Standard deviation in the coordinate of integration."""
        return np.sqrt(as_floats(polygamma(1, self.successes) + polygamma(1, self.failures)))

    @property
    def defects(self) -> Codes:
        """Why this is no distribution."""
        return _positive_parameters(self.successes, self.failures)

    def log_kernel(self, y: Floats) -> Floats:
        """Log density of the logit up to a constant, relative to its mode so that no digits cancel."""
        centre = self.centre
        u = y - centre
        rising = self.successes * np.log1p(expit(-centre) * np.expm1(-u))
        return -rising - self.failures * np.log1p(expit(centre) * np.expm1(u))

    def below(self, y: Floats) -> Floats:
        """Probability of a smaller value."""
        return np.where(
            y <= 0,
            betainc(self.successes, self.failures, expit(y)),
            betaincc(self.failures, self.successes, expit(-y)),
        )

    def above(self, y: Floats) -> Floats:
        """Probability of a larger value."""
        return BetaPosterior(self.failures, self.successes).below(-y)

    def to_coordinate(self, value: Floats) -> Floats:
        """The coordinate of a value; infinite at 0 and 1 and beyond."""
        inside = np.clip(value, 0.0, 1.0)
        with np.errstate(divide="ignore"):
            return np.log(inside) - np.log1p(-inside)

    def value(self, y: Floats) -> Floats:
        """The value at a coordinate."""
        return expit(y)

    def slope(self, y: Floats) -> Floats:
        """How fast the value changes with the coordinate."""
        return expit(y) * expit(-y)

    def quantile(self, probability: ArrayLike) -> Floats:
        """The value that is exceeded with probability 1 - `probability`."""
        return as_floats(betaincinv(self.successes, self.failures, as_floats(probability)))

    def expanded(self, axis: int) -> "BetaPosterior":
        """The same with one more axis."""
        return BetaPosterior(np.expand_dims(self.successes, axis), np.expand_dims(self.failures, axis))


@dataclass(frozen=True, slots=True)
class GammaPosterior:
    """The posterior of a rate of events.

    Attributes:
        shape: First parameter, any shape, positive.
        rate: Second parameter, same shape, positive, in the unit of exposure.
    """

    shape: Floats
    rate: Floats

    @property
    def mean(self) -> Floats:
        """Posterior mean."""
        return self.shape / self.rate

    @property
    def centre(self) -> Floats:
        """Mode in the coordinate of integration."""
        return np.log(self.shape) - np.log(self.rate)

    @property
    def scale(self) -> Floats:
        """Standard deviation in the coordinate of integration."""
        return np.sqrt(as_floats(polygamma(1, self.shape)))

    @property
    def defects(self) -> Codes:
        """Why this is no distribution."""
        return _positive_parameters(self.shape, self.rate)

    def log_kernel(self, y: Floats) -> Floats:
        """Log density of the logarithm up to a constant, relative to its mode so that no digits cancel."""
        u = y - self.centre
        return self.shape * (u - np.expm1(u))

    def below(self, y: Floats) -> Floats:
        """Probability of a smaller value."""
        return gammainc(self.shape, self.rate * np.exp(y))

    def above(self, y: Floats) -> Floats:
        """Probability of a larger value."""
        return gammaincc(self.shape, self.rate * np.exp(y))

    def to_coordinate(self, value: Floats) -> Floats:
        """The coordinate of a value; -inf at 0 and below."""
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(value, 0.0))

    def value(self, y: Floats) -> Floats:
        """The value at a coordinate."""
        return np.exp(y)

    def slope(self, y: Floats) -> Floats:
        """How fast the value changes with the coordinate."""
        return np.exp(y)

    def quantile(self, probability: ArrayLike) -> Floats:
        """The value that is exceeded with probability 1 - `probability`."""
        return gammaincinv(self.shape, as_floats(probability)) / self.rate

    def expanded(self, axis: int) -> "GammaPosterior":
        """The same with one more axis."""
        return GammaPosterior(np.expand_dims(self.shape, axis), np.expand_dims(self.rate, axis))


Posterior = NormalPosterior | BetaPosterior | GammaPosterior


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """What is believed of a mean or an effect before the data; sd = inf believes nothing.

    Attributes:
        mean: Most likely value.
        sd: Positive.
    """

    mean: float = 0.0
    sd: float = np.inf

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and self.sd > 0):
            raise ValueError(f"a normal prior needs a finite mean and a positive sd; got {self!r}")

    @property
    def precision(self) -> float:
        """1 / sd²."""
        return 1 / self.sd**2


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """What is believed of a probability before the data; (1, 1) is uniform.

    Attributes:
        successes: Positive.
        failures: Positive.
    """

    successes: float = 1.0
    failures: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.successes < np.inf and 0 < self.failures < np.inf):
            raise ValueError(f"a beta prior needs two positive numbers; got {self!r}")


@dataclass(frozen=True, slots=True)
class GammaPrior:
    """What is believed of a rate before the data: `shape` events seen in `rate` units of exposure.

    Attributes:
        shape: Positive.
        rate: Positive.
    """

    shape: float = 0.5
    rate: float = 1e-9

    def __post_init__(self) -> None:
        if not (0 < self.shape < np.inf and 0 < self.rate < np.inf):
            raise ValueError(f"a gamma prior needs two positive numbers; got {self!r}")


_FLAT, _UNIFORM, _JEFFREYS = NormalPrior(), BetaPrior(), GammaPrior()


def normal_posterior(
    value: ArrayLike, standard_error: ArrayLike, *, prior: NormalPrior = _FLAT
) -> NormalPosterior:
    """Posterior of a mean or an effect that was estimated with a known standard error.

    Args:
        value: Estimate, any shape.
        standard_error: Its standard error.
        prior: Frozen before the start.
    Source: Gelman et al. (2013), Bayesian Data Analysis, chapter 2.
    """
    estimate, se = as_floats(value), as_floats(standard_error)
    with np.errstate(all="ignore"):
        precision = 1 / se**2 + prior.precision
        mean = np.where(se > 0, (estimate / se**2 + prior.mean * prior.precision) / precision, estimate)
        sd = np.where(se > 0, 1 / np.sqrt(precision), se)
    return NormalPosterior(mean[()], sd[()])


def beta_posterior(successes: ArrayLike, n: ArrayLike, *, prior: BetaPrior = _UNIFORM) -> BetaPosterior:
    """Posterior of a probability after counting; counts that cannot be give parameters of NaN.

    Args:
        successes: Counts, any shape.
        n: Trials.
        prior: Frozen before the start.
    Source: Gelman et al. (2013), Bayesian Data Analysis, chapter 2.
    """
    k, trials = as_floats(successes), as_floats(n)
    possible = np.where((k >= 0) & (k <= trials), 0.0, np.nan)
    return BetaPosterior((k + prior.successes + possible)[()], (trials - k + prior.failures + possible)[()])


def gamma_posterior(
    events: ArrayLike, exposure: ArrayLike, *, prior: GammaPrior = _JEFFREYS
) -> GammaPosterior:
    """Posterior of a rate after counting; counts that cannot be give parameters of NaN.

    Args:
        events: Counts, any shape.
        exposure: Units of exposure (users, days).
        prior: Frozen before the start.
    Source: Gelman et al. (2013), Bayesian Data Analysis, chapter 2.
    """
    count, units = as_floats(events), as_floats(exposure)
    possible = np.where((count >= 0) & (units >= 0), 0.0, np.nan)
    return GammaPosterior((count + prior.shape + possible)[()], (units + prior.rate + possible)[()])


def _positive_parameters(first: Floats, second: Floats) -> Codes:
    return first_reason(
        (np.isnan(first) | np.isnan(second), Reason.IMPOSSIBLE_COUNT),
        (~((first > 0) & (second > 0) & np.isfinite(first) & np.isfinite(second)), Reason.INVALID_PRIOR),
    )


__all__ = [
    "BetaPosterior",
    "BetaPrior",
    "GammaPosterior",
    "GammaPrior",
    "NormalPosterior",
    "NormalPrior",
    "Posterior",
    "beta_posterior",
    "gamma_posterior",
    "normal_posterior",
]
