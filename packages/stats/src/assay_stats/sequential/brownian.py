"""The score process of an experiment, watched at its looks and stopped at boundaries.

With information fraction t the score S = Z * sqrt(t) is Brownian motion with a drift. Between two looks the
part that has not stopped yet is convolved with a normal kernel (Armitage, McPherson and Rowe 1969, JRSS A
132:235-244); the convolution is a Gauss-Legendre rule on panels. Everything is computed once without drift:
a drift multiplies the density of the surviving paths by exp(drift * s - drift² * t / 2) (Girsanov), so
power, p-values and bounds under any effect reuse the same nodes.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy.special import ndtr, ndtri_exp

from assay_stats.undefined import Floats

_ORDER = 16
_NODES, _WEIGHTS = leggauss(_ORDER)
# Values at the nodes of one panel times this matrix are the coefficients of their Legendre expansion.
_TO_LEGENDRE = (legvander(_NODES, _ORDER - 1) * _WEIGHTS[:, None]) * (np.arange(_ORDER) + 0.5)
_WINDOW = np.array([-9.0, -6.0, -3.5, -1.5, 0.0, 1.5, 3.5, 6.0, 9.0])
_PANEL_WIDTH = 2.5
_MOST_PANELS = 80
_REACH = 9.0
_DEEPEST_REACH = 37.0
_STEPS = 200
_SQRT_2PI = math.sqrt(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Survivors:
    """Density, without drift, of the score on the paths that are still between all boundaries so far.

    Attributes:
        time: Information fraction of the last look.
        nodes: `(n_nodes,)` places of the score.
        mass: `(n_nodes,)` quadrature weight times density.
        edges: `(n_panels + 1,)` of the panels; empty for a single point.
        past: Boundaries met so far with their times; the density has smoothed steps there.
        is_fine: Whether the panels resolve the kernel of the next step directly.
        origin: Time and score at which all paths were together.
    """

    time: float
    nodes: Floats
    mass: Floats
    edges: Floats
    past: tuple[tuple[float, float], ...]
    is_fine: bool
    origin: tuple[float, float] = (0.0, 0.0)

    @property
    def probability(self) -> float:
        """Probability, without drift, to be still between the boundaries."""
        return float(self.mass.sum())


def started(*, time: float = 0.0, score: float = 0.0) -> Survivors:
    """All paths at one known point: the beginning, or where an experiment stands now."""
    return Survivors(
        time, np.array([score]), np.array([1.0]), np.empty(0), (), is_fine=True, origin=(time, score)
    )


def exceedance(
    survivors: Survivors, *, time: float, bound: Floats | float, drift: Floats | float = 0.0
) -> Floats:
    """Probability of having survived so far and of a score above `bound` at `time`.

    Args:
        bound: Any shape that broadcasts with `drift`.
        drift: Of the score per unit of information fraction.
    """
    step = time - survivors.time
    bounds, drifts = np.broadcast_arrays(
        np.asarray(bound, dtype=np.float64), np.asarray(drift, dtype=np.float64)
    )
    nodes, mass = _rule(survivors, step, bounds)
    slope = drifts[..., None]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        elapsed, moved = survivors.time - survivors.origin[0], nodes - survivors.origin[1]
        tilt = np.exp(slope * moved - slope**2 * elapsed / 2)
        tails = ndtr((nodes + slope * step - bounds[..., None]) / math.sqrt(step))
        return np.sum(np.where(tails > 0, mass * tilt * tails, 0.0), axis=-1)


def shortfall(
    survivors: Survivors, *, time: float, bound: Floats | float, drift: Floats | float = 0.0
) -> Floats:
    """Probability of having survived so far and of a score below `bound` at `time`."""
    return exceedance(mirrored(survivors), time=time, bound=-np.asarray(bound), drift=-np.asarray(drift))


def mirrored(survivors: Survivors) -> Survivors:
    """The same paths with their sign changed."""
    return Survivors(
        survivors.time,
        -survivors.nodes[::-1],
        survivors.mass[::-1],
        -survivors.edges[::-1],
        tuple((time, -bound) for time, bound in survivors.past),
        is_fine=survivors.is_fine,
        origin=(survivors.origin[0], -survivors.origin[1]),
    )


def bound_for(survivors: Survivors, *, time: float, log_probability: float) -> float:
    """The score that is exceeded at `time` with a given probability; inf for log_probability = -inf.

    Newton's steps start from the bound that ignores survival, which lies to the right of the root; the
    logarithm of the exceedance falls and is concave there.
    """
    if log_probability == -np.inf:
        return np.inf
    if survivors.time == survivors.origin[0]:
        return float(survivors.nodes[0] - math.sqrt(time - survivors.time) * ndtri_exp(log_probability))
    if log_probability >= np.log(survivors.probability):
        return -np.inf
    return _newton(survivors, time, log_probability)


def advanced(
    survivors: Survivors, *, time: float, lower: float, upper: float, next_time: float, reach: float = _REACH
) -> Survivors:
    """The paths that are between `lower` and `upper` at `time`, on nodes fit for the step to `next_time`.

    Args:
        lower: Boundary; -inf for none.
        upper: Boundary; inf for none.
        reach: Where there is no boundary, nodes end at this many standard deviations.
    """
    began, score = survivors.origin
    cut = min(reach, _DEEPEST_REACH) * math.sqrt(time - began)
    low, high = max(lower, score - cut), min(upper, score + cut)
    if low >= high:
        return Survivors(
            time, np.zeros(1), np.zeros(1), np.empty(0), (), is_fine=True, origin=survivors.origin
        )
    step_out = next_time - time
    is_fine = (high - low) / (_PANEL_WIDTH * math.sqrt(step_out)) <= _MOST_PANELS
    base = _PANEL_WIDTH * math.sqrt(step_out) if is_fine else math.sqrt(time - began) / 2
    edges = _edges(low, high, width=base, features=_features(survivors, time))
    nodes, weights = _panels(edges)
    density = _density(survivors, time, nodes)
    past = tuple((time, bound) for bound in (lower, upper) if np.isfinite(bound))
    return Survivors(
        time, nodes, weights * density, edges, survivors.past + past, bool(is_fine), survivors.origin
    )


def _newton(survivors: Survivors, time: float, log_probability: float) -> float:
    """Newton's steps on the logarithm, halving the bracket instead where they would leave it."""
    unit = math.sqrt(time)
    farthest = _DEEPEST_REACH * math.sqrt(time - survivors.time)
    low, high = float(survivors.edges[0] - farthest), float(survivors.edges[-1] + farthest)
    bound = min(max(-unit * float(ndtri_exp(log_probability)), low), high)
    for _ in range(_STEPS):
        above, density = _tail_and_density(survivors, time, bound)
        excess = np.log(above) - log_probability if above > 0 else -np.inf
        low, high = (bound, high) if excess > 0 else (low, bound)
        target = bound + excess * above / density if above > 0 and density > 0 else np.nan
        target = target if low < target < high else (low + high) / 2
        if abs(target - bound) <= 1e-14 * unit or excess == 0:
            break
        bound = target
    return bound


