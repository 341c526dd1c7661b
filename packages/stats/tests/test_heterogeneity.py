"""Effects that differ between segments, experiments and days."""

import numpy as np
import pytest

from assay_stats import (
    JointMoments,
    Moments,
    Reason,
    delta_lift,
    effect_trend,
    interaction,
    lift_trend,
    novelty_trend,
    period_lifts,
    ratio_of,
    segment_heterogeneity,
    welch,
)
from assay_stats.calibration.acceptance import Kind, acceptance

EFFECTS, ERRORS = [0.1, 0.3, 0.5, -0.1, 0.2], [0.01, 0.02, 0.015, 0.01, 0.03]


def test_heterogeneity_agrees_with_statsmodels() -> None:
    # statsmodels 0.15.0: combine_effects(effects, errors, method_re="dl")
    result = segment_heterogeneity(EFFECTS, ERRORS)

    assert result.statistic == pytest.approx(15.857142857142858, rel=1e-12)
    assert result.tau_squared == pytest.approx(0.043941176470588234, rel=1e-12)
    assert result.pooled == pytest.approx(0.1908454065095333, rel=1e-12)
    assert result.pooled_error == pytest.approx(0.1096275532864464, rel=1e-12)
    assert result.i_squared == pytest.approx(0.7477477477477478, rel=1e-12)
    # R 4.2.2: pchisq(15.857142857142858, 4, lower.tail = FALSE)
    assert result.p_value == pytest.approx(0.0032169710787880545, rel=1e-10)


def test_segments_are_drawn_towards_the_pooled_effect() -> None:
    result = segment_heterogeneity(EFFECTS, ERRORS)

    before, after = np.abs(np.array(EFFECTS) - result.pooled), np.abs(result.shrunk - result.pooled)
    assert (after < before).all()
    share = 0.043941176470588234 / (0.043941176470588234 + 0.01)
    assert result.shrunk[0] == pytest.approx(result.pooled + share * (0.1 - result.pooled))


def test_equal_effects_shrink_onto_their_mean() -> None:
    result = segment_heterogeneity([0.2, 0.2, 0.2], [0.01, 0.02, 0.03])

    assert (result.statistic, result.tau_squared, result.i_squared) == (0, 0, 0)
    assert result.p_value == 1
    assert result.shrunk == pytest.approx(np.full(3, 0.2))


def test_a_segment_without_an_effect_is_left_out() -> None:
    with_gap = segment_heterogeneity([*EFFECTS, np.nan], [*ERRORS, np.nan])

    assert with_gap.statistic == pytest.approx(15.857142857142858)
    assert with_gap.degrees_of_freedom == 4
    assert np.isnan(with_gap.shrunk[-1])


def test_one_segment_cannot_differ() -> None:
    result = segment_heterogeneity([0.2, np.nan], [0.01, 0.01])

    assert result.reason is Reason.TOO_FEW_SEGMENTS
    assert np.isnan([result.p_value, result.pooled]).all()


def test_heterogeneity_lists_a_row_per_segment() -> None:
    table = segment_heterogeneity(EFFECTS, ERRORS).to_dict()

    assert table["shrunk"].shape == table["p_value"].shape == (5,)


CELLS = Moments([[30, 40], [50, 60]], [[1.0, 1.2], [1.5, 2.4]], [[29.0, 39.0 * 2], [49.0 * 3, 59.0 * 4]])


def test_interaction_is_a_difference_of_differences() -> None:
    result = interaction(CELLS)

    assert result.value == pytest.approx((2.4 - 1.2) - (1.5 - 1.0))
    assert result.standard_error**2 == pytest.approx(1 / 30 + 2 / 40 + 3 / 50 + 4 / 60)
    parts = np.array([1 / 30, 2 / 40, 3 / 50, 4 / 60])
    assert result.degrees_of_freedom == pytest.approx(
        parts.sum() ** 2 / (parts**2 / np.array([29, 39, 49, 59])).sum()
    )


def test_interaction_names_the_cell_that_is_missing() -> None:
    cells = Moments([[30, 0], [50, 60]], [[1.0, np.nan], [1.5, 2.4]], [[29.0, 0.0], [1.0, 1.0]])

    assert interaction(cells).reason is Reason.EMPTY_ARM


def test_interaction_takes_two_by_two_cells() -> None:
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 2, 2\)"):
        interaction(Moments([1, 2], [1.0, 2.0], [1.0, 1.0]))


def test_a_fading_effect_has_a_falling_slope() -> None:
    rng = np.random.default_rng(1)
    taste = rng.normal(size=(500, 1))
    control = taste + rng.normal(size=(500, 4))
    treatment = taste + rng.normal(size=(500, 4)) + np.array([1.5, 1.0, 0.5, 0.0])

    result = novelty_trend(
        JointMoments.from_values(control), JointMoments.from_values(treatment), times=[0, 1, 2, 3]
    )

    assert result.value == pytest.approx(-0.5, abs=4 * float(result.standard_error))
    assert result.p_value < 1e-10


def test_the_novelty_trend_compares_the_slopes_of_units() -> None:
    rng = np.random.default_rng(2)
    times = np.array([1.0, 2.0, 4.0])
    arms = [rng.normal(size=(20, 3)), rng.normal(size=(25, 3))]
    slopes = [Moments.from_values(np.polyfit(times, arm.T, 1)[0]) for arm in arms]

    result = novelty_trend(*(JointMoments.from_values(arm) for arm in arms), times=times)

    assert result.p_value == pytest.approx(welch(*slopes).p_value, rel=1e-9)


