"""Sufficient statistics: exact where exactness is possible, silent nowhere."""

import numpy as np
import pytest

from assay_stats import JointMoments, Moments, NullPolicy, Reason

VALUES = [3.0, 1.0, 4.0, 1.0, 5.0]


def test_moments_are_count_mean_and_centred_squares() -> None:
    moments = Moments.from_values(VALUES)

    assert (moments.n, moments.mean) == (5, pytest.approx(2.8))
    assert moments.m2 == pytest.approx(12.8)
    assert moments.variance == pytest.approx(3.2)


def test_moments_of_many_samples_come_at_once() -> None:
    moments = Moments.from_values([VALUES, [2.0, 2.0, 2.0, 2.0, 7.0]])

    assert moments.shape == (2,)
    assert moments.mean == pytest.approx(np.array([2.8, 3.0]))
    assert moments[1].m2 == pytest.approx(20.0)


def test_a_missing_value_needs_a_policy() -> None:
    with pytest.raises(ValueError, match="1 values are missing: say what that means"):
        Moments.from_values([1.0, np.nan])


def test_excluded_values_are_counted_and_leave_the_rest_alone() -> None:
    moments = Moments.from_values([1.0, 3.0, 2.0, np.nan], nulls=NullPolicy.EXCLUDE)

    assert (moments.n, moments.mean, moments.missing) == (3, 2, 1)
    assert moments.variance == pytest.approx(1.0)


def test_zero_filled_values_count_as_zeros() -> None:
    moments = Moments.from_values([1.0, 3.0, 2.0, np.nan], nulls=NullPolicy.ZERO_FILL)

    assert (moments.n, moments.mean, moments.missing) == (4, 1.5, 0)


def test_zeros_can_be_filled_in_after_the_sums_were_taken() -> None:
    excluded = Moments.from_values([1.0, 3.0, 2.0, np.nan], nulls=NullPolicy.EXCLUDE)

    filled = excluded.zero_filled()

    assert (filled.n, filled.mean, filled.missing) == (4, 1.5, 0)
    assert filled.m2 == pytest.approx(5.0)


def test_shifted_sums_give_back_mean_and_variance() -> None:
    moments = Moments.from_shifted_sums(n=5, shift=3.0, total=-1.0, total_squares=13.0)

    assert moments.mean == pytest.approx(2.8)
    assert moments.m2 == pytest.approx(12.8)


def test_an_offset_of_a_billion_costs_no_digit_of_the_variance() -> None:
    values = 1e9 + np.array([0.5, -0.5, 1.5, -1.5, 0.25])

    moments = Moments.from_values(values)
    shifted = Moments.from_shifted_sums(5, 1e9, (values - 1e9).sum(), ((values - 1e9) ** 2).sum())

    assert moments.m2 == pytest.approx(5.05, rel=1e-14)
    assert shifted.m2 == pytest.approx(5.05, rel=1e-14)


def test_an_offset_of_1e15_keeps_the_variance_that_its_digits_hold() -> None:
    assert Moments.from_values(1e15 + np.array([-1.0, 0.0, 1.0])).variance == pytest.approx(1.0)


def test_power_sums_far_from_the_mean_are_refused_rather_than_trusted() -> None:
    values = 1e9 + np.array([0.5, -0.5, 1.5, -1.5, 0.25])

    moments = Moments.from_shifted_sums(5, 0.0, values.sum(), (values**2).sum())

    assert np.isnan(moments.m2)
    assert moments.defects == Reason.NOT_FINITE.code


def test_unshifted_sums_of_whole_numbers_are_exact() -> None:
    moments = Moments.from_shifted_sums(n=1_000, shift=0.0, total=1_000, total_squares=1_000)

    assert moments.m2 == 0


def test_a_constant_is_constant_however_its_sums_were_rounded() -> None:
    pilot = 0.1 + 3e-17
    moments = Moments.from_shifted_sums(1_000, pilot, 1_000 * (0.1 - pilot), 1_000 * (0.1 - pilot) ** 2)

    assert moments.m2 == 0
    assert Moments.from_values([0.1] * 7).m2 == 0


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_squares_outside_floating_point_are_said_to_be_unusable(scale: float) -> None:
    moments = Moments.from_values(np.array([1.0, 2.0, 4.0]) * scale)

    assert moments.defects == Reason.NOT_FINITE.code


def test_infinity_among_the_values_is_said_to_be_unusable() -> None:
    assert Moments.from_values([1.0, np.inf]).defects == Reason.NOT_FINITE.code


@pytest.mark.parametrize(
    ("moments", "reason"),
    [
        (Moments.empty(), Reason.EMPTY_ARM),
        (Moments.from_values([1.0]), Reason.TOO_FEW_UNITS),
        (Moments(10, 1.0, -0.5), Reason.NEGATIVE_VARIANCE),
        (Moments(np.nan, 1.0, 0.5), Reason.NOT_FINITE),
        (Moments(10, 1.0, np.inf), Reason.NOT_FINITE),
    ],
)
def test_defective_moments_name_their_defect(moments: Moments, reason: Reason) -> None:
    assert moments.defects == reason.code


