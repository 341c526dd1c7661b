"""Claims about methods that read raw values instead of moments: ranks, resampling, caps."""

from collections.abc import Callable

import numpy as np

from assay_stats.calibration.acceptance import Kind
from assay_stats.calibration.claims import Claim, Rng, in_blocks, one_by_one
from assay_stats.frequentist import welch
from assay_stats.moments import Moments
from assay_stats.ranks import mann_whitney, superiority
from assay_stats.resampling import CapBasis, bootstrap_difference, pooled_cap, winsorised
from assay_stats.undefined import Bools, Floats

_ALPHA = 0.05
_HEAVY = 2.0
_CAP_AT = 0.98
# P(N(1, 2²) > N(0, 1)) - 1/2 is Phi(1 / sqrt(5)) - 1/2.
_SUPERIORITY = 0.17263958

Capped = Callable[[Floats, Floats], tuple[Floats, Floats]]


def _bootstrap(rng: Rng) -> bool:
    control, treatment = rng.exponential(size=80), 1 + rng.exponential(size=120)
    found = bootstrap_difference(control, treatment, rng=rng, n_resamples=399)
    return bool(found.lower <= 1 <= found.upper)


def _mann_whitney(rng: Rng) -> bool:
    return bool(mann_whitney(rng.lognormal(size=60), rng.lognormal(size=40)).p_value < _ALPHA)


def _superiority(rng: Rng) -> bool:
    found = superiority(rng.normal(0.0, 1.0, 80), rng.normal(1.0, 2.0, 60))
    return bool(found.lower <= _SUPERIORITY <= found.upper)


def _heavy_tails(count: int, rng: Rng) -> Bools:
    return _welch_on(*(rng.lognormal(0.0, _HEAVY, (count, 1_000)) for _ in range(2)))


def capped_heavy_tails(count: int, rng: Rng, capped: Capped) -> Bools:
    """False findings of Welch's test between equal heavy-tailed arms after a cap."""
    pairs = [capped(*rng.lognormal(0.0, _HEAVY, (2, 500))) for _ in range(count)]
    control, treatment = np.stack(pairs, axis=1)
    return _welch_on(control, treatment)


def by_pooled_cap(control: Floats, treatment: Floats) -> tuple[Floats, Floats]:
    """Both arms capped at one quantile of all their values."""
    cap = pooled_cap([control, treatment], _CAP_AT, basis=CapBasis.ALL_UNITS)
    return winsorised(control, upper=cap), winsorised(treatment, upper=cap)


def by_cap_per_arm(control: Floats, treatment: Floats) -> tuple[Floats, Floats]:
    """Each arm capped at a quantile of its own, which is wrong: the cap varies with the arm and nobody counts
    that."""
    first, second = (pooled_cap([arm], _CAP_AT, basis=CapBasis.ALL_UNITS) for arm in (control, treatment))
    return winsorised(control, upper=first), winsorised(treatment, upper=second)


def _with_pooled_cap(count: int, rng: Rng) -> Bools:
    return capped_heavy_tails(count, rng, by_pooled_cap)


def _welch_on(control: Floats, treatment: Floats) -> Bools:
    return welch(Moments.from_values(control), Moments.from_values(treatment)).p_value < _ALPHA


RAW_VALUE_CLAIMS = (
    Claim(
        name="bootstrap interval, 80 against 120 exponential values",
        family="resampling",
        kind=Kind.EQUAL,
        target=0.95,
        slack=0.012,
        replications=4_000,
        simulate=one_by_one(_bootstrap),
    ),
    Claim(
        name="Mann-Whitney, 60 against 40 log-normal values",
        family="ranks",
        kind=Kind.EQUAL,
        target=0.05,
        slack=0.003,
        replications=20_000,
        simulate=one_by_one(_mann_whitney),
    ),
    Claim(
        name="superiority interval, unequal spreads",
        family="ranks",
        kind=Kind.EQUAL,
        target=0.95,
        slack=0.006,
        replications=20_000,
        simulate=one_by_one(_superiority),
    ),
    Claim(
        name="Welch on heavy tails, no cap",
        family="heavy tails",
        kind=Kind.AT_MOST,
        target=0.05,
        replications=10_000,
        simulate=in_blocks(_heavy_tails, 500),
    ),
    Claim(
        name="Welch on heavy tails, pooled cap",
        family="heavy tails",
        kind=Kind.EQUAL,
        target=0.05,
        slack=0.003,
        replications=20_000,
        simulate=in_blocks(_with_pooled_cap, 500),
    ),
)

__all__ = ["RAW_VALUE_CLAIMS", "by_cap_per_arm", "by_pooled_cap", "capped_heavy_tails"]
