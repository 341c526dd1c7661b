"""The level at which a correction has tested each of many hypotheses.

A corrected p-value alone would leave the interval beside it at another level, and the two would disagree.
Every procedure here rejects a hypothesis exactly when its plain p-value is below a level of its own, so the
interval at that level excludes the null exactly when the hypothesis is rejected. Bonferroni's intervals
cover together; Benjamini and Hochberg's have a false coverage rate of at most alpha (Benjamini and Yekutieli
2005, JASA 100:71-81); Holm's agree with its decisions and do not cover together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from assay.analysis.methods import Correction
from assay_stats.multiplicity import benjamini_hochberg, bonferroni, hochberg, holm


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction makes of a family of p-values, in their order.

    Attributes:
        p_values: To be compared with the family's alpha; NaN where there was none.
        alphas: What each plain p-value is compared with.
    """

    p_values: tuple[float, ...]
    alphas: tuple[float, ...]


def corrected(p_values: Sequence[float], *, alpha: float, correction: Correction) -> Corrected:
    """A family of p-values, corrected; NaN counts for nothing.

    Args:
        alpha: Error rate of the family.
    """
    tested = int(np.isfinite(p_values).sum())
    match correction:
        case Correction.NONE:
            return Corrected(tuple(p_values), (alpha,) * len(p_values))
        case Correction.BONFERRONI:
            return _shared(bonferroni(p_values).tolist(), alpha / max(tested, 1))
        case Correction.BENJAMINI_HOCHBERG:
            adjusted = benjamini_hochberg(p_values).tolist()
            return _shared(adjusted, alpha * (max(_rejected(adjusted, alpha), 1) / max(tested, 1)))
        case Correction.HOCHBERG:
            adjusted = hochberg(p_values).tolist()
            return _shared(adjusted, alpha / max(tested - max(_rejected(adjusted, alpha), 1) + 1, 1))
        case Correction.HOLM:
            return _stepwise(p_values, holm(p_values).tolist(), alpha, tested)
        case _:
            assert_never(correction)


def strictest_alpha(size: int, *, alpha: float, correction: Correction) -> float:
    """What every p-value of a family is at least compared with, whatever the others are."""
    return alpha if correction is Correction.NONE else alpha / max(size, 1)


def _shared(adjusted: list[float], alpha: float) -> Corrected:
    return Corrected(tuple(adjusted), (alpha,) * len(adjusted))


def _rejected(adjusted: list[float], alpha: float) -> int:
    return sum(p < alpha for p in adjusted)


def _stepwise(p_values: Sequence[float], adjusted: list[float], alpha: float, tested: int) -> Corrected:
    """Holm compares the r-th smallest with alpha / (m - r + 1) and stops at the first that it keeps."""
    last_step = min(_rejected(adjusted, alpha), max(tested - 1, 0))
    order = np.argsort(np.argsort(p_values, kind="stable"), kind="stable").tolist()
    return Corrected(tuple(adjusted), tuple(alpha / max(tested - min(rank, last_step), 1) for rank in order))
