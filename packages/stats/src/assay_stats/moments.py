"""Sufficient statistics of an experiment: counts, means and *centred* second moments; `+` merges samples.

Raw power sums are never kept. With a mean of 1e9 and a standard deviation of 1 their variance is nothing but
rounding error; centred moments, or sums of values less a pilot mean, keep every digit.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from types import EllipsisType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay_stats.checks import as_floats
from assay_stats.undefined import Bools, Codes, Floats, Reason, first_reason, none_missing

Index = (
    int
    | slice
    | EllipsisType
    | None
    | tuple[int | slice | EllipsisType | None, ...]
    | NDArray[np.intp]
    | Bools
)

_LARGEST_EXACT_INTEGER = 2.0**53
_RESOLVED_SHARE = 1e-10
_EPS = float(np.finfo(np.float64).eps)


class NullPolicy(StrEnum):
    """What a unit without a value means."""

    ZERO_FILL = "zero_fill"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True, init=False)
class Moments:
    """One metric in one or many samples (arms, strata, looks), broadcast over any shape.

    Attributes:
        n: Units that count.
        mean: Their mean; NaN where n is 0.
        m2: Sum of squared deviations from the mean (not divided).
        missing: Units left out because they had no value.
    """

    n: Floats
    mean: Floats
    m2: Floats
    missing: Floats

    def __init__(self, n: ArrayLike, mean: ArrayLike, m2: ArrayLike, missing: ArrayLike = 0.0) -> None:
        object.__setattr__(self, "n", as_floats(n))
        object.__setattr__(self, "mean", as_floats(mean))
        object.__setattr__(self, "m2", as_floats(m2))
        object.__setattr__(self, "missing", as_floats(missing))

    @classmethod
    def empty(cls) -> Self:
        """The neutral element of `+`."""
        return cls(n=as_floats(0.0), mean=as_floats(np.nan), m2=as_floats(0.0))

    @classmethod
    def from_values(cls, values: ArrayLike, *, nulls: NullPolicy | None = None, axis: int = -1) -> Self:
        """Moments of raw values, one per unit, along `axis`; NaN is a missing value.

        Args:
            values: `(..., n_units)`.
            nulls: What NaN means. Required as soon as there is one.
        Raises:
            ValueError: A value is NaN and no policy is given.
        """
        units = np.moveaxis(np.asarray(values, dtype=np.float64), axis, -1)
        absent = np.isnan(units)
        if nulls is None and absent.any():
            raise _unexplained(absent)
        if nulls is NullPolicy.ZERO_FILL:
            return cls._from_complete(np.where(absent, 0.0, units))
        return cls._from_present(units, ~absent) if absent.any() else cls._from_complete(units)

    @classmethod
    def from_summary(cls, n: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> Self:
        """Moments of a published summary; `variance` is the sample variance (divided by n - 1)."""
        count = as_floats(n)
        return cls(n=count, mean=as_floats(mean), m2=as_floats(variance) * (count - 1))

    @classmethod
    def from_counts(cls, n: ArrayLike, successes: ArrayLike) -> Self:
        """Moments of n zeros and ones."""
        count, ones = as_floats(n), as_floats(successes)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = ones / count
            return cls(n=count, mean=mean, m2=np.where(count > 0, ones * (1 - mean), 0.0)[()])

    @classmethod
    def from_shifted_sums(
        cls,
        n: ArrayLike,
        shift: ArrayLike,
        total: ArrayLike,
        total_squares: ArrayLike,
        *,
        missing: ArrayLike = 0.0,
    ) -> Self:
        """Moments of sums over `x - shift`, as one SQL pass gives them.

        A variance that cancellation has left without digits becomes NaN, which every method reports as
        `Reason.NOT_FINITE`: shift by something near the mean.

        Args:
            n: Units with a value.
            shift: What was subtracted from every value before summing, near the mean.
            total: Sum of `x - shift`.
            total_squares: Sum of `(x - shift)²`.
            missing: Units without a value, which are not in `n`; see `zero_filled`.
        """
        count, pilot, first, second = (as_floats(part) for part in (n, shift, total, total_squares))
        with np.errstate(all="ignore"):
            offset = first / count
            mean = pilot + offset
            m2 = second - first * offset
            # Rounding of the sums must itself be too small to hide a variance.
            # Squares that are 0 beside a sum that is not have underflowed.
            m2 = np.where((second == 0) & (first != 0), np.nan, m2)
            constant = np.abs(m2) + _EPS * second <= count * (2 * _EPS * mean) ** 2
            m2 = np.where(
                (count == 0) | constant, 0.0, _resolved(m2, second, exact=_is_exact(first, second))
            )[()]
        return cls(n=count, mean=mean, m2=m2, missing=as_floats(missing))

    def __add__(self, other: "Moments") -> "Moments":
        n = self.n + other.n
        with np.errstate(all="ignore"):
            gap = np.where((self.n > 0) & (other.n > 0), other.mean - self.mean, 0.0)[()]
            start = np.where(self.n > 0, self.mean, other.mean)[()]
            share = np.where(n > 0, other.n / n, 0.0)[()]
            mean = start + gap * share
            m2 = self.m2 + other.m2 + gap * (gap * (self.n * share))
        return Moments(n=n, mean=mean, m2=m2, missing=self.missing + other.missing)

    def __getitem__(self, index: Index) -> "Moments":
        """A part of the samples, by the rules of numpy indexing."""
        n, mean, m2, missing = np.broadcast_arrays(self.n, self.mean, self.m2, self.missing)
        return Moments(n[index], mean[index], m2[index], missing[index])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the samples; `()` for one."""
        return np.broadcast_shapes(self.n.shape, self.mean.shape, self.m2.shape)

    @property
    def variance(self) -> Floats:
        """Sample variance; NaN below two units."""
        with np.errstate(all="ignore"):
            return self.m2 / np.where(self.n > 1, self.n - 1, np.nan)[()]

    @property
    def total(self) -> Floats:
        """Sum of the values."""
        return np.where(self.n > 0, self.n * self.mean, 0.0)[()]

    def zero_filled(self) -> "Moments":
        """The units without a value counted as zeros, exactly, without another pass over the data."""
        zeros = Moments(n=self.missing, mean=as_floats(0.0), m2=as_floats(0.0))
        return Moments(n=self.n, mean=self.mean, m2=self.m2) + zeros

    def scaled(self, factor: ArrayLike) -> "Moments":
        """Moments of `factor * x`."""
        by = as_floats(factor)
        return Moments(n=self.n, mean=self.mean * by, m2=self.m2 * by * by, missing=self.missing)

    def shifted(self, offset: ArrayLike) -> "Moments":
        """Moments of `x + offset`."""
        return Moments(n=self.n, mean=self.mean + as_floats(offset), m2=self.m2, missing=self.missing)

    @property
    def defects(self) -> Codes:
        """Why these moments cannot carry a standard error."""
        finite = np.isfinite(self.n) & np.isfinite(self.mean) & np.isfinite(self.m2)
        sound = finite & (self.n >= 2) & (self.m2 >= 0)  # noqa: PLR2004 — a variance needs two
        if sound if sound.ndim == 0 else sound.all():
            return none_missing(sound)
        return first_reason(
            (self.n == 0, Reason.EMPTY_ARM),
            (~finite, Reason.NOT_FINITE),
            (self.m2 < 0, Reason.NEGATIVE_VARIANCE),
            (self.n < 2, Reason.TOO_FEW_UNITS),  # noqa: PLR2004 — a variance needs two
        )

    @classmethod
    def _from_complete(cls, units: Floats) -> Self:
        return cls._from_present(units, np.ones(units.shape, dtype=np.bool_))

    @classmethod
    def _from_present(cls, units: Floats, present: Bools) -> Self:
        n: Floats = present.sum(axis=-1).astype(np.float64)
        missing: Floats = (~present).sum(axis=-1).astype(np.float64)
        with np.errstate(all="ignore"):
            pilot: Floats = np.where(present, units, 0.0).sum(axis=-1) / n
            # The second pass removes what rounding left in the first mean.
            mean = pilot + _residuals(units, present, pilot).sum(axis=-1) / n
            residuals = _residuals(units, present, mean)
            rounding: Floats = residuals.sum(axis=-1)
            m2: Floats = (residuals * residuals).sum(axis=-1) - rounding * rounding / np.maximum(n, 1.0)
            # A variance that underflowed to 0 must not pass for a metric that does not vary.
            m2 = np.where(_is_constant(units, present), 0.0, np.where(m2 > 0, m2, np.nan))
        return cls(n=n[()], mean=mean[()], m2=m2[()], missing=missing[()])


