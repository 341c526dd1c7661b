"""Few clusters: CR2 errors and Satterthwaite degrees of freedom against the matrix formula."""

import numpy as np
import pytest
from numpy.typing import NDArray

from assay_stats import (
    ClusterTotals,
    Reason,
    cluster_difference,
    cluster_mean,
    clustered_arms,
    clustered_difference,
    design_effect,
    difference,
)

Values = list[NDArray[np.float64]]


def clusters_of(sizes: list[int], seed: int) -> Values:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=size) + rng.normal() for size in sizes]


CONTROL, TREATMENT = clusters_of([3, 8, 12, 5], 1), clusters_of([4, 20, 6, 7, 9], 2)


def totals(values: Values) -> ClusterTotals:
    return ClusterTotals([len(part) for part in values], [part.sum() for part in values])


def matrix_formula(control: Values, treatment: Values) -> tuple[float, float, float]:
    """Pustejovsky & Tipton (2018), equations 6 to 11, with explicit matrices over units."""
    parts = [*control, *treatment]
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    outcome = np.concatenate(parts)
    design = np.column_stack([np.ones(len(outcome)), owner >= len(control)]).astype(float)
    bread = np.linalg.inv(design.T @ design)
    annihilator = np.eye(len(outcome)) - design @ bread @ design.T
    estimate = bread @ design.T @ outcome
    forms: Values = []
    for cluster in range(len(parts)):
        inside = owner == cluster
        values, vectors = np.linalg.eigh(annihilator[np.ix_(inside, inside)])
        adjusted = vectors @ np.diag(values**-0.5) @ vectors.T
        forms.append(np.array([0.0, 1.0]) @ bread @ design[inside].T @ adjusted @ annihilator[inside])
    rows = np.array(forms)
    working = rows @ rows.T
    variance = float(((rows @ outcome) ** 2).sum())
    return float(estimate[1]), variance, float(np.trace(working) ** 2 / np.trace(working @ working))


def test_cluster_errors_and_freedom_agree_with_the_matrix_formula() -> None:
    value, variance, freedom = matrix_formula(CONTROL, TREATMENT)

    result = cluster_difference(totals(CONTROL), totals(TREATMENT))

    assert result.value == pytest.approx(value, rel=1e-10)
    assert result.standard_error**2 == pytest.approx(variance, rel=1e-10)
    assert result.degrees_of_freedom == pytest.approx(freedom, rel=1e-10)


def crossed_formula(values: Values, arms: list[NDArray[np.float64]]) -> tuple[float, float, float]:
    """The same matrices with an arm for each unit, so that clusters may have units in both."""
    owner = np.repeat(np.arange(len(values)), [len(part) for part in values])
    outcome, arm = np.concatenate(values), np.concatenate(arms)
    design = np.column_stack([1 - arm, arm])
    bread = np.linalg.inv(design.T @ design)
    annihilator = np.eye(len(outcome)) - design @ bread @ design.T
    contrast = np.array([-1.0, 1.0]) @ bread
    forms: Values = []
    for cluster in range(len(values)):
        inside = owner == cluster
        roots, vectors = np.linalg.eigh(annihilator[np.ix_(inside, inside)])
        adjusted = vectors @ np.diag(roots**-0.5) @ vectors.T
        forms.append(contrast @ design[inside].T @ adjusted @ annihilator[inside])
    rows = np.array(forms)
    working = rows @ rows.T
    variance = float(((rows @ outcome) ** 2).sum())
    value = float(contrast @ design.T @ outcome)
    return value, variance, float(np.trace(working) ** 2 / np.trace(working @ working))


def test_clusters_with_units_in_both_arms_agree_with_the_matrix_formula() -> None:
    rng = np.random.default_rng(7)
    values = clusters_of([6, 9, 4, 12, 7], 3)
    arms = [rng.permutation(np.arange(len(part)) % 2).astype(float) for part in values[:-1]]
    arms.append(np.ones(7))
    value, variance, freedom = crossed_formula(values, arms)

    totals_of = [
        ClusterTotals(
            [float((arm == side).sum()) for arm in arms],
            [part[arm == side].sum() for part, arm in zip(values, arms, strict=True)],
        )
        for side in (0, 1)
    ]
    result = clustered_difference(*totals_of)
    pair = clustered_arms(*totals_of)
    again = difference(pair.control, pair.treatment, covariance=pair.covariance)

    assert result.value == pytest.approx(value, rel=1e-10)
    assert result.standard_error**2 == pytest.approx(variance, rel=1e-10)
    assert result.degrees_of_freedom == pytest.approx(freedom, rel=1e-10)
    assert again.degrees_of_freedom == pytest.approx(freedom, rel=1e-10)
    assert again.p_value == pytest.approx(result.p_value, rel=1e-10)


