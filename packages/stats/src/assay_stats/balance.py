"""How alike the arms of an assignment are before anything happened, and how alike is enough."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri

from assay_stats.checks import as_floats
from assay_stats.undefined import Floats

# A direction that holds less of the spread than this is rounding, or a covariate twice.
_SMALLEST_SHARE = 1e-10


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How far apart two arms are.

    Attributes:
        distance: Mahalanobis distance of the arms' means; about chi-square with `rank` degrees of freedom
            under pure randomisation.
        standardised: `(..., n_covariates)` differences of means in standard deviations over all units.
    """

    distance: Floats
    standardised: Floats


@dataclass(frozen=True, slots=True)
class Population:
    """What is known of the units before they are assigned.

    Attributes:
        values: `(n_units, n_covariates)` in standard deviations from the mean.
        whitened: `(n_units, rank)` the same without correlation, each of variance 1.
        rank: Covariates that are not combinations of others.
    """

    values: Floats
    whitened: Floats
    rank: int

    @classmethod
    def of(cls, covariates: ArrayLike) -> Self:
        """A population by its covariates, `(n_units, n_covariates)`.

        Raises:
            ValueError: There are fewer than two units, no covariate that varies, or a value is not finite.
        """
        values = as_floats(covariates)
        if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():  # noqa: PLR2004 — rows, columns
            raise ValueError("covariates are a table of finite numbers with two units or more")
        spread = values.std(axis=0, ddof=1)
        scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        roots, vectors = np.linalg.eigh(scaled.T @ scaled / (len(values) - 1))
        kept = roots > _SMALLEST_SHARE * max(float(roots.max(initial=0.0)), 1e-300)
        if not (spread > 0).any():
            raise ValueError("no covariate varies, so there is nothing to balance")
        whitened: Floats = scaled @ (vectors[:, kept] / np.sqrt(roots[kept]))
        return cls(np.where(spread > 0, scaled, 0.0), whitened, int(kept.sum()))

    def imbalance(self, control: ArrayLike, treatment: ArrayLike) -> Imbalance:
        """How far apart two arms are.

        Args:
            control: `(..., n_units)` whether a unit is in it.
            treatment: The same of the other arm.
        Returns:
            NaN where an arm is empty.
        Source: Morgan & Rubin (2012), Annals of Statistics 40:1263-1282, equation 1.
        """
        base, other = as_floats(control), as_floats(treatment)
        n0, n1 = base.sum(axis=-1), other.sum(axis=-1)
        with np.errstate(all="ignore"):
            weights = other / n1[..., None] - base / n0[..., None]
            scale = n0 * n1 / (n0 + n1)
            distance = scale * np.square(weights @ self.whitened).sum(axis=-1)
        return Imbalance(distance[()], (weights @ self.values)[()])


def acceptable_distance(rank: int, *, share: float) -> float:
    """The distance that this share of random assignments stays within.

    Args:
        rank: Of the population.
        share: Of random assignments, in (0, 1].
    Returns:
        The quantile of chi-square; inf for all of them.
    Raises:
        ValueError: `share` outside (0, 1].
    Source: Morgan & Rubin (2012), section 3: the distance is asymptotically chi-square.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share of assignments lies in (0, 1], not {share}")
    return float(chdtri(rank, 1 - share)) if share < 1 else float("inf")
