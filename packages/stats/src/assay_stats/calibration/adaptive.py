"""Claims about allocation that follows the data."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from assay_stats.bandits import batched_difference, thompson, top_two
from assay_stats.calibration.acceptance import Kind
from assay_stats.calibration.claims import Claim, Rng, in_blocks
from assay_stats.posteriors import NormalPosterior
from assay_stats.undefined import Bools, Floats

_BATCHES, _PER_BATCH, _FLOOR = 10, 100.0, 0.1


@dataclass(frozen=True, slots=True)
class Batches:
    """Two equal arms whose allocation follows the data.

    Attributes:
        units: `(count, n_batches, 2)` units of each arm in each batch.
        means: `(count, n_batches, 2)` mean of each arm in each batch, of unit variance around 0.
    """

    units: Floats
    means: Floats

    @property
    def pooled(self) -> Floats:
        """`(count, 2)` plain means over all batches."""
        return (self.units * self.means).sum(axis=1) / self.units.sum(axis=1)


Allocate = Callable[[NormalPosterior], Floats]


def adaptive_batches(rng: Rng, count: int, allocate: Allocate) -> Batches:
    """Ten batches; each is allocated by the posterior of those before."""
    units, means = (np.zeros((count, _BATCHES, 2)) for _ in range(2))
    share = np.full((count, 2), 0.5)
    for batch in range(_BATCHES):
        units[:, batch] = _PER_BATCH * share
        means[:, batch] = rng.standard_normal((count, 2)) / np.sqrt(units[:, batch])
        seen = units[:, : batch + 1].sum(axis=1)
        totals = (units * means)[:, : batch + 1].sum(axis=1)
        share = allocate(NormalPosterior(totals / seen, 1 / np.sqrt(seen)))
    return Batches(units, means)


def by_thompson(posterior: NormalPosterior) -> Floats:
    """Shares by Thompson's rule, at least a tenth for each arm."""
    return thompson(posterior, floor=_FLOOR).share


def greedily(posterior: NormalPosterior) -> Floats:
    """Nine tenths to the arm that leads."""
    return np.where(posterior.mean == posterior.mean.max(axis=-1, keepdims=True), 1 - _FLOOR, _FLOOR)


def _batched_test(count: int, rng: Rng) -> Bools:
    batches = adaptive_batches(rng, count, by_thompson)
    differences = batches.means[..., 1] - batches.means[..., 0]
    return batched_difference(differences, np.sqrt((1 / batches.units).sum(axis=-1))).p_value < 0.05  # noqa: PLR2004


def _chance_is_right_while_adapting(count: int, rng: Rng) -> Bools:
    """Whether the arm called best with a chance of 85 to 95 % is: adapting does not bend a posterior."""
    truth = rng.standard_normal((count, 3))
    seen, totals = np.zeros((count, 3)), np.zeros((count, 3))
    share = chance = np.full((count, 3), 1 / 3)
    for _ in range(4):
        units = 2.0 * share
        totals += units * truth + np.sqrt(units) * rng.standard_normal((count, 3))
        seen += units
        # A standard normal prior counts as one unit at 0.
        posterior = NormalPosterior(totals / (seen + 1), 1 / np.sqrt(seen + 1))
        allocation = top_two(posterior, floor=0.05)
        share, chance = allocation.share, allocation.chance_best
    named = (chance > 0.85) & (chance < 0.95)  # noqa: PLR2004 — the bin
    # Thinned so that every chance in the bin counts as 0.85 exactly.
    is_best = truth == truth.max(axis=1, keepdims=True)
    return (is_best & (rng.random(chance.shape) < 0.85 / chance))[named]


ADAPTIVE_CLAIMS = (
    Claim(
        name="batched test under Thompson allocation",
        family="bandits",
        kind=Kind.EQUAL,
        target=0.05,
        replications=10_000,
        simulate=in_blocks(_batched_test, 100),
    ),
    Claim(
        name="chance of being best while top-two adapts",
        family="bandits",
        kind=Kind.EQUAL,
        target=0.85,
        replications=10_000,
        simulate=in_blocks(_chance_is_right_while_adapting, 100),
    ),
)

__all__ = ["ADAPTIVE_CLAIMS", "Batches", "adaptive_batches", "by_thompson", "greedily"]
