"""Covariate adjustment and strata, against regression and tea-tasting."""

import numpy as np
import pytest

from assay_stats import (
    JointMoments,
    Moments,
    Reason,
    Theta,
    adjusted_arms,
    adjusted_ratio_arms,
    cuped_difference,
    delta_lift,
    fieller_lift,
    pair_difference,
    post_stratified,
    post_stratified_adjusted,
    ratio_difference,
    welch,
)


def an_arm(n: int, slope: float, shift: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    i = np.arange(n)
    first, second, noise = np.sin(1.7 * i), np.cos(0.9 * i), np.sin(12.9898 * i * i)
    return np.column_stack([5 + shift + slope * first + 0.5 * second + noise, first, second])


CONTROL = JointMoments.from_values(an_arm(40, 1.0, 0.0))
TREATMENT = JointMoments.from_values(an_arm(30, 1.5, 0.4))


def a_ratio_arm(n: int, shift: float) -> JointMoments:
    i = np.arange(n)
    sessions, before = 1 + (i * 7) % 5, 1 + (i * 3) % 4
    taste = 0.3 * np.sin(2.3 * i)
    orders = sessions * (1 + shift + taste) + 0.1 * np.cos(i)
    return JointMoments.from_values(np.column_stack([orders, sessions, before * (1 + taste), before]))


def test_per_arm_adjustment_is_a_regression_in_each_arm() -> None:
    # statsmodels 0.15.0: OLS per arm on a constant and both covariates, predicted at their pooled mean; the
    # squared error is the sum of se_mean^2 and (theta1 - theta0)' V (theta1 - theta0).
    result = cuped_difference(CONTROL, TREATMENT, covariates=(1, 2))

    assert result.value == pytest.approx(0.38716906950605257, rel=1e-12)
    assert result.standard_error == pytest.approx(0.19617731817041925, rel=1e-12)


def test_pooled_adjustment_agrees_with_tea_tasting() -> None:
    # tea-tasting 1.14.0: Mean("y", "x")
    result = cuped_difference(CONTROL, TREATMENT, theta=Theta.POOLED)

    assert result.value == pytest.approx(0.4274862899673302, rel=1e-12)
    assert result.statistic == pytest.approx(1.9257644786822983, rel=1e-12)
    assert result.p_value == pytest.approx(0.058786633698967666, rel=1e-10)
    assert result.lower == pytest.approx(-0.016373269969531534, rel=1e-9)


def test_the_within_coefficient_ignores_the_difference_between_arms() -> None:
    far = JointMoments.from_values(an_arm(30, 1.0, 100.0))

    within = cuped_difference(CONTROL, far, theta=Theta.WITHIN)
    pooled = cuped_difference(CONTROL, far, theta=Theta.POOLED)

    gap = far.means - CONTROL.means
    summed = CONTROL.comoments + far.comoments
    assert within.value == pytest.approx(gap[0] - summed[0, 1] / summed[1, 1] * gap[1])
    assert within.value != pytest.approx(pooled.value, abs=1e-3)


def test_the_superpopulation_term_is_the_variance_of_the_pooled_covariate_mean() -> None:
    columns = (CONTROL.select(0, 1), TREATMENT.select(0, 1))
    slopes = [arm.comoments[0, 1] / arm.comoments[1, 1] for arm in columns]
    spread = (40 * columns[0].covariance[1, 1] + 30 * columns[1].covariance[1, 1]) / 70**2
    own = [
        (arm.comoments[0, 0] - slope * arm.comoments[0, 1])
        / (arm.n - 2)
        * (1 / arm.n + (centre - arm.means[1]) ** 2 / arm.comoments[1, 1])
        for arm, slope in zip(columns, slopes, strict=True)
        for centre in [(40 * columns[0].means[1] + 30 * columns[1].means[1]) / 70]
    ]

    result = cuped_difference(CONTROL, TREATMENT)

    assert result.standard_error**2 == pytest.approx(
        sum(own) + (slopes[1] - slopes[0]) ** 2 * spread, rel=1e-10
    )


@pytest.mark.parametrize("theta", list(Theta))
def test_adjustment_shrinks_the_error_of_a_metric_that_was_predictable(theta: Theta) -> None:
    plain = welch(CONTROL.column(0), TREATMENT.column(0))

    assert cuped_difference(CONTROL, TREATMENT, covariates=(1, 2), theta=theta).standard_error < (
        0.85 * plain.standard_error
    )


def test_an_unrelated_covariate_changes_nearly_nothing() -> None:
    rng = np.random.default_rng(7)
    arms = [JointMoments.from_values(rng.normal(size=(5_000, 2))) for _ in range(2)]

    plain, adjusted = welch(arms[0].column(0), arms[1].column(0)), cuped_difference(*arms)

    assert adjusted.standard_error == pytest.approx(plain.standard_error, rel=0.01)


@pytest.mark.parametrize("theta", list(Theta))
def test_a_constant_covariate_is_collinear_not_dropped(theta: Theta) -> None:
    rows = np.column_stack([np.arange(5.0), np.full(5, 3.0)])
    arm = JointMoments.from_values(rows)

    result = cuped_difference(arm, arm, theta=theta)

    assert result.reason is Reason.COLLINEAR_COVARIATES
    assert np.isnan([result.value, result.p_value]).all()


def test_a_repeated_covariate_is_collinear() -> None:
    repeated = [arm.select(0, 1, 1) for arm in (CONTROL, TREATMENT)]

    assert cuped_difference(*repeated, covariates=(1, 2)).reason is Reason.COLLINEAR_COVARIATES


def test_the_outcome_as_its_own_covariate_leaves_nothing_to_test() -> None:
    selves = [arm.select(0, 0) for arm in (CONTROL, TREATMENT)]

    assert cuped_difference(*selves).reason is Reason.ZERO_VARIANCE


def test_more_covariates_than_units_are_too_few_units() -> None:
    arm = JointMoments.from_values(an_arm(3, 1.0, 0.0))

    assert cuped_difference(arm, TREATMENT, covariates=(1, 2)).reason is Reason.TOO_FEW_UNITS


def test_adjustment_of_many_metrics_at_once_equals_one_at_a_time() -> None:
    stacked = JointMoments(
        np.stack([CONTROL.n, TREATMENT.n]),
        np.stack([CONTROL.means, TREATMENT.means]),
        np.stack([CONTROL.comoments, TREATMENT.comoments]),
    )

    both = cuped_difference(stacked, TREATMENT)

    assert both.p_value[0] == pytest.approx(cuped_difference(CONTROL, TREATMENT).p_value, rel=1e-12)


def test_the_relative_change_counts_the_covariance_of_the_adjusted_arms() -> None:
    pair = adjusted_arms(CONTROL, TREATMENT)
    m0, m1 = pair.control.value, pair.treatment.value

    lift = delta_lift(pair.control, pair.treatment, covariance=pair.covariance)

    gradient = np.array([-m1 / m0**2, 1 / m0])
    matrix = np.array(
        [[pair.control.squared_error, pair.covariance], [pair.covariance, pair.treatment.squared_error]]
    )
    assert lift.standard_error == pytest.approx(np.sqrt(gradient @ matrix @ gradient), rel=1e-12)


def test_the_error_of_a_relative_adjusted_change_matches_its_scatter() -> None:
    rng = np.random.default_rng(11)
    runs, n = 4_000, 60
    x = rng.normal(2.0, 1.0, size=(2, runs, n))
    y = 3 * x + rng.normal(size=x.shape) + np.array([0.0, 1.0])[:, None, None]
    rows = np.stack([y, x], axis=-1)
    centred = rows - rows.mean(axis=2, keepdims=True)
    arms = JointMoments(np.full((2, runs), n), rows.mean(axis=2), np.swapaxes(centred, -1, -2) @ centred)

    pair = adjusted_arms(arms[0], arms[1])
    lift = delta_lift(pair.control, pair.treatment, covariance=pair.covariance)

    assert np.sqrt((lift.standard_error**2).mean()) == pytest.approx(lift.value.std(), rel=0.05)


def test_fieller_of_adjusted_arms_is_dual_to_their_test() -> None:
    pair = adjusted_arms(CONTROL, TREATMENT)
    level = 1 - pair_difference(pair).p_value

    lift = fieller_lift(pair.control, pair.treatment, covariance=pair.covariance, level=level)

    assert lift.lower == pytest.approx(0, abs=1e-9)


def test_ratio_adjustment_is_near_tea_tasting() -> None:
    # tea-tasting 1.14.0: RatioOfMeans("y", "x", "py", "px") gives 0.064682 and 2.534169; it compares
    # ratios of the covariates where we compare their linearised means, equal to first order.
    pair = adjusted_ratio_arms(
        a_ratio_arm(60, 0.0), a_ratio_arm(50, 0.05), prior_ratio=(2, 3), theta=Theta.POOLED
    )

    result = pair_difference(pair)

    assert result.value == pytest.approx(0.06468211393744039, rel=1e-3)
    assert result.statistic == pytest.approx(2.534169050715711, rel=1e-3)


def test_ratio_adjustment_without_a_relation_is_the_plain_ratio() -> None:
    arms = [a_ratio_arm(60, 0.0), a_ratio_arm(50, 0.05)]
    unrelated = [
        JointMoments(
            arm.n,
            [*arm.means[:2], 0.0],
            np.block([[arm.comoments[:2, :2], np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]]),
        )
        for arm in arms
    ]

    adjusted = pair_difference(adjusted_ratio_arms(*unrelated, covariates=(2,), theta=Theta.POOLED))

    assert adjusted.p_value == pytest.approx(ratio_difference(*arms).p_value, rel=1e-10)


def test_ratio_adjustment_needs_something_to_adjust_for() -> None:
    with pytest.raises(ValueError, match="name covariates or a prior ratio"):
        adjusted_ratio_arms(a_ratio_arm(60, 0.0), a_ratio_arm(50, 0.05))


STRATA_CONTROL = Moments([40, 60], [1.0, 5.0], [40.0, 90.0])
STRATA_TREATMENT = Moments([70, 30], [1.5, 5.8], [60.0, 40.0])


def test_post_stratification_weighs_strata_by_their_pooled_share() -> None:
    # By hand, Miratrix, Sekhon & Yu (2013): shares 0.55 and 0.45; effects 0.5 and 0.8.
    result = pair_difference(post_stratified(STRATA_CONTROL, STRATA_TREATMENT))

    assert result.value == pytest.approx(0.55 * 0.5 + 0.45 * 0.8)
    errors = [40 / 39 / 40 + 60 / 69 / 70, 90 / 59 / 60 + 40 / 29 / 30]
    between = (0.55 * (0.5 - 0.635) ** 2 + 0.45 * (0.8 - 0.635) ** 2) / 200
    assert result.standard_error**2 == pytest.approx(0.55**2 * errors[0] + 0.45**2 * errors[1] + between)


def test_post_stratification_removes_an_imbalance_that_misleads() -> None:
    control, treatment = (strata[0] + strata[1] for strata in (STRATA_CONTROL, STRATA_TREATMENT))

    assert welch(control, treatment).value < 0
    assert pair_difference(post_stratified(STRATA_CONTROL, STRATA_TREATMENT)).value > 0


def test_a_stratum_without_units_counts_for_nothing() -> None:
    widened = [
        Moments([*strata.n, 0], [*strata.mean, np.nan], [*strata.m2, 0])
        for strata in (STRATA_CONTROL, STRATA_TREATMENT)
    ]

    plain, wide = post_stratified(STRATA_CONTROL, STRATA_TREATMENT), post_stratified(*widened)

    assert pair_difference(wide).p_value == pytest.approx(pair_difference(plain).p_value)


def test_a_stratum_missing_from_one_arm_must_be_merged() -> None:
    control = Moments([40, 0], [1.0, np.nan], [40.0, 0.0])

    assert pair_difference(post_stratified(control, STRATA_TREATMENT)).reason is Reason.EMPTY_ARM


def test_strata_and_covariates_work_together() -> None:
    rows = [an_arm(40, 1.0, 0.0), an_arm(44, 1.0, 3.0)], [an_arm(30, 1.0, 0.5), an_arm(50, 1.0, 3.5)]
    stacked = [
        JointMoments(
            np.array([len(part) for part in arm]),
            np.stack([JointMoments.from_values(part).means for part in arm]),
            np.stack([JointMoments.from_values(part).comoments for part in arm]),
        )
        for arm in rows
    ]

    joint = pair_difference(post_stratified_adjusted(*stacked))
    strata = pair_difference(post_stratified(stacked[0].column(0), stacked[1].column(0)))
    merged = cuped_difference(stacked[0][0] + stacked[0][1], stacked[1][0] + stacked[1][1])

    assert joint.value == pytest.approx(0.5, abs=0.3)
    assert joint.standard_error < min(strata.standard_error, merged.standard_error)


def test_one_stratum_is_no_stratification() -> None:
    stacked = [
        JointMoments(arm.n[None], arm.means[None], arm.comoments[None]) for arm in (CONTROL, TREATMENT)
    ]

    joint = pair_difference(post_stratified_adjusted(*stacked))

    assert joint.p_value == pytest.approx(cuped_difference(CONTROL, TREATMENT).p_value, rel=1e-10)
