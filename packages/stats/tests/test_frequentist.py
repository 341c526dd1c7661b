"""Comparisons of two means: reference values, and the edges at which a number would be a lie."""

from decimal import Decimal, getcontext

import numpy as np
import pytest

from assay_stats import (
    Alternative,
    Direction,
    JointMoments,
    Moments,
    Reason,
    delta_lift,
    fieller_lift,
    ratio_difference,
    welch,
)
from assay_stats.tails import log_tail

CONTROL = Moments.from_values([12.1, 9.8, 11.4, 10.7, 13.2, 8.9, 10.1])
TREATMENT = Moments.from_values([14.2, 11.9, 15.8, 12.4, 13.3, 16.1, 10.9, 14.8, 13.7, 12.2])

# Cookie Cats, rounds played per player; recomputed with two independent tools, see docs/statistics/welch.md.
GATE_30 = Moments(44_700, 52.45626398210291, 2_945_812_585.496086)
GATE_40 = Moments(45_489, 51.29877552814966, 485_344_970.3417969)
CAPPED_30 = Moments(44_700, 51.030907919463104, 424_322_142.95852995)
CAPPED_40 = Moments(45_489, 50.93526347028953, 440_150_329.6326684)


def exact_t_tail(t: int, freedom: int) -> Decimal:
    """Upper tail of the t distribution for an even number of degrees of freedom, as a finite sum."""
    getcontext().prec = 300
    square = Decimal(freedom + t * t)
    term = total = Decimal(1)
    for k in range(1, freedom // 2):
        term *= Decimal(2 * k - 1) / Decimal(2 * k) * Decimal(freedom) / square
        total += term
    return (1 - Decimal(t) / square.sqrt() * total) / 2


def with_t(t: float, *, n: float) -> tuple[Moments, Moments]:
    """Two arms of n units and variance 1 whose Welch statistic is t."""
    return Moments.from_summary(n, 0.0, 1.0), Moments.from_summary(n, t * np.sqrt(2 / n), 1.0)


def test_welch_agrees_with_r() -> None:
    # R 4.2.2: t.test(treatment, control)
    result = welch(CONTROL, TREATMENT)

    assert result.value == pytest.approx(2.64428571428571502, rel=1e-14)
    assert result.statistic == pytest.approx(3.41071168229956134, rel=1e-13)
    assert result.degrees_of_freedom == pytest.approx(14.2832029176070101, rel=1e-13)
    assert result.p_value == pytest.approx(0.00411614714555594, rel=1e-12)
    assert result.lower == pytest.approx(0.984544968617661609, rel=1e-12)
    assert result.upper == pytest.approx(4.30402645995376876, rel=1e-12)
    assert result.standard_error == pytest.approx(0.775288549896688650, rel=1e-13)


def test_one_sided_welch_with_a_null_agrees_with_r() -> None:
    # R 4.2.2: t.test(treatment, control, alternative = "greater", mu = 1, conf.level = 0.9)
    result = welch(CONTROL, TREATMENT, null=1.0, level=0.9, alternative=Alternative.GREATER)

    assert result.statistic == pytest.approx(2.12086933891236962, rel=1e-13)
    assert result.p_value == pytest.approx(0.0259481455019594194, rel=1e-12)
    assert result.lower == pytest.approx(1.60252164191215463, rel=1e-12)
    assert result.upper == np.inf


def test_welch_reads_cookie_cats_to_the_printed_digit() -> None:
    plain, capped = welch(GATE_30, GATE_40), welch(CAPPED_30, CAPPED_40)

    assert f"{plain.p_value:.3f}" == "0.376"
    assert f"{capped.p_value:.3f}" == "0.883"


@pytest.mark.parametrize(("t", "freedom"), [(40, 198), (9, 198), (2, 198), (40, 58)])
def test_p_values_are_right_far_in_the_tail(t: int, freedom: int) -> None:
    result = welch(*with_t(t, n=freedom / 2 + 1))

    assert result.degrees_of_freedom == pytest.approx(freedom)
    assert result.p_value == pytest.approx(float(2 * exact_t_tail(t, freedom)), rel=1e-9, abs=0)


def test_a_p_value_below_the_smallest_float_has_its_logarithm() -> None:
    # R 4.2.2: pt(-40, 1e9, log.p = TRUE) = -804.60780121468588
    result = welch(*with_t(40.0, n=5e8 + 1))

    assert result.p_value == 0
    assert result.log_p_value == pytest.approx(-804.60780121468588 + np.log(2), abs=2e-5)


@pytest.mark.parametrize(
    ("t", "freedom", "expected"),
    # R 4.2.2: pt(-t, freedom, log.p = TRUE)
    [
        (40.0, 50.0, -90.277853011201131),
        (200.0, 20.0, -78.443095611583558),
        (40.0, np.inf, -804.6084420137538),
    ],
)
def test_logarithms_of_tails_agree_with_r(t: float, freedom: float, expected: float) -> None:
    assert log_tail(np.array(t), np.array(freedom), Alternative.GREATER) == pytest.approx(expected, rel=1e-12)


def test_a_billion_units_keep_their_digits() -> None:
    result = welch(Moments.from_summary(1e9, 1e6, 1.0), Moments.from_summary(1e9, 1e6 + 1e-4, 1.0))

    assert result.statistic == pytest.approx(1e-4 / np.sqrt(2e-9), rel=1e-5)
    assert 0.02 < result.p_value < 0.03


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [
        (Moments.from_values([1.0]), TREATMENT, Reason.TOO_FEW_UNITS),
        (CONTROL, Moments.from_values([1.0]), Reason.TOO_FEW_UNITS),
        (Moments.empty(), TREATMENT, Reason.EMPTY_ARM),
        (Moments.from_values([2.0, 2.0]), Moments.from_values([3.0, 3.0, 3.0]), Reason.ZERO_VARIANCE),
        (Moments(10, 1.0, -1.0), TREATMENT, Reason.NEGATIVE_VARIANCE),
        (Moments(10, np.nan, 1.0), TREATMENT, Reason.NOT_FINITE),
        (Moments(10, 0.0, np.inf), TREATMENT, Reason.NOT_FINITE),
    ],
)
def test_what_cannot_be_tested_says_why(control: Moments, treatment: Moments, reason: Reason) -> None:
    result = welch(control, treatment)

    assert result.reason is reason
    assert np.isnan([result.p_value, result.lower, result.upper, result.standard_error]).all()