def _tail_and_density(survivors: Survivors, time: float, bound: float) -> tuple[float, float]:
    scale = math.sqrt(time - survivors.time)
    nodes, mass = _rule(survivors, time - survivors.time, np.asarray(bound))
    gap = (nodes - bound) / scale
    with np.errstate(under="ignore"):
        density = np.sum(mass * np.exp(-(gap**2) / 2)) / (_SQRT_2PI * scale)
        return float(np.sum(mass * ndtr(gap))), float(density)


def _features(survivors: Survivors, time: float) -> list[tuple[float, float]]:
    """Where the density has a smoothed step, and how wide it is."""
    return [(bound, math.sqrt(time - met)) for met, bound in survivors.past] or [(0.0, math.sqrt(time))]


def _edges(low: float, high: float, *, width: float, features: list[tuple[float, float]]) -> Floats:
    """Panels no wider than `width`, and graded down to the scale of each feature near it."""
    count = int(np.ceil((high - low) / width))
    edges = [np.linspace(low, high, count + 1)]
    for place, scale in features:
        finest = _PANEL_WIDTH * scale
        if finest < 0.9 * width:
            offsets = np.ldexp(finest, np.arange(math.ceil(math.log2(width / finest)) + 1))
            edges.append(place + np.concatenate([-offsets, [0.0], offsets]))
    joined = np.unique(np.concatenate(edges))
    joined = joined[(joined >= low) & (joined <= high)]
    distinct = np.concatenate([[True], np.diff(joined) > 1e-14 * (high - low)])
    return joined[distinct]