def test_merging_with_nothing_changes_nothing() -> None:
    moments = Moments.from_values(VALUES)

    assert (Moments.empty() + moments) == moments
    assert (moments + Moments.empty()) == moments


def test_merging_with_one_unit_counts_that_unit() -> None:
    merged = Moments.from_values(VALUES) + Moments.from_values([9.0])

    assert merged.m2 == pytest.approx(Moments.from_values([*VALUES, 9.0]).m2)


def test_counts_are_moments_of_zeros_and_ones() -> None:
    moments = Moments.from_counts(n=8, successes=3)

    assert moments.mean == pytest.approx(0.375)
    assert moments.m2 == pytest.approx(Moments.from_values([1, 1, 1, 0, 0, 0, 0, 0]).m2)


def test_no_units_have_no_mean() -> None:
    assert np.isnan(Moments.from_counts(0, 0).mean)
    assert np.isnan(Moments.from_shifted_sums(0, 5.0, 0.0, 0.0).mean)


def test_a_summary_gives_its_variance_back() -> None:
    assert Moments.from_summary(n=10, mean=2.0, variance=4.0).variance == pytest.approx(4.0)


def test_joint_moments_agree_with_the_covariance_matrix() -> None:
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [4.0, 7.0], [0.0, 3.0]])

    joint = JointMoments.from_values(rows)

    assert joint.covariance == pytest.approx(np.cov(rows.T))
    assert joint.column(1).variance == pytest.approx(rows[:, 1].var(ddof=1))


def test_joint_shifted_sums_give_back_the_co_moments() -> None:
    rows = 1e9 + np.array([[1.0, 2.0], [2.0, 1.0], [4.0, 7.0], [0.0, 3.0]])
    centred = rows - 1e9

    joint = JointMoments.from_shifted_sums(4, [1e9, 1e9], centred.sum(axis=0), centred.T @ centred)

    assert joint.comoments == pytest.approx(np.cov(centred.T) * 3, rel=1e-13)


def test_joint_moments_merge_like_their_rows() -> None:
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [4.0, 7.0], [0.0, 3.0], [5.0, 5.0]])

    merged = JointMoments.from_values(rows[:2]) + JointMoments.from_values(rows[2:])

    assert merged.comoments == pytest.approx(JointMoments.from_values(rows).comoments)
    assert merged.means == pytest.approx(rows.mean(axis=0))


def test_joint_moments_merge_with_nothing() -> None:
    joint = JointMoments.from_values([[1.0, 2.0], [2.0, 1.0]])

    assert (JointMoments.empty(2) + joint).comoments == pytest.approx(joint.comoments)


def test_a_row_with_a_missing_value_is_excluded_as_a_whole() -> None:
    joint = JointMoments.from_values([[1.0, 2.0], [np.nan, 1.0], [4.0, 7.0]], nulls=NullPolicy.EXCLUDE)

    assert (joint.n, joint.missing) == (2, 1)
    assert joint.means == pytest.approx(np.array([2.5, 4.5]))


def test_a_covariance_beyond_its_variances_is_impossible() -> None:
    joint = JointMoments(10, [0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]])

    assert joint.defects == Reason.IMPOSSIBLE_COVARIANCE.code


def test_linear_combinations_of_columns_have_the_moments_of_their_values() -> None:
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [4.0, 7.0], [0.0, 3.0]])

    combined = JointMoments.from_values(rows).linear([[2.0, -1.0]]).column(0)

    assert combined.m2 == pytest.approx(Moments.from_values(2 * rows[:, 0] - rows[:, 1]).m2)


def test_means_and_co_moments_must_fit() -> None:
    with pytest.raises(ValueError, match=r"2 means need comoments \(\.\.\., 2, 2\)"):
        JointMoments(10, [0.0, 0.0], [[1.0]])


def test_raw_rows_must_be_a_matrix() -> None:
    with pytest.raises(ValueError, match=r"shape \(n_units, k\)"):
        JointMoments.from_values([1.0, 2.0])


def test_squares_that_underflow_in_a_sum_are_said_to_be_unusable() -> None:
    moments = Moments.from_shifted_sums(n=2, shift=0.0, total=1e-196, total_squares=0.0)

    assert moments.defects == Reason.NOT_FINITE.code


def test_sums_beyond_floating_point_say_so_without_a_warning() -> None:
    moments = JointMoments.from_shifted_sums(
        n=[2, 2], shift=[0.0], totals=[[np.inf], [1.0]], products=[[[np.inf]], [[1.0]]]
    )

    assert moments.defects[0] == Reason.NOT_FINITE.code