def _residuals(units: Floats, present: Bools, centre: Floats) -> Floats:
    return np.where(present, units - centre[..., None], 0.0)


def _unexplained(absent: Bools) -> ValueError:
    return ValueError(
        f"{int(absent.sum())} values are missing: say what that means with nulls=NullPolicy.ZERO_FILL "
        "(a unit without events) or nulls=NullPolicy.EXCLUDE (not measured)"
    )


def _is_constant(units: Floats, present: Bools) -> Bools:
    highest: Floats = np.where(present, units, -np.inf).max(axis=-1, initial=-np.inf)
    lowest: Floats = np.where(present, units, np.inf).min(axis=-1, initial=np.inf)
    return highest <= lowest


def _is_exact(*sums: Floats) -> Bools:
    """Sums of integers below 2**53 carry no rounding, however much they cancel."""
    whole = [(total == np.floor(total)) & (np.abs(total) < _LARGEST_EXACT_INTEGER) for total in sums]
    return reduce(np.logical_and, whole)


def _resolved(m2: Floats, total_squares: Floats, *, exact: Bools) -> Floats:
    """`m2` where the subtraction left it enough digits, else NaN."""
    rounded = np.where(exact, np.maximum(m2, 0.0), np.nan)
    return np.where(m2 >= _RESOLVED_SHARE * total_squares, m2, rounded)


