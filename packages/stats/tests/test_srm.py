"""Sample ratios: once, exactly, by segment and continuously."""

import numpy as np
import pytest

from assay_stats import (
    Reason,
    sample_ratio,
    sample_ratio_by_segment,
    sample_ratio_over_batches,
    sequential_sample_ratio,
)


def test_cookie_cats_split_reads_to_the_printed_digit() -> None:
    result = sample_ratio([44_700, 45_489], [1, 1])

    assert f"{result.statistic:.3f} {result.p_value:.4f}" == "6.902 0.0086"
    # R 4.2.2: chisq.test(c(44700, 45489))
    assert result.p_value == pytest.approx(0.008607987810836255, rel=1e-12)


def test_unequal_weights_in_any_unit_agree_with_r() -> None:
    # R 4.2.2: chisq.test(c(480, 320, 215), p = c(.5, .3, .2))
    result = sample_ratio([480, 320, 215], [50, 30, 20])

    assert result.statistic == pytest.approx(2.9885057471264367, rel=1e-12)
    assert result.p_value == pytest.approx(0.22441620939468229, rel=1e-12)
    assert result.degrees_of_freedom == 2


def test_a_closed_arm_adds_no_degree_of_freedom() -> None:
    closed, without = sample_ratio([480, 520, 0], [1, 1, 0]), sample_ratio([480, 520], [1, 1])

    assert closed.degrees_of_freedom == 1
    assert closed.p_value == without.p_value


def test_units_in_a_closed_arm_are_reported() -> None:
    result = sample_ratio([480, 520, 3], [1, 1, 0])

    assert (result.units, result.misplaced) == (1000, 3)


def test_an_exact_test_of_two_arms_agrees_with_r() -> None:
    # R 4.2.2: binom.test(30, 50)
    assert sample_ratio([30, 20], [1, 1], exact=True).p_value == pytest.approx(0.20263875106454096, rel=1e-10)


def test_an_exact_test_of_three_arms_sums_what_is_no_likelier() -> None:
    # By hand: of 2 units in arms of 1/2, 1/4, 1/4, the splits (0, 2, 0) and (0, 0, 2) have 1/16 each.
    assert sample_ratio([0, 2, 0], [2, 1, 1], exact=True).p_value == pytest.approx(1 / 8)


def test_a_perfect_split_is_no_evidence() -> None:
    assert sample_ratio([10, 10], [1, 1], exact=True).p_value == pytest.approx(1)


@pytest.mark.parametrize(
    ("counts", "weights", "reason"),
    [
        ([0, 0], [1, 1], Reason.NO_INFORMATION),
        ([5, 4], [1, 0], Reason.SINGLE_ARM),
        ([5], [1], Reason.SINGLE_ARM),
        ([5, -4], [1, 1], Reason.IMPOSSIBLE_COUNT),
        ([5, np.nan], [1, 1], Reason.IMPOSSIBLE_COUNT),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_what_is_no_split_says_why(
    counts: list[float], weights: list[float], reason: Reason, exact: bool
) -> None:
    result = sample_ratio(counts, weights, exact=exact)

    assert result.reason is reason
    assert np.isnan(result.p_value)


def test_an_empty_arm_that_should_have_units_is_a_mismatch() -> None:
    assert sample_ratio([100, 0], [1, 1]).p_value < 1e-20


def test_a_mismatch_of_a_billion_units_keeps_a_positive_p_value() -> None:
    assert 0 < sample_ratio([500_200_000, 499_800_000], [1, 1]).p_value < 1e-30


@pytest.mark.parametrize("weights", [[1, -1], [np.nan, 1], [1, 1, 1]])
def test_wrong_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weight"):
        sample_ratio([5, 4], weights)


def test_an_exact_test_too_large_to_enumerate_names_the_way_out() -> None:
    with pytest.raises(ValueError, match="use the chi-square test"):
        sample_ratio([5_000, 5_000, 5_000], [1, 1, 1], exact=True)


def test_segments_are_tested_alone_and_corrected_together() -> None:
    result = sample_ratio_by_segment([[100, 120], [50, 90], [3, 4]], [1, 1])

    assert result.p_value[1] == pytest.approx(sample_ratio([50, 90], [1, 1]).p_value)
    assert result.adjusted_p_value[1] == pytest.approx(3 * result.p_value[1])
    assert result.adjusted_p_value[2] == pytest.approx(result.p_value[2])


def test_the_sequential_bayes_factor_agrees_with_its_closed_form() -> None:
    # By hand, prior Beta(50, 50), counts (1, 0): B(51, 50) / B(50, 50) / (1/2) = 1; then (2, 0):
    # (51 / 101) / (1/2) = 102 / 101.
    result = sequential_sample_ratio([[1, 0], [2, 0]], [1, 1], concentration=100)

    assert np.exp(result.log_bayes_factor) == pytest.approx(np.array([1.0, 102 / 101]))


def test_the_sequential_p_value_never_rises_again() -> None:
    result = sequential_sample_ratio([[60, 20], [100, 60], [200, 190], [400, 400]], [1, 1])

    assert (np.diff(result.p_value) <= 0).all()
    assert result.p_value[-1] == pytest.approx(np.exp(-result.log_bayes_factor.max()))


def test_the_sequential_test_reports_units_in_closed_arms() -> None:
    result = sequential_sample_ratio([[10, 10, 0], [20, 20, 2]], [1, 1, 0])

    assert result.misplaced.tolist() == [0, 2]
    assert result.units.tolist() == [20, 40]


def test_counts_that_fall_between_looks_are_refused() -> None:
    with pytest.raises(ValueError, match="fall between two looks"):
        sequential_sample_ratio([[10, 10], [5, 20]], [1, 1])


def test_a_single_open_arm_cannot_be_tested_continuously() -> None:
    result = sequential_sample_ratio([[10, 0], [20, 0]], [1, 0])

    assert set(result.reasons.tolist()) == {Reason.SINGLE_ARM}


def test_batches_are_tested_each_against_its_own_weights() -> None:
    counts, weights = [[480, 520], [90, 910], [3, 17]], [[0.5, 0.5], [0.1, 0.9], [0.1, 0.9]]

    joined = sample_ratio_over_batches(counts, weights)

    # The third lets one expect two units in its first arm, and is not tested.
    parts = [sample_ratio(counts[batch], weights[batch]) for batch in (0, 1)]
    assert joined.statistic == pytest.approx(sum(float(part.statistic) for part in parts))
    assert joined.degrees_of_freedom == 2
    # With two degrees of freedom the tail is exp(-x / 2).
    assert joined.p_value == pytest.approx(np.exp(-(1.6 + 10 / 9) / 2), rel=1e-12)
    assert joined.units == 2_000


def test_without_a_batch_that_is_large_enough_the_joined_split_is_undefined() -> None:
    joined = sample_ratio_over_batches([[1, 2], [0, 0]], [[0.5, 0.5], [0.1, 0.9]])

    assert joined.reason is Reason.NO_INFORMATION
    assert np.isnan(joined.p_value)
