"""Roots of many bracketed equations at once."""

from collections.abc import Callable

import numpy as np

from assay_stats.undefined import Bools, Floats

_Point = tuple[Floats, Floats]
_MOST_STEPS = 100
_EPS = float(np.finfo(np.float64).eps)


def bracketed_root(function: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """The root between `low` and `high`, entry by entry, to the last digits.

    Where the function has the same sign at both ends, the end with the smaller value is returned.

    Args:
        function: Continuous; maps an array of the common shape to one of the same shape.
        low: One end of each bracket.
        high: The other end.
    Source: Chandrupatla (1997), Advances in Engineering Software 28:145-149.
    """
    a, b = (np.array(end, dtype=np.float64) for end in np.broadcast_arrays(low, high))
    f_a, f_b = function(a), function(b)
    c, f_c = a.copy(), f_a.copy()
    share = np.full(a.shape, 0.5)
    done = _agree(f_a, f_b)
    for _ in range(_MOST_STEPS):
        x = a + share * (b - a)
        f_x = function(x)
        same = _agree(f_x, f_a)
        c, f_c = np.where(done, c, np.where(same, a, b)), np.where(done, f_c, np.where(same, f_a, f_b))
        b, f_b = np.where(done | same, b, a), np.where(done | same, f_b, f_a)
        a, f_a = np.where(done, a, x), np.where(done, f_a, f_x)
        best = np.where(np.abs(f_a) < np.abs(f_b), a, b)
        tolerance = _EPS * np.abs(best) + np.finfo(np.float64).tiny
        width = np.abs(b - a)
        done = done | (width <= 2 * tolerance) | (f_a == 0) | (f_b == 0)
        if done.all():
            break
        least = tolerance / np.maximum(width, tolerance)
        share = np.clip(_interpolated_share((a, f_a), (b, f_b), (c, f_c)), least, 1 - least)
    return np.where(np.abs(f_a) < np.abs(f_b), a, b)[()]


def _agree(first: Floats, second: Floats) -> Bools:
    return np.equal(np.sign(first), np.sign(second))


def _interpolated_share(newest: _Point, opposite: _Point, oldest: _Point) -> Floats:
    """Where to look next: inverse quadratic interpolation where it is safe, bisection elsewhere."""
    (a, f_a), (b, f_b), (c, f_c) = newest, opposite, oldest
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        near = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        far = (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        safe: Bools = (phi * phi < xi) & ((1 - phi) ** 2 < 1 - xi) & np.isfinite(near + far)
    return np.where(safe, near + far, 0.5)
