"""Rank tests."""

import numpy as np
import pytest

from assay_stats import Alternative, Reason, mann_whitney, superiority

CONTROL = [1.1, 2.3, 2.3, 4.0, 5.5, 0.2, 3.1]
TREATMENT = [2.3, 4.4, 6.1, 7.2, 3.1, 8.8]


def test_mann_whitney_with_ties_agrees_with_r() -> None:
    # R 4.2.2: wilcox.test(treatment, control, correct = FALSE, exact = FALSE)
    result = mann_whitney(CONTROL, TREATMENT)

    assert result.statistic == 34.5
    assert result.p_value == pytest.approx(0.052142529788233916, rel=1e-12)
    assert result.value == pytest.approx(34.5 / 42)


def test_exact_mann_whitney_agrees_with_r() -> None:
    # R 4.2.2: wilcox.test(treatment, control, exact = TRUE)
    result = mann_whitney([1.1, 2.3, 2.2, 4.0, 5.5, 0.2, 3.1], [2.4, 4.4, 6.1, 7.2, 3.2, 8.8], exact=True)

    assert result.p_value == pytest.approx(0.034965034965034961, rel=1e-12)


def test_an_exact_test_refuses_ties() -> None:
    with pytest.raises(ValueError, match="knows no ties"):
        mann_whitney(CONTROL, TREATMENT, exact=True)


def test_superiority_agrees_with_brunner_and_munzel_in_scipy() -> None:
    # scipy 1.17.1: brunnermunzel(control, treatment)
    result = superiority(CONTROL, TREATMENT)

    assert result.statistic == pytest.approx(2.665569949915916, rel=1e-12)
    assert result.p_value == pytest.approx(0.024586460187209568, rel=1e-10)
    assert result.value == pytest.approx(34.5 / 42 - 0.5)


def test_a_one_sided_rank_test_looks_at_its_side() -> None:
    assert mann_whitney(CONTROL, TREATMENT, alternative=Alternative.GREATER).p_value == pytest.approx(
        0.052142529788233916 / 2
    )
    assert mann_whitney(CONTROL, TREATMENT, alternative=Alternative.LESS).p_value > 0.9


def test_ranks_do_not_see_the_scale() -> None:
    assert (
        mann_whitney(np.exp(CONTROL), np.exp(TREATMENT)).p_value == mann_whitney(CONTROL, TREATMENT).p_value
    )


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [([], [1.0], Reason.EMPTY_ARM), ([2.0, 2.0], [2.0, 2.0], Reason.ZERO_VARIANCE)],
)
def test_ranks_that_say_nothing_say_so(control: list[float], treatment: list[float], reason: Reason) -> None:
    result = mann_whitney(control, treatment)

    assert result.reason is reason
    assert np.isnan(result.p_value)


@pytest.mark.parametrize(
    ("control", "reason"),
    [([], Reason.EMPTY_ARM), ([2.0], Reason.TOO_FEW_UNITS), ([1e9, 2e9], Reason.ZERO_VARIANCE)],
)
def test_superiority_that_cannot_be_computed_says_why(control: list[float], reason: Reason) -> None:
    assert superiority(control, TREATMENT).reason is reason


def test_missing_values_are_refused_with_their_number() -> None:
    with pytest.raises(ValueError, match="2 values of treatment are missing"):
        mann_whitney(CONTROL, [1.0, np.nan, np.nan])


def test_values_are_one_per_unit() -> None:
    with pytest.raises(ValueError, match=r"shape \(n_units,\)"):
        mann_whitney([[1.0]], TREATMENT)