def test_the_difference_survives_where_its_error_does_not() -> None:
    result = welch(Moments.from_values([2.0, 2.0]), Moments.from_values([3.0, 3.0]))

    assert result.value == 1.0


def test_one_arm_without_variance_is_no_obstacle() -> None:
    result = welch(Moments.from_values([2.0, 2.0, 2.0]), Moments.from_values([3.0, 4.0, 5.0]))

    assert result.reason is None
    assert result.degrees_of_freedom == pytest.approx(2.0)


def test_one_bad_entry_leaves_the_others_alone() -> None:
    controls = Moments([7, 1], [10.0, 10.0], [12.0, 0.0])

    result = welch(controls, TREATMENT)

    assert result.reasons.tolist() == [None, Reason.TOO_FEW_UNITS]
    assert np.isfinite(result.p_value[0])
    assert np.isnan(result.p_value[1])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.1, np.nan])
def test_a_level_outside_its_range_is_refused_with_the_value(level: float) -> None:
    with pytest.raises(ValueError, match=f"strictly between 0 and 1 .*{level}"):
        welch(CONTROL, TREATMENT, level=level)


def test_a_one_sided_test_in_the_wrong_direction_is_not_significant() -> None:
    assert welch(CONTROL, TREATMENT, alternative=Alternative.LESS).p_value > 0.99


