"""Exact tests of two proportions, for small counts. The caller chooses one; nothing switches to them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np

from assay_stats.proportions import Counts
from assay_stats.results import Result
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats, blank, merge_reasons


class ExactMethod(StrEnum):
    """Which exact test."""

    FISHER = "fisher"
    """Conditional on the total of successes; conservative."""
    BOSCHLOO = "boschloo"
    """Unconditional, uniformly more powerful than Fisher's."""
    BARNARD = "barnard"
    """Unconditional, on the pooled z statistic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactTest(Result):
    """An exact test; it has no interval, so show it beside the score interval only with its name.

    Attributes:
        value: Treatment share minus control share.
        p_value: Exact probability under equal shares.
        alternative: The side that counts as evidence.
        method: Name of the test.
    """

    value: Floats
    p_value: Floats
    alternative: Alternative
    method: str


def exact_proportions(
    control: Counts,
    treatment: Counts,
    *,
    method: ExactMethod,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> ExactTest:
    """Test equality of two proportions exactly; worth its time when `smallest_expected_count` is below 5.

    Args:
        control: Counts of any shape.
        treatment: Counts that broadcast against them.
        method: Which exact test.
        alternative: The side that counts as evidence.
    Source: Fisher (1935); Boschloo (1970), Statistica Neerlandica 24:1-35; Barnard (1947). Computed by
        `scipy.stats`, one table at a time.
    """
    codes = merge_reasons(control.defects, treatment.defects)
    parts = np.broadcast_arrays(control.successes, control.n, treatment.successes, treatment.n, codes)
    p_values = np.full(parts[0].shape, np.nan)
    for index in np.ndindex(p_values.shape):
        x0, n0, x1, n1, code = (part[index] for part in parts)
        if code == 0:
            p_values[index] = _p_value(
                np.array([[x1, n1 - x1], [x0, n0 - x0]], dtype=int), method, alternative
            )
    return ExactTest(
        value=blank((treatment.share - control.share)[()], codes),
        p_value=p_values[()],
        alternative=alternative,
        method=method.value,
        reason_codes=codes,
    )


def smallest_expected_count(control: Counts, treatment: Counts) -> Floats:
    """The smallest of the four counts that equal shares would give; below 5, asymptotics are doubtful.

    Args:
        control: Counts of any shape.
        treatment: The same of the other arm.
    Returns:
        Expected units in the rarest of the four cells.
    Source: The rule of Cochran (1954), Biometrics 10:417-451. Checked against R 4.2.2 `chisq.test`.
    """
    with np.errstate(all="ignore"):
        pooled = (control.successes + treatment.successes) / (control.n + treatment.n)
        return np.minimum(control.n, treatment.n) * np.minimum(pooled, 1 - pooled)


def _p_value(
    table: np.ndarray[tuple[int, int], np.dtype[np.int_]], method: ExactMethod, side: Alternative
) -> float:
    from scipy import stats  # noqa: PLC0415 — too slow to import on the hot path

    match method:
        case ExactMethod.FISHER:
            return float(stats.fisher_exact(table, alternative=side.value).pvalue)
        case ExactMethod.BOSCHLOO:
            # scipy compares columns, and takes the first as the one that may be greater.
            return float(stats.boschloo_exact(table.T, alternative=side.value).pvalue)
        case ExactMethod.BARNARD:
            return float(stats.barnard_exact(table.T, alternative=side.value).pvalue)
        case _:
            assert_never(method)
