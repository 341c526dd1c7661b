"""Balance of covariates: the distance of Morgan & Rubin, its distribution, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from assay_stats import Population, acceptable_distance

RNG = np.random.default_rng(3)
VALUES = RNG.normal(size=(60, 3)) @ RNG.normal(size=(3, 3)) + 5


def test_the_distance_is_that_of_the_formula() -> None:
    treated = RNG.permutation(60) < 25
    first, second = VALUES[treated], VALUES[~treated]
    gap = first.mean(axis=0) - second.mean(axis=0)
    expected = 25 * 35 / 60 * gap @ np.linalg.inv(np.cov(VALUES.T)) @ gap

    found = Population.of(VALUES).imbalance(~treated, treated)

    assert found.distance == pytest.approx(expected, rel=1e-9)
    assert found.standardised == pytest.approx(gap / VALUES.std(axis=0, ddof=1), rel=1e-9)


@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-20, 20))
def test_neither_units_of_measurement_nor_a_covariate_twice_change_the_distance(
    seed: int, scale: float, shift: float
) -> None:
    treated = np.random.default_rng(seed).permutation(60) < 30
    plain = Population.of(VALUES)
    changed = Population.of(np.column_stack([VALUES * scale + shift, VALUES[:, 0]]))

    assert changed.rank == plain.rank == 3
    assert changed.imbalance(~treated, treated).distance == pytest.approx(
        plain.imbalance(~treated, treated).distance, rel=1e-6
    )


def test_random_assignments_have_chi_square_distances() -> None:
    values = RNG.normal(size=(400, 2))
    treated = RNG.random((4_000, 400)).argsort(axis=1) < 200
    distances = Population.of(values).imbalance(~treated, treated).distance

    assert kstest(distances, chi2(2).cdf).pvalue > 0.001
    assert np.mean(distances <= acceptable_distance(2, share=0.1)) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("values", [np.ones((5, 2)), [[1.0]], [[1.0], [np.nan]], [1.0, 2.0]])
def test_what_cannot_be_balanced_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"covariate"):
        Population.of(values)  # pyright: ignore[reportArgumentType]  # what somebody might try


def test_an_empty_arm_has_no_distance() -> None:
    nobody = np.zeros(60)

    assert np.isnan(Population.of(VALUES).imbalance(nobody, np.ones(60)).distance)


def test_all_assignments_are_acceptable_when_that_is_the_share() -> None:
    assert acceptable_distance(2, share=1.0) == float("inf")
    with pytest.raises(ValueError, match="lies in"):
        acceptable_distance(2, share=0.0)