def test_a_lower_is_better_metric_flips_sign_interval_and_side_together() -> None:
    plain = welch(CONTROL, TREATMENT, alternative=Alternative.GREATER)

    benefit = plain.as_benefit(Direction.LOWER_IS_BETTER)

    assert (benefit.value, benefit.upper) == (-plain.value, -plain.lower)
    assert benefit.alternative is Alternative.LESS
    assert benefit.p_value == plain.p_value
    assert plain.as_benefit(Direction.HIGHER_IS_BETTER) is plain


def test_delta_lift_is_the_formula() -> None:
    # Independent arithmetic with statistics.md's formula: se^2 = s1 / m0^2 + s0 m1^2 / m0^4.
    m0, m1, s0, s1 = CONTROL.mean, TREATMENT.mean, CONTROL.variance / 7, TREATMENT.variance / 10

    lift = delta_lift(CONTROL, TREATMENT)

    assert lift.value == pytest.approx(m1 / m0 - 1)
    assert lift.standard_error == pytest.approx(np.sqrt(s1 / m0**2 + s0 * m1**2 / m0**4))
    assert lift.upper - lift.value == pytest.approx(lift.value - lift.lower)


def test_fieller_ends_are_the_lifts_at_which_the_t_test_turns() -> None:
    plain, lift = welch(CONTROL, TREATMENT), fieller_lift(CONTROL, TREATMENT)
    s0, s1 = CONTROL.variance / 7, TREATMENT.variance / 10
    critical = (plain.upper - plain.value) / plain.standard_error

    for end in (lift.lower, lift.upper):
        ratio = 1 + end
        statistic = (TREATMENT.mean - ratio * CONTROL.mean) / np.sqrt(s1 + ratio**2 * s0)
        assert abs(statistic) == pytest.approx(critical, rel=1e-10)


def test_fieller_is_asymmetric_and_near_delta_for_a_precise_baseline() -> None:
    delta, fieller = delta_lift(GATE_30, GATE_40), fieller_lift(GATE_30, GATE_40)

    assert fieller.lower == pytest.approx(delta.lower, abs=0.003)
    assert fieller.upper - fieller.value > fieller.value - fieller.lower


def test_a_negative_baseline_keeps_the_direction_of_the_change() -> None:
    control, treatment = Moments.from_summary(100, -3.0, 1.0), Moments.from_summary(100, -2.4, 1.0)

    for lift in (delta_lift(control, treatment), fieller_lift(control, treatment)):
        assert lift.value == pytest.approx(0.2)
        assert lift.lower < lift.value < lift.upper


def test_a_change_of_sign_keeps_the_ends_in_order() -> None:
    control, treatment = Moments.from_summary(100, -1.0, 1.0), Moments.from_summary(100, 0.5, 1.0)

    for lift in (delta_lift(control, treatment), fieller_lift(control, treatment)):
        assert lift.value == pytest.approx(1.5)
        assert lift.lower < lift.value < lift.upper


def test_a_baseline_of_zero_has_no_lift() -> None:
    control, treatment = Moments.from_summary(100, 0.0, 1.0), Moments.from_summary(100, 1.0, 1.0)

    for lift in (delta_lift(control, treatment), fieller_lift(control, treatment)):
        assert lift.reason is Reason.ZERO_BASELINE
        assert np.isnan([lift.value, lift.lower, lift.upper]).all()


def test_an_arm_of_only_zeros_is_the_reason_that_its_lift_has_no_interval() -> None:
    control, zeros = Moments.from_summary(100, 2.0, 1.0), Moments.from_summary(100, 0.0, 0.0)

    for lift in (delta_lift(control, zeros), fieller_lift(control, zeros)):
        assert lift.reason is Reason.ONLY_ZEROS
        assert lift.value == -1.0
        assert np.isnan([lift.lower, lift.upper]).all()


