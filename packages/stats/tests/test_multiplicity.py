"""Adjusted p-values against R, Dunnett against integrals of the multivariate t distribution."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import multivariate_t

from assay_stats import (
    Alternative,
    Moments,
    Reason,
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    dunnett,
    hochberg,
    holm,
    hommel,
    welch,
)
from assay_stats.undefined import Floats

P_VALUES = [0.01, 0.04, 0.03, 0.2, 0.8, 0.04, 1, 0]
ALL = [bonferroni, holm, hochberg, hommel, benjamini_hochberg, benjamini_yekutieli]
Adjustment = Callable[[ArrayLike], Floats]


@pytest.mark.parametrize(
    ("adjust", "expected"),
    # R 4.2.2: p.adjust(p, method)
    [
        (bonferroni, [0.08, 0.32, 0.24, 1, 1, 0.32, 1, 0]),
        (holm, [0.07, 0.2, 0.18, 0.6, 1, 0.2, 1, 0]),
        (hochberg, [0.07, 0.16, 0.16, 0.6, 1, 0.16, 1, 0]),
        (hommel, [0.07, 0.16, 0.12, 0.6, 1, 0.16, 1, 0]),
        (benjamini_hochberg, [0.04, 0.064, 0.064, 0.266666666666666663, 0.914285714285714257, 0.064, 1, 0]),
        (
            benjamini_yekutieli,
            [
                0.10871428571428572,
                *[0.17394285714285715] * 2,
                0.72476190476190483,
                1,
                0.17394285714285715,
                1,
                0,
            ],
        ),
    ],
)
def test_adjusted_p_values_agree_with_r(adjust: Adjustment, expected: list[float]) -> None:
    assert adjust(P_VALUES) == pytest.approx(np.array(expected), rel=1e-12)


@pytest.mark.parametrize("adjust", ALL)
def test_a_missing_p_value_counts_for_nothing(adjust: Adjustment) -> None:
    adjusted = adjust([0.01, np.nan, 0.04, np.nan])

    assert adjusted[[0, 2]] == pytest.approx(adjust([0.01, 0.04]))
    assert np.isnan(adjusted[[1, 3]]).all()


@pytest.mark.parametrize("adjust", ALL)
def test_families_along_the_last_axis_are_adjusted_apart(adjust: Adjustment) -> None:
    both = adjust([[0.01, 0.04, 0.5], [0.2, 0.001, np.nan]])

    assert both[0] == pytest.approx(adjust([0.01, 0.04, 0.5]))
    assert both[1][:2] == pytest.approx(adjust([0.2, 0.001]))


@pytest.mark.parametrize("adjust", ALL)
def test_a_family_of_one_is_itself(adjust: Adjustment) -> None:
    assert adjust([0.03]) == pytest.approx([0.03])


@pytest.mark.parametrize("adjust", ALL)
def test_an_empty_family_stays_empty(adjust: Adjustment) -> None:
    assert adjust([]).shape == (0,)


@pytest.mark.parametrize("adjust", ALL)
@pytest.mark.parametrize("p_values", [[-0.1, 0.5], [0.5, 1.2]])
def test_what_is_no_p_value_is_refused(adjust: Adjustment, p_values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"p-values lie in \[0, 1\]"):
        adjust(p_values)


def test_a_single_number_is_no_family() -> None:
    with pytest.raises(ValueError, match="the whole family"):
        holm(0.03)


def equal_arms(k: int, n: int, mean: float = 0.0) -> tuple[Moments, Moments]:
    return Moments(n, 0.0, n - 1.0), Moments(np.full(k, n), np.full(k, mean), np.full(k, n - 1.0))


@pytest.mark.parametrize("alternative", [Alternative.TWO_SIDED, Alternative.GREATER])
@pytest.mark.parametrize(
    "units", [(3, 3, 3), (11, 11, 11), (6, 6, 6, 6), (25, 20, 30, 60), (40, 5, 9, 100, 13)], ids=str
)
def test_simultaneous_intervals_hold_together_as_often_as_they_say(
    units: tuple[int, ...], alternative: Alternative
) -> None:
    n = np.array(units, dtype=np.float64)
    result = dunnett(
        Moments(n[0], 0.0, n[0] - 1), Moments(n[1:], 0 * n[1:], n[1:] - 1), alternative=alternative
    )
    widths = (result.value - result.lower) / result.standard_error

    # scipy 1.17.1: the integral of Genz and Bretz over the correlations of arms that share a control.
    loading = np.sqrt(n[1:] / (n[1:] + n[0]))
    correlation = np.outer(loading, loading) + np.diag(1 - loading**2)
    family = multivariate_t(shape=correlation, df=int((n - 1).sum()))
    below = -widths if alternative is Alternative.TWO_SIDED else np.full_like(widths, -np.inf)
    inside = family.cdf(widths, lower_limit=below, maxpts=200_000, random_state=np.random.default_rng(2))
    assert inside == pytest.approx(0.95, abs=1e-5)


def test_dunnett_of_one_arm_is_students_t() -> None:
    control, treatments = equal_arms(1, 12, mean=0.9)

    alone = welch(control, treatments[0])

    assert dunnett(control, treatments).p_value[0] == pytest.approx(alone.p_value, rel=1e-9)


def test_dunnett_in_the_tail_tends_to_bonferroni() -> None:
    control, treatments = equal_arms(3, 1_000_000, mean=0.02)

    result = dunnett(control, treatments)

    alone = welch(control, treatments[0]).p_value
    assert result.p_value[0] == pytest.approx(3 * alone, rel=0.01, abs=0)
    assert 0 < result.p_value[0] < 1e-40


@pytest.mark.parametrize("alternative", list(Alternative))
def test_dunnetts_p_value_turns_where_its_interval_ends(alternative: Alternative) -> None:
    control = Moments(10, 0.0, 9.0)
    family = dunnett(control, Moments([10, 15], [0.5, 1.1], [8.0, 16.0]), alternative=alternative)
    half = np.where(np.isfinite(family.upper), family.upper - family.value, family.value - family.lower)
    sign = -1.0 if alternative is Alternative.LESS else 1.0

    touching = dunnett(control, Moments([10, 15], sign * half, [8.0, 16.0]), alternative=alternative)

    assert touching.p_value == pytest.approx(np.array([0.05, 0.05]), abs=1e-8)


def test_dunnett_without_variance_says_so() -> None:
    result = dunnett(Moments(5, 0.0, 0.0), Moments([5, 5], [1.0, 2.0], [0.0, 0.0]))

    assert result.reasons.tolist() == [Reason.ZERO_VARIANCE] * 2
    assert np.isnan(result.p_value).all()


def test_dunnett_takes_one_family() -> None:
    with pytest.raises(ValueError, match=r"shape \(k,\)"):
        dunnett(Moments(5, 0.0, 1.0), Moments(5, 1.0, 1.0))
