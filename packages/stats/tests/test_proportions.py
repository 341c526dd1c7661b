"""Two proportions by score, against rpact and direct maximisation, and at the edges."""

import numpy as np
import pytest

from assay_stats import (
    Alternative,
    Counts,
    EventCounts,
    ExactMethod,
    Moments,
    Reason,
    delta_lift,
    exact_proportions,
    poisson_difference,
    smallest_expected_count,
    two_proportions,
)

# Cookie Cats, players who came back; recomputed with two independent tools, see docs/statistics.
N_30, N_40 = 44_700, 45_489
RETENTION_1 = Counts(20_034, N_30), Counts(20_119, N_40)
RETENTION_7 = Counts(8_502, N_30), Counts(8_279, N_40)


def log_likelihood(p0: float, gap: float, counts: tuple[int, int, int, int]) -> float:
    x0, n0, x1, n1 = counts
    p1 = p0 + gap
    terms = [(x0, p0), (n0 - x0, 1 - p0), (x1, p1), (n1 - x1, 1 - p1)]
    return sum(count * np.log(share) for count, share in terms if count > 0)


def restricted_share(gap: float, counts: tuple[int, int, int, int]) -> float:
    """Maximum of the likelihood over p0 by golden section: no cubic, no trigonometry."""
    low, high = max(0.0, -gap), min(1.0, 1 - gap)
    golden = (np.sqrt(5) - 1) / 2
    with np.errstate(divide="ignore"):
        for _ in range(200):
            left, right = high - golden * (high - low), low + golden * (high - low)
            if log_likelihood(left, gap, counts) < log_likelihood(right, gap, counts):
                low = left
            else:
                high = right
    return (low + high) / 2


def score_by_maximisation(gap: float, counts: tuple[int, int, int, int]) -> float:
    x0, n0, x1, n1 = counts
    p0 = restricted_share(gap, counts)
    p1 = p0 + gap
    variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * (n0 + n1) / (n0 + n1 - 1)
    return (x1 / n1 - x0 / n0 - gap) / np.sqrt(variance)


@pytest.mark.parametrize(
    ("treatment", "control", "lower", "upper"),
    # R 4.2.2, rpact 3.3.4: reference/score_interval.R. Statsmodels 0.15 raises for the fifth (issue 10269).
    [
        ((56, 70), (48, 80), 0.0528297132458, 0.3381729400159),
        ((9, 10), (3, 10), 0.170025016424, 0.840649543943),
        ((5, 56), (0, 29), -0.0325965617435, 0.1933309766909),
        ((10, 10), (0, 10), 0.663641551895, 1.0),
        ((7, 20), (14, 22), -0.5433802568993, 0.0200171392588),
        ((1, 1_000), (9, 900), -0.01800447065884, -0.00303921915152),
    ],
)
def test_score_intervals_agree_with_those_of_rpacts_restricted_likelihood(
    treatment: tuple[int, int], control: tuple[int, int], lower: float, upper: float
) -> None:
    result = two_proportions(Counts(*control), Counts(*treatment))

    assert result.lower == pytest.approx(lower, abs=1e-11)
    assert result.upper == pytest.approx(upper, abs=1e-11)


@pytest.mark.parametrize("counts", [(7, 20, 14, 22), (1, 50, 4, 45), (48, 80, 56, 70), (3, 1000, 9, 900)])
@pytest.mark.parametrize("gap", [-0.3, -0.05, 0.05, 0.2])
def test_score_statistics_agree_with_direct_maximisation(
    counts: tuple[int, int, int, int], gap: float
) -> None:
    x0, n0, x1, n1 = counts

    result = two_proportions(Counts(x0, n0), Counts(x1, n1), null=gap)

    assert result.statistic == pytest.approx(score_by_maximisation(gap, counts), rel=1e-6)


def test_seven_of_twenty_against_fourteen_of_twenty_two_has_a_score_interval() -> None:
    # The case for which statsmodels 0.15 raises (issue 10269); ends checked by direct maximisation.
    result = two_proportions(Counts(14, 22), Counts(7, 20))

    for end in (result.lower, result.upper):
        assert abs(score_by_maximisation(float(end), (14, 22, 7, 20))) == pytest.approx(1.95996398, rel=1e-6)


def test_cookie_cats_retention_reads_to_the_printed_digit() -> None:
    first, seventh = two_proportions(*RETENTION_1), two_proportions(*RETENTION_7)

    assert f"{first.value:.6f} {first.p_value:.4f}" == "-0.005905 0.0744"
    assert f"{first.lower:.5f} {first.upper:.5f}" == "-0.01239 0.00058"
    assert f"{seventh.value:.6f} {seventh.p_value:.5f}" == "-0.008201 0.00155"
    assert f"{seventh.lower:.5f} {seventh.upper:.5f}" == "-0.01328 -0.00312"


def test_the_lift_of_cookie_cats_retention_reads_to_the_printed_digit() -> None:
    lift = delta_lift(Moments.from_counts(N_30, 8_502), Moments.from_counts(N_40, 8_279))

    assert f"{100 * lift.value:.2f}" == "-4.31"


def test_at_no_difference_the_score_is_the_pooled_z_with_the_correction_of_one_unit() -> None:
    x0, n0, x1, n1 = 48, 80, 56, 70
    pooled = (x0 + x1) / (n0 + n1)
    z = (x1 / n1 - x0 / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))

    result = two_proportions(Counts(x0, n0), Counts(x1, n1))

    assert result.statistic == pytest.approx(z * np.sqrt(149 / 150), rel=1e-12)


