"""The same claims about a metric of one's own: A/A experiments by assigning real units at random, again and
again.

Nothing is assumed of the metric. Each replication flips a fair coin per unit and compares the two halves, so
that there is no effect by construction; what is measured is how the methods err on exactly these values.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay_stats.adjustment import cuped_difference
from assay_stats.calibration.acceptance import Kind
from assay_stats.calibration.claims import Claim, Rng, Simulate, at_any, in_blocks
from assay_stats.checks import as_floats
from assay_stats.frequentist import welch
from assay_stats.moments import JointMoments, Moments
from assay_stats.sequential.confidence_sequences import asymptotic_confidence_sequence, tuned_rho_squared
from assay_stats.sequential.group_sequential import GroupSequentialPlan, boundary
from assay_stats.srm import sample_ratio
from assay_stats.tails import Alternative
from assay_stats.undefined import Bools, Floats

_ALPHA = 0.05
_LOOKS = 5
_FEWEST_UNITS = 40
_ENTRIES_PER_BLOCK = 8_000_000
_ENTRIES_IN_ALL = 2_000_000_000
_MOST_REPLICATIONS = 20_000

_Arms = tuple[Moments, Moments]


def claims_about(values: ArrayLike, *, covariate: ArrayLike | None = None) -> tuple[Claim, ...]:
    """A/A claims about one metric, for `run`.

    Args:
        values: `(n_units,)` of the metric, one per unit, as an experiment would see them after its caps and
            filters; a missing value must be filled or left out before.
        covariate: `(n_units,)` of the same units before the experiment; adds the claims about adjustment.
    Returns:
        Claims whose replications shrink with the units so that a run at scale 1 takes about a minute at most.
    Raises:
        ValueError: Fewer than 40 units, values missing or all equal, or a covariate of another shape.
    """
    units = _checked(values, "values")
    looks = _group_sequential(units), _confidence_sequence(units)
    claims = [
        _claim(
            "no effect, Welch",
            Kind.EQUAL,
            _on_halves(units, lambda a, b: welch(a, b).p_value < _ALPHA),
            units,
        ),
        _claim(
            "no effect, Welch, one-sided",
            Kind.EQUAL,
            _on_halves(units, lambda a, b: welch(a, b, alternative=Alternative.GREATER).p_value < _ALPHA),
            units,
        ),
        _claim("no effect, O'Brien-Fleming at 5 looks", Kind.EQUAL, looks[0], units),
        _claim("no effect, confidence sequence at 5 looks", Kind.AT_MOST, looks[1], units),
        _claim("split kept, chi-square", Kind.EQUAL, _sample_ratio(units), units),
    ]
    if covariate is not None:
        before = _checked(covariate, "covariate")
        if before.shape != units.shape:
            raise ValueError(f"covariate needs one value per unit: {units.size} units, got {before.size}")
        claims.append(_claim("no effect, adjusted by covariate", Kind.EQUAL, _adjusted(units, before), units))
    return tuple(claims)


def _claim(name: str, kind: Kind, simulate: Simulate, units: Floats) -> Claim:
    replications = min(_MOST_REPLICATIONS, max(1_000, _ENTRIES_IN_ALL // units.size))
    block = max(1, _ENTRIES_PER_BLOCK // units.size)
    return Claim(
        name=f"your metric: {name}",
        family="your metric",
        kind=kind,
        target=_ALPHA,
        slack=0.002,
        replications=replications,
        simulate=in_blocks(simulate, block),
    )


def _checked(values: ArrayLike, name: str) -> Floats:
    units = np.atleast_1d(as_floats(values))
    if units.ndim != 1 or units.size < _FEWEST_UNITS:
        raise ValueError(
            f"{name} needs one value for each of at least {_FEWEST_UNITS} units; got shape {units.shape}"
        )
    missing = int(np.sum(~np.isfinite(units)))
    if missing:
        raise ValueError(
            f"{missing} of {units.size} entries of {name} are missing or infinite: fill or drop them"
        )
    if np.ptp(units) == 0:
        raise ValueError(
            f"all {units.size} entries of {name} equal {units[0]!r}: there is nothing to calibrate"
        )
    return units


def _assigned(rng: Rng, count: int, units: int) -> NDArray[np.float32]:
    """`(count, units)` fair coins."""
    flips = np.frombuffer(rng.bytes(count * ((units + 7) // 8)), dtype=np.uint8).reshape(count, -1)
    return np.unpackbits(flips, axis=1, count=units).astype(np.float32)


def _halves(coins: NDArray[np.float32], values: Floats) -> _Arms:
    """Moments of both halves; the values are scaled and centred first, so that single precision is enough."""
    centre, scale = values.mean(), values.std() or 1.0
    standard = ((values - centre) / scale).astype(np.float32)
    powers = np.stack([np.ones_like(standard), standard, standard**2], axis=1)
    chosen = (coins @ powers).astype(np.float64)
    everything = powers.astype(np.float64).sum(axis=0)
    first, second = (_moments(sums) for sums in (everything - chosen, chosen))
    return first.scaled(scale).shifted(centre), second.scaled(scale).shifted(centre)


def _moments(sums: Floats) -> Moments:
    n, total, squares = sums[:, 0], sums[:, 1], sums[:, 2]
    mean = total / n
    return Moments(n=n, mean=mean, m2=squares - total * mean)


def _on_halves(values: Floats, judge: Callable[[Moments, Moments], Bools]) -> Simulate:
    def simulate(count: int, rng: Rng) -> Bools:
        return judge(*_halves(_assigned(rng, count, values.size), values))

    return simulate


def _sample_ratio(values: Floats) -> Simulate:
    def simulate(count: int, rng: Rng) -> Bools:
        treated = _assigned(rng, count, values.size).sum(axis=1, dtype=np.float64)
        return sample_ratio(np.stack([values.size - treated, treated], axis=1), [1, 1]).p_value < _ALPHA

    return simulate


def _adjusted(values: Floats, covariate: Floats) -> Simulate:
    columns = np.stack([values, covariate], axis=1)
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    y, x = standard.T
    powers = np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=1)
    everything = powers.sum(axis=0)

    def simulate(count: int, rng: Rng) -> Bools:
        chosen = (_assigned(rng, count, values.size) @ powers.astype(np.float32)).astype(np.float64)
        return cuped_difference(_joint(everything - chosen), _joint(chosen)).p_value < _ALPHA

    return simulate


def _joint(sums: Floats) -> JointMoments:
    n, totals = sums[:, 0], sums[:, 1:3]
    means = totals / n[:, None]
    products = np.stack([sums[:, [3, 4]], sums[:, [4, 5]]], axis=1)
    return JointMoments(n=n, means=means, comoments=products - totals[:, :, None] * means[:, None, :])


def _by_look(values: Floats, rng: Rng, count: int) -> list[_Arms]:
    """Both halves at each of five looks, units arriving in an order that is drawn anew for each block."""
    order = rng.permutation(values.size)
    arms: list[_Arms] = []
    for part in np.array_split(order, _LOOKS):
        control, treatment = _halves(_assigned(rng, count, part.size), values[part])
        arms.append((arms[-1][0] + control, arms[-1][1] + treatment) if arms else (control, treatment))
    return arms


def _group_sequential(values: Floats) -> Simulate:
    design = boundary(GroupSequentialPlan(), np.arange(1, _LOOKS + 1) / _LOOKS)

    def simulate(count: int, rng: Rng) -> Bools:
        statistics = [welch(*arms).statistic for arms in _by_look(values, rng, count)]
        return at_any(np.abs(np.stack(statistics, axis=1)) >= design.critical)

    return simulate


def _confidence_sequence(values: Floats) -> Simulate:
    rho_squared = tuned_rho_squared(values.size)

    def simulate(count: int, rng: Rng) -> Bools:
        found = np.zeros(count, dtype=np.bool_)
        for control, treatment in _by_look(values, rng, count):
            read = welch(control, treatment)
            units = control.n + treatment.n
            look = asymptotic_confidence_sequence(
                read.value, read.standard_error, units, rho_squared=rho_squared
            )
            found |= look.p_value < _ALPHA
        return found

    return simulate


__all__ = ["claims_about"]