def test_interaction_takes_ratios_too() -> None:
    rng = np.random.default_rng(4)
    visits = rng.poisson(5, size=(2, 2, 400)) + 1.0
    orders = rng.binomial(visits.astype(int), 0.3).astype(float)
    cells = [
        [JointMoments.from_values(np.stack([orders[i, j], visits[i, j]], -1)) for j in (0, 1)] for i in (0, 1)
    ]
    joint = JointMoments(
        [[cell.n for cell in row] for row in cells],
        [[cell.means for cell in row] for row in cells],
        [[cell.comoments for cell in row] for row in cells],
    )

    result = interaction(ratio_of(joint))

    ratios = orders.sum(-1) / visits.sum(-1)
    assert result.value == pytest.approx(ratios[1, 1] - ratios[0, 1] - ratios[1, 0] + ratios[0, 0])


ACTIVITY = np.array([4.0, 2.0, 1.0, 1.0])


def periods(lift: np.ndarray, rng: np.random.Generator, units: int = 400) -> JointMoments:
    """Units that do less as they get older, each with a taste of its own."""
    taste = rng.gamma(4.0, 0.25, size=(units, 1))
    return JointMoments.from_values(rng.poisson(taste * ACTIVITY * (1 + lift)).astype(float))


def test_lifts_of_periods_are_those_of_each_period_alone() -> None:
    rng = np.random.default_rng(5)
    control, treatment = periods(np.zeros(4), rng), periods(np.full(4, 0.3), rng)

    lifts = period_lifts(control, treatment)

    alone = [delta_lift(control.column(at), treatment.column(at)) for at in range(4)]
    np.testing.assert_allclose(lifts.values, [each.value for each in alone])
    np.testing.assert_allclose(np.diag(lifts.covariance), [each.standard_error**2 for each in alone])


def test_ratios_of_periods_have_the_lifts_of_each_ratio_alone() -> None:
    rng = np.random.default_rng(6)
    arms = [
        JointMoments.from_values(rng.poisson([3, 9, 2, 7, 1, 5], size=(300, 6)).astype(float)) for _ in (0, 1)
    ]

    lifts = period_lifts(*arms, is_ratio=True)

    ratios = [[ratio_of(arm, numerator=2 * at, denominator=2 * at + 1) for arm in arms] for at in range(3)]
    alone = [delta_lift(*pair) for pair in ratios]
    np.testing.assert_allclose(lifts.values, [each.value for each in alone])
    np.testing.assert_allclose(
        np.diag(lifts.covariance), [each.standard_error**2 for each in alone], rtol=1e-9
    )


def test_a_lift_that_fades_is_found_and_a_steady_one_of_units_that_do_less_is_not() -> None:
    rng = np.random.default_rng(7)
    control = periods(np.zeros(4), rng, 4_000)

    steady = lift_trend(period_lifts(control, periods(np.full(4, 0.3), rng, 4_000)), times=[0, 1, 2, 3])
    fading = lift_trend(
        period_lifts(control, periods(np.array([0.6, 0.4, 0.2, 0.0]), rng, 4_000)), times=[0, 1, 2, 3]
    )

    assert steady.lower < 0 < steady.upper
    assert fading.upper < 0
    assert fading.value == pytest.approx(-0.2, abs=4 * float(fading.standard_error))


def test_steady_lifts_are_called_trends_as_often_as_promised() -> None:
    rng = np.random.default_rng(8)
    trials = 2_000
    called = sum(
        bool(
            lift_trend(
                period_lifts(periods(np.zeros(4), rng), periods(np.full(4, 0.3), rng)), times=[0, 1, 2, 3]
            ).p_value
            < 0.05
        )
        for _ in range(trials)
    )

    bound = acceptance(Kind.EQUAL, target=0.05, slack=0.005, trials=trials, false_alarm=1e-3)
    assert bound.accept(called / trials)


def test_a_period_in_which_the_control_did_nothing_has_no_lift() -> None:
    control = JointMoments.from_values([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    treatment = JointMoments.from_values([[1.0, 1.0], [2.0, 0.0], [2.0, 3.0]])

    assert lift_trend(period_lifts(control, treatment), times=[0, 1]).reason is Reason.ZERO_BASELINE


def test_a_trend_of_independent_cohorts_is_a_weighted_regression() -> None:
    times, effects, errors = np.array([0.0, 1, 3]), np.array([0.5, 0.3, 0.2]), np.array([0.01, 0.02, 0.04])

    result = effect_trend(effects, errors, times=times)

    slope, _ = np.polyfit(times, effects, 1, w=1 / np.sqrt(errors))
    assert result.value == pytest.approx(slope)
    centre = np.average(times, weights=1 / errors)
    assert result.standard_error == pytest.approx(1 / np.sqrt(((times - centre) ** 2 / errors).sum()))


def test_a_cohort_without_an_effect_leaves_no_trend() -> None:
    assert effect_trend([0.5, np.nan, 0.2], [0.1, 0.1, 0.1], times=[0, 1, 2]).reason is Reason.NOT_FINITE


@pytest.mark.parametrize("times", [[0, 1], [1, 1, 1], [0, 1, np.nan]])
def test_a_trend_needs_different_times(times: list[float]) -> None:
    with pytest.raises(ValueError, match="time"):
        effect_trend([0.5, 0.3, 0.2], [0.1, 0.1, 0.1], times=times)