def test_clusters_inside_arms_are_the_special_case() -> None:
    control, treatment = totals(CONTROL), totals(TREATMENT)
    apart = [
        ClusterTotals(np.r_[control.sizes, np.zeros(5)], np.r_[control.totals, np.zeros(5)]),
        ClusterTotals(np.r_[np.zeros(4), treatment.sizes], np.r_[np.zeros(4), treatment.totals]),
    ]

    expected, found = cluster_difference(control, treatment), clustered_difference(*apart)

    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-12)
    assert found.degrees_of_freedom == pytest.approx(expected.degrees_of_freedom, rel=1e-12)
    assert clustered_arms(*apart).covariance == 0


@pytest.mark.parametrize(
    ("clusters", "reason"),
    [
        (ClusterTotals([5, 0, 0], [3.0, 0, 0]), Reason.TOO_FEW_CLUSTERS),
        (ClusterTotals([5, -1, 4], [3.0, 0, 1]), Reason.IMPOSSIBLE_COUNT),
        (ClusterTotals([5, 4, 3], [3.0, np.nan, 1]), Reason.NOT_FINITE),
    ],
)
def test_crossed_clusters_that_carry_no_error_say_why(clusters: ClusterTotals, reason: Reason) -> None:
    result = clustered_difference(clusters, ClusterTotals([3, 4, 5], [1.0, 2, 4]))

    assert result.reason is reason


def test_both_arms_list_the_same_clusters() -> None:
    with pytest.raises(ValueError, match="both arms list the same clusters"):
        clustered_arms(ClusterTotals([5, 4], [3.0, 1.0]), ClusterTotals([5], [3.0]))


def test_clusters_of_one_unit_are_units() -> None:
    values = np.array([1.0, 3.0, 2.0, 5.0, 4.0])

    mean = cluster_mean(ClusterTotals(np.ones(5), values))

    assert mean.squared_error == pytest.approx(values.var(ddof=1) / 5)
    assert mean.degrees_of_freedom == pytest.approx(4)


def test_many_experiments_at_once_equal_one_at_a_time() -> None:
    sizes, sums = np.array([[3.0, 8, 12], [5, 5, 5]]), np.array([[1.0, 2, 9], [4, 1, 2]])

    both = cluster_difference(ClusterTotals(sizes, sums), totals(TREATMENT))

    alone = cluster_difference(ClusterTotals(sizes[1], sums[1]), totals(TREATMENT))
    assert both.p_value[1] == pytest.approx(alone.p_value, rel=1e-12)


@pytest.mark.parametrize(
    ("clusters", "reason"),
    [
        (ClusterTotals([5], [3.0]), Reason.TOO_FEW_CLUSTERS),
        (ClusterTotals([5, 0], [3.0, 0.0]), Reason.IMPOSSIBLE_COUNT),
        (ClusterTotals([5, 4], [3.0, np.nan]), Reason.NOT_FINITE),
    ],
)
def test_clusters_that_carry_no_error_say_why(clusters: ClusterTotals, reason: Reason) -> None:
    result = cluster_difference(clusters, totals(TREATMENT))

    assert result.reason is reason
    assert np.isnan(result.p_value)


def test_sizes_and_totals_list_the_same_clusters() -> None:
    with pytest.raises(ValueError, match="list the same clusters"):
        ClusterTotals([5, 4], [3.0])


def test_the_design_effect_of_identical_units_is_near_the_cluster_size() -> None:
    values = np.repeat([1.0, 3.0, 2.0, 5.0, 4.0, 0.0], 10)

    effect = design_effect(
        ClusterTotals(np.full(6, 10), values.reshape(6, 10).sum(axis=1)), values.var(ddof=1)
    )

    assert 10 < effect < 13