@pytest.mark.parametrize("successes", [0, 20])
def test_no_variation_leaves_an_interval_of_positive_width(successes: int) -> None:
    result = two_proportions(Counts(successes, 20), Counts(successes, 20))

    assert result.reason is None
    assert (result.statistic, result.p_value) == (0, 1)
    # By hand for x = 0: the restricted share is 0 below the gap D, so D^2 = z^2 D (1 - D) / 20 * 40 / 39.
    z_squared = 1.959963984540054**2 / 20 * 40 / 39
    assert result.upper == pytest.approx(z_squared / (1 + z_squared), rel=1e-9)
    assert result.lower == pytest.approx(-result.upper, rel=1e-9)


def test_all_against_none_ends_at_one() -> None:
    result = two_proportions(Counts(0, 20), Counts(20, 20))

    assert (result.value, result.upper) == (1, 1)
    assert 0.8 < result.lower < 1


def test_a_billion_units_keep_the_score_interval_accurate() -> None:
    result = two_proportions(Counts(500_000_000, 1e9), Counts(500_030_000, 1e9))
    half = 1.959963984540054 * np.sqrt(0.5 / 1e9)

    assert result.lower == pytest.approx(3e-5 - half, abs=1e-12)
    assert result.upper == pytest.approx(3e-5 + half, abs=1e-12)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("x0", "x1"), [(5, 20), (1_000, 1_100)])
def test_rare_events_among_a_billion_units_are_poisson(x0: int, x1: int, mirrored: bool) -> None:
    rates = poisson_difference(EventCounts(x0, 1e9), EventCounts(x1, 1e9))
    arms = [Counts(1e9 - x if mirrored else x, 1e9) for x in (x0, x1)]

    shares = two_proportions(*(arms[::-1] if mirrored else arms))

    assert shares.lower == pytest.approx(rates.lower, rel=1e-5, abs=0)
    assert shares.upper == pytest.approx(rates.upper, rel=1e-5, abs=0)
    assert x0 > 100 or shares.upper == pytest.approx(rates.upper, rel=2e-8, abs=0)


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (Counts(0, 0), Reason.EMPTY_ARM),
        (Counts(11, 10), Reason.IMPOSSIBLE_COUNT),
        (Counts(-1, 10), Reason.IMPOSSIBLE_COUNT),
        (Counts(0.5, 10), Reason.IMPOSSIBLE_COUNT),
        (Counts(np.nan, 10), Reason.NOT_FINITE),
    ],
)
def test_impossible_counts_say_so(control: Counts, reason: Reason) -> None:
    result = two_proportions(control, Counts(3, 10))

    assert result.reason is reason
    assert np.isnan([result.p_value, result.lower, result.upper, result.value]).all()


def test_one_sided_score_intervals_end_at_the_edge_of_what_is_possible() -> None:
    above = two_proportions(Counts(3, 10), Counts(5, 10), alternative=Alternative.GREATER)
    below = two_proportions(Counts(3, 10), Counts(5, 10), alternative=Alternative.LESS)

    assert (above.upper, below.lower) == (1, -1)
    assert above.p_value + below.p_value == pytest.approx(1)


def test_a_null_outside_minus_one_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lies in \(-1, 1\); got null=2"):
        two_proportions(Counts(3, 10), Counts(5, 10), null=2)


def test_counts_come_back_from_moments() -> None:
    counts = Counts.from_moments(Moments.from_counts(44_700, 8_502))

    assert (counts.successes, counts.n) == (8_502, 44_700)


def test_moments_of_other_values_are_no_counts() -> None:
    with pytest.raises(ValueError, match="not moments of zeros and ones"):
        Counts.from_moments(Moments.from_values([0.0, 1.0, 2.0, 1.0]))


@pytest.mark.parametrize(
    ("method", "alternative", "expected"),
    [
        # R 4.2.2: fisher.test(matrix(c(7, 4, 1, 11), 2, byrow = TRUE))
        (ExactMethod.FISHER, Alternative.TWO_SIDED, 0.0094225333153856467),
        (ExactMethod.FISHER, Alternative.GREATER, 0.0084129761744514663),
        # scipy 1.17.1: boschloo_exact([[7, 1], [4, 11]]), barnard_exact
        (ExactMethod.BOSCHLOO, Alternative.TWO_SIDED, 0.0060132465386539885),
        (ExactMethod.BOSCHLOO, Alternative.GREATER, 0.0030066232693269942),
        (ExactMethod.BARNARD, Alternative.TWO_SIDED, 0.0054022104857947995),
    ],
)
def test_exact_tests_agree_with_their_references(
    method: ExactMethod, alternative: Alternative, expected: float
) -> None:
    result = exact_proportions(Counts(1, 12), Counts(7, 11), method=method, alternative=alternative)

    assert result.p_value == pytest.approx(expected, rel=1e-6)
    assert result.value == pytest.approx(7 / 11 - 1 / 12)


def test_exact_tests_skip_what_is_impossible_and_test_the_rest() -> None:
    result = exact_proportions(Counts([1, 0], [12, 0]), Counts(7, 11), method=ExactMethod.FISHER)

    assert result.reasons.tolist() == [None, Reason.EMPTY_ARM]
    assert np.isnan(result.p_value[1])


def test_the_smallest_expected_count_is_the_smallest_cell_under_equality() -> None:
    # R 4.2.2: min(chisq.test(matrix(c(7, 4, 1, 11), 2))$expected) = 11 * 8 / 23
    assert smallest_expected_count(Counts(1, 12), Counts(7, 11)) == pytest.approx(11 * 8 / 23)