def test_arms_that_do_not_vary_have_no_scale_for_a_lift() -> None:
    control = Moments.from_summary(100, 2.0, 0.0)

    for mean in (0.0, 3.0):
        assert delta_lift(control, Moments.from_summary(100, mean, 0.0)).reason is Reason.ZERO_VARIANCE


def test_a_baseline_of_zero_leaves_the_absolute_difference() -> None:
    control, treatment = Moments.from_summary(100, 0.0, 1.0), Moments.from_summary(100, 1.0, 1.0)

    assert welch(control, treatment).reason is None


def test_a_baseline_not_separated_from_zero_says_that_the_interval_is_unbounded() -> None:
    control, treatment = Moments.from_summary(100, 0.1, 1.0), Moments.from_summary(100, 1.0, 1.0)

    lift = fieller_lift(control, treatment)

    assert lift.reason is Reason.BASELINE_NOT_SEPARATED
    assert lift.value == pytest.approx(9.0)
    assert np.isnan([lift.lower, lift.upper]).all()
    assert lift.baseline_cv == pytest.approx(1.0)


def test_a_one_sided_lift_is_open_to_its_side() -> None:
    for lift in (
        delta_lift(CONTROL, TREATMENT, alternative=Alternative.GREATER),
        fieller_lift(CONTROL, TREATMENT, alternative=Alternative.GREATER),
    ):
        assert lift.upper == np.inf
        assert 0 < lift.lower < lift.value


def a_ratio_arm(n: int, shift: float) -> JointMoments:
    i = np.arange(n)
    sessions, before = 1 + (i * 7) % 5, 1 + (i * 3) % 4
    taste = 0.3 * np.sin(2.3 * i)
    orders = sessions * (1 + shift + taste) + 0.1 * np.cos(i)
    return JointMoments.from_values(np.column_stack([orders, sessions, before * (1 + taste), before]))


def test_ratio_difference_agrees_with_tea_tasting() -> None:
    # tea-tasting 1.14.0: RatioOfMeans("orders", "sessions")
    result = ratio_difference(a_ratio_arm(60, 0.0), a_ratio_arm(50, 0.05))

    assert result.value == pytest.approx(0.06268928010759078, rel=1e-10)
    assert result.statistic == pytest.approx(1.3819872290581292, rel=1e-10)
    assert result.p_value == pytest.approx(0.16993105162266012, rel=1e-9)
    assert result.lower == pytest.approx(-0.027262589677803623, rel=1e-9)


def test_a_constant_denominator_reduces_a_ratio_to_a_mean() -> None:
    values = np.array([1.0, 3.0, 2.0, 5.0])
    arm = JointMoments.from_values(np.column_stack([values, np.full(4, 2.0)]))
    other = JointMoments.from_values(np.column_stack([values * 1.5, np.full(4, 2.0)]))

    ratio, mean = ratio_difference(arm, other), welch(arm.column(0), other.column(0))

    assert ratio.p_value == pytest.approx(mean.p_value)
    assert ratio.value == pytest.approx(mean.value / 2)


def test_a_denominator_of_zero_has_no_ratio() -> None:
    arm = JointMoments.from_values([[1.0, 1.0], [2.0, -1.0], [3.0, 0.0]])

    result = ratio_difference(arm, a_ratio_arm(50, 0.0).select(0, 1))

    assert result.reason is Reason.ZERO_DENOMINATOR
    assert np.isnan(result.value)


def test_a_ratio_that_is_the_same_for_every_unit_has_no_variance() -> None:
    sessions = np.array([1.0, 2.0, 3.0, 5.0])
    arm = JointMoments.from_values(np.column_stack([0.3 * sessions, sessions]))

    assert ratio_difference(arm, arm).reason is Reason.ZERO_VARIANCE


def test_ratio_difference_refuses_an_impossible_covariance() -> None:
    broken = JointMoments(10, [1.0, 2.0], [[1.0, 9.0], [9.0, 1.0]])

    assert ratio_difference(broken, broken).reason is Reason.IMPOSSIBLE_COVARIANCE
