"""What an inference hands back: frozen, printable, convertible, honest about what it could not compute."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from assay_stats import undefined
from assay_stats.display import html_table
from assay_stats.tails import NEARLY_UNDERFLOWN, Alternative, log_tail
from assay_stats.undefined import Bools, Codes, Floats, Reason

if TYPE_CHECKING:
    import pandas as pd


class Direction(StrEnum):
    """Whether a higher value of the metric is better."""

    HIGHER_IS_BETTER = "higher_is_better"
    LOWER_IS_BETTER = "lower_is_better"

    @property
    def sign(self) -> float:
        """1 or -1: what a change is multiplied by to become a benefit."""
        return 1.0 if self is Direction.HIGHER_IS_BETTER else -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Base of every result: the reason why entries are undefined, and conversions for notebooks.

    Attributes:
        reason_codes: 0 where everything is defined, else the code of a `Reason`; shape of the result.
    """

    reason_codes: Codes

    @property
    def reason(self) -> Reason | None:
        """Why a scalar result is incomplete, or `None`.

        Raises:
            ValueError: The result is an array; read `reasons`.
        """
        if np.ndim(self.reason_codes) != 0:
            raise ValueError(
                f"a result of shape {self.reason_codes.shape} has one reason per entry: read `reasons`"
            )
        return undefined.reason(self.reason_codes)

    @property
    def reasons(self) -> NDArray[np.object_]:
        """`None` or a `Reason` per entry."""
        return undefined.reasons(self.reason_codes)

    @property
    def is_defined(self) -> Bools:
        """True where nothing is missing."""
        return self.reason_codes == 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the hypotheses; `()` for one."""
        return np.broadcast_shapes(*(np.shape(value) for value in self._columns().values()))

    def to_dict(self) -> dict[str, NDArray[Any]]:
        """One flat array per field, `reason` in words; the columns of a table with one row per hypothesis."""
        shape = self.shape
        return {name: np.broadcast_to(value, shape).reshape(-1) for name, value in self._columns().items()}

    def to_pandas(self) -> "pd.DataFrame":
        """A `pandas.DataFrame`, one row per hypothesis. pandas must be installed."""
        import pandas as pd  # noqa: PLC0415 — only notebooks need it

        return pd.DataFrame(self.to_dict())

    def to_arrow(self) -> Any:  # noqa: ANN401 — a `pyarrow.Table`; pyarrow publishes no types
        """A `pyarrow.Table`, one row per hypothesis. pyarrow must be installed."""
        import pyarrow as pa  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  # only notebooks need it

        columns = {name: column.tolist() for name, column in self.to_dict().items()}
        return pa.table(columns)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self.to_dict())

    def _columns(self) -> dict[str, Any]:
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns["reason"] = undefined.reasons(np.asarray(columns.pop("reason_codes")))
        return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval(Result):
    """A number with an interval and no test of its own.

    Attributes:
        value: The estimate.
        standard_error: Its standard error; NaN where the method has none.
        lower: Lower end; -inf for a one-sided interval that only bounds from above.
        upper: Upper end; inf for a one-sided interval that only bounds from below.
        level: Coverage of the interval.
        method: Name of the method.
    """

    value: Floats
    standard_error: Floats
    lower: Floats
    upper: Floats
    level: Floats
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(Interval):
    """A difference with its interval and the one test dual to it.

    Attributes:
        value: Treatment minus control, in the metric's own unit.
        statistic: Standardised distance from `null`.
        degrees_of_freedom: Of the reference t distribution; inf for the normal.
        p_value: Probability under `null` of a statistic at least as extreme, on the side of `alternative`.
        null: The value tested against.
        alternative: The side that counts as evidence; it also shapes the interval.
    """

    statistic: Floats
    degrees_of_freedom: Floats
    p_value: Floats
    null: Floats
    alternative: Alternative

    @property
    def log_p_value(self) -> Floats:
        """Natural logarithm of the p-value; exact where the p-value itself underflows to 0."""
        with np.errstate(divide="ignore"):
            plain = np.log(self.p_value)
        deep = log_tail(self.statistic, self.degrees_of_freedom, self.alternative)
        return np.where(self.p_value > NEARLY_UNDERFLOWN, plain, deep)[()]

    def p_value_towards(self, side: Alternative) -> Floats:
        """The one-sided p-value on one side of `null`, derived from the p-value that the estimate shows.

        Args:
            side: `Alternative.GREATER` or `Alternative.LESS`.
        Raises:
            ValueError: `side` is two-sided, or this estimate only looked at the other side.
        """
        if side is Alternative.TWO_SIDED:
            raise ValueError("ask for one side: Alternative.GREATER or Alternative.LESS")
        if self.alternative is side:
            return self.p_value
        if self.alternative is Alternative.TWO_SIDED:
            return self._one_side_of_two(self._lies_towards(side))
        return self._unseen_side()

    def _lies_towards(self, side: Alternative) -> Bools:
        return self.statistic > 0 if side is Alternative.GREATER else self.statistic < 0

    def _one_side_of_two(self, towards: Bools) -> Floats:
        return np.where(towards, self.p_value / 2, 1 - self.p_value / 2)[()]

    def _unseen_side(self) -> Floats:
        return 1 - self.p_value

    def as_benefit(self, direction: Direction) -> Self:
        """The same estimate, its sign such that positive is better: the one place where direction acts."""
        return self if direction is Direction.HIGHER_IS_BETTER else self._negated()

    def _negated(self) -> Self:
        return replace(
            self,
            value=-self.value,
            lower=-self.upper,
            upper=-self.lower,
            statistic=-self.statistic,
            null=-self.null,
            alternative=self.alternative.mirrored,
        )
