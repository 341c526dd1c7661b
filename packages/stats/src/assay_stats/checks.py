"""Arguments that a caller got wrong are refused here, in one sentence with the value that was wrong."""

import numpy as np
from numpy.typing import ArrayLike

from assay_stats.undefined import Floats


def as_floats(values: ArrayLike) -> Floats:
    """`values` as float64; a scalar stays a scalar, which is several times faster than a 0-d array."""
    if type(values) in (float, int, np.float64):
        return np.float64(values)  # pyright: ignore[reportReturnType, reportArgumentType]  # quacks as 0-d
    return np.asarray(values, dtype=np.float64)[()]


def checked_level(level: ArrayLike, *, name: str = "level") -> Floats:
    """A probability strictly between 0 and 1.

    Raises:
        ValueError: Any entry is outside (0, 1); the message names a likely percent.
    """
    values = as_floats(level)
    if values.ndim == 0 and 0 < values < 1:
        return values
    if not np.all((values > 0) & (values < 1)):
        raise ValueError(f"{name} must lie strictly between 0 and 1 (write 0.95, not 95); got {level!r}")
    return values


def checked_positive(value: ArrayLike, *, name: str) -> Floats:
    """A finite number above 0.

    Raises:
        ValueError: Any entry is not.
    """
    values = as_floats(value)
    if not np.all((values > 0) & np.isfinite(values)):
        raise ValueError(f"{name} must be positive and finite; got {value!r}")
    return values


def complete_values(values: ArrayLike, *, name: str) -> Floats:
    """A vector without missing values.

    Raises:
        ValueError: It has NaN or more than one dimension.
    """
    units = np.asarray(values, dtype=np.float64)
    if units.ndim != 1:
        raise ValueError(f"{name} must be one value per unit, shape (n_units,); got shape {units.shape}")
    missing = int(np.isnan(units).sum())
    if missing:
        raise ValueError(f"{missing} values of {name} are missing: fill or drop them, whichever is meant")
    return units
