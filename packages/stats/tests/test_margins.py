"""Non-inferiority and equivalence."""

import numpy as np
import pytest

from assay_stats import (
    Counts,
    Direction,
    Moments,
    Reason,
    equivalence,
    mean_of,
    non_inferiority,
    relative_non_inferiority,
    two_proportions,
    welch,
)

CONTROL = Moments.from_values([12.1, 9.8, 11.4, 10.7, 13.2, 8.9, 10.1])
TREATMENT = Moments.from_values([14.2, 11.9, 15.8, 12.4, 13.3, 16.1, 10.9, 14.8, 13.7, 12.2])


def test_two_one_sided_tests_agree_with_statsmodels() -> None:
    # statsmodels 0.15.0: ttost_ind(treatment, control, -1, 5, usevar="unequal")
    result = equivalence(CONTROL, TREATMENT, lower_margin=-1, upper_margin=5)

    assert result.p_value == pytest.approx(0.004341542650607533, rel=1e-10)


def test_the_equivalence_interval_covers_one_less_two_alpha() -> None:
    result, ninety = (
        equivalence(CONTROL, TREATMENT, lower_margin=-1, upper_margin=5),
        welch(CONTROL, TREATMENT, level=0.9),
    )

    assert result.level == pytest.approx(0.9)
    assert (result.lower, result.upper) == (pytest.approx(ninety.lower), pytest.approx(ninety.upper))


def test_equivalence_turns_where_its_interval_touches_a_margin() -> None:
    touching = welch(CONTROL, TREATMENT, level=0.9).upper

    result = equivalence(CONTROL, TREATMENT, lower_margin=-10, upper_margin=touching)

    assert result.p_value == pytest.approx(0.05, rel=1e-9)


def test_equivalence_of_proportions_uses_the_score() -> None:
    control, treatment = Counts(48, 80), Counts(50, 80)

    result = equivalence(control, treatment, lower_margin=-0.2, upper_margin=0.2)

    assert result.upper == pytest.approx(two_proportions(control, treatment, level=0.9).upper)


@pytest.mark.parametrize("margins", [(1, 5), (-1, -0.5), (0, 1)])
def test_equivalence_margins_enclose_zero(margins: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must enclose 0"):
        equivalence(CONTROL, TREATMENT, lower_margin=margins[0], upper_margin=margins[1])


def test_non_inferiority_is_the_shifted_one_sided_test() -> None:
    result = non_inferiority(TREATMENT, CONTROL, margin=4.0)
    s0, s1 = TREATMENT.variance / 10, CONTROL.variance / 7

    assert result.statistic == pytest.approx((CONTROL.mean - TREATMENT.mean + 4.0) / np.sqrt(s0 + s1))
    assert result.null == -4.0
    assert result.upper == np.inf


def test_non_inferiority_holds_exactly_when_the_lower_end_is_above_the_margin() -> None:
    plain = non_inferiority(CONTROL, TREATMENT, margin=1.0)

    touching = non_inferiority(
        TREATMENT, CONTROL, margin=-non_inferiority(TREATMENT, CONTROL, margin=1.0).lower
    )

    assert plain.lower > -1.0
    assert plain.p_value < 0.05
    assert touching.p_value == pytest.approx(0.05, rel=1e-9)


def test_a_guardrail_where_lower_is_better_is_the_mirror_image() -> None:
    mirrored = non_inferiority(
        CONTROL.scaled(-1), TREATMENT.scaled(-1), margin=2.0, direction=Direction.LOWER_IS_BETTER
    )

    plain = non_inferiority(CONTROL, TREATMENT, margin=2.0)

    assert mirrored.p_value == pytest.approx(plain.p_value, rel=1e-12)
    assert mirrored.value == pytest.approx(plain.value)
    assert mirrored.null == plain.null


def test_non_inferiority_of_proportions_is_the_score_test_at_the_margin() -> None:
    control, treatment = Counts(90, 100), Counts(88, 100)

    result = non_inferiority(control, treatment, margin=0.1)

    # By hand: restricted shares at -0.1 by maximisation are 0.9429 and 0.8429 up to rounding; so z near 1.8.
    assert result.method == "miettinen_nurminen"
    assert result.statistic == pytest.approx(two_proportions(control, treatment, null=-0.1).statistic)
    assert result.p_value == pytest.approx(two_proportions(control, treatment, null=-0.1).p_value / 2)


def test_a_relative_margin_counts_the_error_of_the_control_mean() -> None:
    result = relative_non_inferiority(CONTROL, TREATMENT, margin=0.1)
    s0, s1 = CONTROL.variance / 7, TREATMENT.variance / 10

    expected = (TREATMENT.mean - 0.9 * CONTROL.mean) / np.sqrt(s1 + 0.81 * s0)
    assert result.statistic == pytest.approx(expected, rel=1e-12)


def test_a_relative_margin_moves_with_the_sign_of_the_control() -> None:
    positive = relative_non_inferiority(CONTROL, TREATMENT, margin=0.1)

    mirrored = relative_non_inferiority(
        CONTROL.scaled(-1), TREATMENT.scaled(-1), margin=0.1, direction=Direction.LOWER_IS_BETTER
    )

    assert mirrored.p_value == pytest.approx(positive.p_value, rel=1e-12)
    assert mirrored.value == pytest.approx(TREATMENT.mean - 0.9 * CONTROL.mean)


def test_a_relative_margin_where_lower_is_better_is_above_the_control() -> None:
    result = relative_non_inferiority(CONTROL, TREATMENT, margin=0.3, direction=Direction.LOWER_IS_BETTER)

    assert result.value == pytest.approx(1.3 * CONTROL.mean - TREATMENT.mean)


def test_a_relative_margin_of_nothing_is_undefined() -> None:
    nothing = Moments.from_summary(10, 0.0, 1.0)

    assert relative_non_inferiority(nothing, TREATMENT, margin=0.1).reason is Reason.ZERO_BASELINE


@pytest.mark.parametrize("margin", [0, -1, np.nan, np.inf])
def test_a_margin_is_positive_and_finite(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be positive"):
        non_inferiority(CONTROL, TREATMENT, margin=margin)


def test_counts_and_means_cannot_be_mixed() -> None:
    with pytest.raises(TypeError, match="of one kind"):
        non_inferiority(Counts(3, 10), mean_of(TREATMENT), margin=1.0)