def _panels(edges: Floats) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights between consecutive edges, `(..., n_edges)` to `(..., n_nodes)`."""
    half = np.diff(edges, axis=-1)[..., None] / 2
    centre = edges[..., :-1, None] + half
    shape = (*edges.shape[:-1], -1)
    return (centre + half * _NODES).reshape(shape), (half * _WEIGHTS).reshape(shape)


def _density(survivors: Survivors, time: float, places: Floats) -> Floats:
    step = time - survivors.time
    if survivors.is_fine:
        gaps = (places[:, None] - survivors.nodes) / math.sqrt(step)
        np.square(gaps, out=gaps)
        gaps *= -0.5
        with np.errstate(under="ignore"):
            np.exp(gaps, out=gaps)
        return gaps @ survivors.mass / (_SQRT_2PI * math.sqrt(step))
    nodes, mass = _local_rule(survivors, step, places)
    with np.errstate(under="ignore"):
        kernel = np.exp(-(((places[:, None] - nodes) / math.sqrt(step)) ** 2) / 2)
    return np.sum(mass * kernel, axis=-1) / (_SQRT_2PI * math.sqrt(step))


def _rule(survivors: Survivors, step: float, bounds: Floats) -> tuple[Floats, Floats]:
    """Nodes and masses fit to integrate a normal tail function centred at each bound."""
    if survivors.is_fine:
        return survivors.nodes, survivors.mass
    local, local_mass = _local_rule(survivors, step, bounds)
    end = np.clip(bounds + _WINDOW[-1] * math.sqrt(step), survivors.edges[0], survivors.edges[-1])
    beyond = np.maximum(survivors.edges, end[..., None])
    nodes, weights = _panels(beyond)
    far_mass = weights * _interpolated(survivors, nodes)
    return np.concatenate([local, nodes], axis=-1), np.concatenate([local_mass, far_mass], axis=-1)


def _local_rule(survivors: Survivors, step: float, places: Floats) -> tuple[Floats, Floats]:
    """A rule on the reach of a kernel much narrower than the panels, split where the density itself is
    steep."""
    scale = math.sqrt(step)
    windows = [places[..., None] + _WINDOW * scale]
    for place, width in _features(survivors, survivors.time):
        if width < _PANEL_WIDTH * scale:
            windows.append(np.broadcast_to(place + _WINDOW * width, (*places.shape, _WINDOW.size)))
    edges = np.sort(np.concatenate(windows, axis=-1), axis=-1)
    reach = _WINDOW[-1] * scale
    low = np.maximum(places - reach, survivors.edges[0])[..., None]
    high = np.minimum(places + reach, survivors.edges[-1])[..., None]
    nodes, weights = _panels(np.clip(edges, np.minimum(low, high), high))
    return nodes, weights * _interpolated(survivors, nodes)


def _interpolated(survivors: Survivors, places: Floats) -> Floats:
    """The density at any place inside the panels, from its Legendre expansion on each of them."""
    edges = survivors.edges
    _, weights = _panels(edges)
    coefficients = (survivors.mass / weights).reshape(-1, _ORDER) @ _TO_LEGENDRE
    panel = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, edges.size - 2)
    local = np.clip(2 * (places - edges[panel]) / (edges[panel + 1] - edges[panel]) - 1, -1, 1)
    return np.maximum(np.sum(legvander(local, _ORDER - 1) * coefficients[panel], axis=-1), 0.0)


__all__ = ["Survivors", "advanced", "bound_for", "exceedance", "mirrored", "shortfall", "started"]