@dataclass(frozen=True, slots=True, init=False)
class JointMoments:
    """Several metrics of the same units: means and all co-moments, broadcast over leading axes.

    Attributes:
        n: `(...)` units that count.
        means: `(..., k)`; NaN where n is 0.
        comoments: `(..., k, k)` sums of products of deviations from the means (not divided).
        missing: `(...)` units left out because a value was missing.
    """

    n: Floats
    means: Floats
    comoments: Floats
    missing: Floats

    def __init__(
        self, n: ArrayLike, means: ArrayLike, comoments: ArrayLike, missing: ArrayLike = 0.0
    ) -> None:
        object.__setattr__(self, "n", as_floats(n))
        object.__setattr__(self, "means", np.asarray(means, dtype=np.float64))
        object.__setattr__(self, "comoments", np.asarray(comoments, dtype=np.float64))
        object.__setattr__(self, "missing", as_floats(missing))
        if self.comoments.shape[-2:] != (self.k, self.k):
            raise ValueError(
                f"{self.k} means need comoments (..., {self.k}, {self.k}); got {self.comoments.shape}"
            )

    @classmethod
    def empty(cls, k: int) -> Self:
        """The neutral element of `+` for k columns."""
        return cls(n=as_floats(0.0), means=np.full(k, np.nan), comoments=np.zeros((k, k)))

    @classmethod
    def from_values(cls, values: ArrayLike, *, nulls: NullPolicy | None = None) -> Self:
        """Moments of raw rows; a unit with any NaN is excluded as a whole, or its NaN become 0.

        Args:
            values: `(n_units, k)`.
            nulls: What NaN means. Required as soon as there is one.
        Raises:
            ValueError: A value is NaN and no policy is given, or `values` is not a matrix.
        """
        rows = np.asarray(values, dtype=np.float64)
        if rows.ndim != 2:  # noqa: PLR2004 — a matrix
            raise ValueError(f"values must have shape (n_units, k); got {rows.shape}")
        absent = np.isnan(rows)
        if nulls is None and absent.any():
            raise _unexplained(absent)
        rows = np.where(absent, 0.0, rows)
        kept = rows[~absent.any(axis=1)] if nulls is NullPolicy.EXCLUDE else rows
        return cls._from_complete(kept, missing=float(len(rows) - len(kept)))

    @classmethod
    def from_shifted_sums(
        cls,
        n: ArrayLike,
        shift: ArrayLike,
        totals: ArrayLike,
        products: ArrayLike,
        *,
        missing: ArrayLike = 0.0,
    ) -> Self:
        """Moments of sums over `x - shift`; the columns of a plan share one pass.

        Args:
            n: `(...)` units.
            shift: `(k,)` subtracted from each column, near its mean.
            totals: `(..., k)` sums of `x_i - shift_i`.
            products: `(..., k, k)` sums of `(x_i - shift_i) * (x_j - shift_j)`.
            missing: `(...)` units excluded because a value was missing.
        """
        count, pilot, first, second = (as_floats(part) for part in (n, shift, totals, products))
        squares: Floats = np.diagonal(second, axis1=-2, axis2=-1)
        single = Moments.from_shifted_sums(count[..., None], pilot, first, squares)
        with np.errstate(all="ignore"):
            crossed = first[..., :, None] * (first / count[..., None])[..., None, :]
            comoments = np.where(count[..., None, None] > 0, second - crossed, 0.0)
        comoments = np.where(np.eye(pilot.shape[-1], dtype=np.bool_), single.m2[..., None, :], comoments)
        return cls(n=count, means=single.mean, comoments=comoments, missing=as_floats(missing))

    def __add__(self, other: "JointMoments") -> "JointMoments":
        n = self.n + other.n
        with np.errstate(all="ignore"):
            both = ((self.n > 0) & (other.n > 0))[..., None]
            gap = np.where(both, other.means - self.means, 0.0)
            start = np.where((self.n > 0)[..., None], self.means, other.means)
            share = np.where(n > 0, other.n / n, 0.0)
        means = start + gap * share[..., None]
        crossed = gap[..., :, None] * (gap * (self.n * share)[..., None])[..., None, :]
        comoments = self.comoments + other.comoments + crossed
        return JointMoments(n=n, means=means, comoments=comoments, missing=self.missing + other.missing)

    def __getitem__(self, index: Index) -> "JointMoments":
        """A part of the samples, by the rules of numpy indexing over the leading axes."""
        shape = self.shape
        n, missing = np.broadcast_to(self.n, shape), np.broadcast_to(self.missing, shape)
        means = np.broadcast_to(self.means, (*shape, self.k))
        comoments = np.broadcast_to(self.comoments, (*shape, self.k, self.k))
        return JointMoments(n[index], means[index], comoments[index], missing[index])

    @property
    def k(self) -> int:
        """Number of columns."""
        return self.means.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the samples; `()` for one."""
        return np.broadcast_shapes(self.n.shape, self.means.shape[:-1], self.comoments.shape[:-2])

    @property
    def covariance(self) -> Floats:
        """`(..., k, k)` sample covariance matrices; NaN below two units."""
        with np.errstate(all="ignore"):
            return self.comoments / np.where(self.n > 1, self.n - 1, np.nan)[..., None, None]

    def column(self, index: int) -> Moments:
        """The moments of one column."""
        return Moments(
            n=self.n, mean=self.means[..., index], m2=self.comoments[..., index, index], missing=self.missing
        )

    def select(self, *columns: int) -> "JointMoments":
        """The named columns, in the order given."""
        chosen = list(columns)
        comoments = self.comoments[..., chosen, :][..., :, chosen]
        return JointMoments(self.n, self.means[..., chosen], comoments, self.missing)

    def linear(self, matrix: ArrayLike) -> "JointMoments":
        """Moments of linear combinations of the columns.

        Args:
            matrix: `(..., m, k)`; each row holds the weights of one new column.
        """
        rows = as_floats(matrix)
        # A weight may be infinite, as one over a mean of 0 is; the methods report what came of it.
        with np.errstate(all="ignore"):
            means = np.einsum("...ij,...j->...i", rows, self.means)
            comoments = rows @ self.comoments @ np.swapaxes(rows, -1, -2)
        return JointMoments(self.n, means, comoments, self.missing)

    @property
    def defects(self) -> Codes:
        """Why these moments cannot carry a standard error, over all columns."""
        variances = np.diagonal(self.comoments, axis1=-2, axis2=-1)
        limit = np.sqrt(np.abs(variances[..., :, None] * variances[..., None, :]))
        impossible = (np.abs(self.comoments) > limit * (1 + 1e-9)).any(axis=(-2, -1))
        finite = np.isfinite(self.means).all(axis=-1) & np.isfinite(self.comoments).all(axis=(-2, -1))
        return first_reason(
            (self.n == 0, Reason.EMPTY_ARM),
            (~(finite & np.isfinite(self.n)), Reason.NOT_FINITE),
            ((variances < 0).any(axis=-1), Reason.NEGATIVE_VARIANCE),
            (impossible, Reason.IMPOSSIBLE_COVARIANCE),
            (self.n < 2, Reason.TOO_FEW_UNITS),  # noqa: PLR2004 — a variance needs two
        )

    @classmethod
    def _from_complete(cls, rows: Floats, *, missing: float) -> Self:
        single = Moments.from_values(rows, axis=0)
        with np.errstate(all="ignore"):
            centred = rows - single.mean
            comoments = centred.T @ centred
        np.fill_diagonal(comoments, single.m2)
        return cls(n=as_floats(len(rows)), means=single.mean, comoments=comoments, missing=as_floats(missing))
