"""Random experiments for the calibration suite, drawn as moments where the moments have a known
distribution."""

import numpy as np

from assay_stats.calibration.claims import Rng
from assay_stats.moments import JointMoments, Moments
from assay_stats.undefined import Floats

_PAYING, _LOG_SPREAD = 0.05, 1.0


def normal(
    rng: Rng, shape: int | tuple[int, ...], n: float | Floats, *, mean: float | Floats = 0.0, sd: float = 1.0
) -> Moments:
    """Samples of normal values: the mean is normal and the sum of squares chi-square, independently."""
    units = np.asarray(n, dtype=np.float64)
    means = mean + sd / np.sqrt(units) * rng.standard_normal(shape)
    return Moments(n=units, mean=means, m2=sd**2 * rng.chisquare(units - 1, shape))


def bernoulli(rng: Rng, count: int, n: int, share: float) -> Moments:
    """Samples of zeros and ones."""
    return Moments.from_counts(np.float64(n), rng.binomial(n, share, count))


def revenue(rng: Rng, count: int, n: int) -> Moments:
    """Samples of revenue: one unit in twenty pays, and pays a log-normal amount."""
    payers = rng.binomial(n, _PAYING, count)
    amounts = rng.lognormal(0.0, _LOG_SPREAD, int(payers.sum()))
    starts = np.concatenate([[0], np.cumsum(payers)[:-1]])
    totals, squares = np.add.reduceat(amounts, starts), np.add.reduceat(amounts**2, starts)
    return Moments(n=np.full(count, float(n)), mean=totals / n, m2=squares - totals**2 / n)


def sessions(rng: Rng, count: int, users: int) -> JointMoments:
    """Conversions and sessions of users who differ in how often they come and convert."""
    visits = 1 + rng.poisson(2.0, (count, users))
    conversions = rng.binomial(visits, rng.beta(2.0, 3.0, (count, users)))
    return joint(conversions.astype(np.float64), visits.astype(np.float64))


def normal_pairs(rng: Rng, count: int, n: int, *, slope: float) -> JointMoments:
    """Samples of an outcome and a covariate, bivariate normal: the scatter is Wishart (Bartlett 1933)."""
    covariate_scale = np.sqrt(rng.chisquare(n - 1, count))
    crossed, rest = rng.standard_normal(count), rng.chisquare(n - 2, count)
    covariate_mean = rng.standard_normal(count) / np.sqrt(n)
    outcome_mean = slope * covariate_mean + rng.standard_normal(count) / np.sqrt(n)
    comoments = np.empty((count, 2, 2))
    comoments[:, 1, 1] = covariate_scale**2
    comoments[:, 0, 1] = comoments[:, 1, 0] = covariate_scale * (slope * covariate_scale + crossed)
    comoments[:, 0, 0] = (slope * covariate_scale + crossed) ** 2 + rest
    means = np.stack([outcome_mean, covariate_mean], axis=-1)
    return JointMoments(n=np.full(count, float(n)), means=means, comoments=comoments)


def joint(first: Floats, second: Floats) -> JointMoments:
    """Moments of two metrics of the same units, `(count, units)` each."""
    columns = np.stack([first, second], axis=-1)
    means = columns.mean(axis=1)
    centred = columns - means[:, None, :]
    comoments = np.einsum("bui,buj->bij", centred, centred)
    return JointMoments(n=np.full(len(first), float(first.shape[1])), means=means, comoments=comoments)


def scores(rng: Rng, count: int, information: Floats, *, effect: float = 0.0) -> Floats:
    """Estimates at looks with this information, `(count, n_looks)`: sums of independent increments."""
    steps = np.diff(information, prepend=0.0)
    increments = effect * steps + np.sqrt(steps) * rng.standard_normal((count, information.size))
    return np.cumsum(increments, axis=1) / information


__all__ = ["bernoulli", "joint", "normal", "normal_pairs", "revenue", "scores", "sessions"]
