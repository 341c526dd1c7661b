"""The bootstrap and caps."""

import numpy as np
import pytest

from assay_stats import (
    Alternative,
    CapBasis,
    Moments,
    Reason,
    bootstrap_difference,
    pooled_cap,
    welch,
    winsorised,
)
from assay_stats.undefined import Floats

RNG = np.random.default_rng(1)
CONTROL, TREATMENT = RNG.normal(10, 2, size=200), RNG.normal(10.6, 2, size=250)


def test_the_bootstrap_of_means_is_near_welch() -> None:
    plain = welch(Moments.from_values(CONTROL), Moments.from_values(TREATMENT))

    result = bootstrap_difference(CONTROL, TREATMENT, rng=np.random.default_rng(2))

    assert result.value == pytest.approx(plain.value)
    assert result.standard_error == pytest.approx(plain.standard_error, rel=0.03)
    assert result.lower == pytest.approx(plain.lower, abs=0.03)
    assert result.upper == pytest.approx(plain.upper, abs=0.03)


def test_equal_generators_give_equal_results() -> None:
    first = bootstrap_difference(CONTROL, TREATMENT, rng=np.random.default_rng(2), n_resamples=199)
    second = bootstrap_difference(CONTROL, TREATMENT, rng=np.random.default_rng(2), n_resamples=199)

    assert first == second


@pytest.mark.parametrize("alternative", list(Alternative))
@pytest.mark.parametrize("shift", [-1e-9, 1e-9])
def test_the_bootstrap_p_value_crosses_alpha_where_the_interval_ends(
    alternative: Alternative, shift: float
) -> None:
    def at(null: float) -> tuple[float, float, float]:
        result = bootstrap_difference(
            CONTROL,
            TREATMENT,
            rng=np.random.default_rng(2),
            n_resamples=399,
            null=null,
            alternative=alternative,
        )
        return float(result.lower), float(result.upper), float(result.p_value)

    lower, upper, _ = at(0.0)

    for end, outside in ((lower, shift < 0), (upper, shift > 0)):
        if np.isfinite(end):
            assert (at(end + shift)[2] <= 0.05 + 1e-12) is outside


def test_the_logarithm_is_that_of_the_p_value_shown() -> None:
    result = bootstrap_difference(CONTROL, TREATMENT, rng=np.random.default_rng(2), n_resamples=99)

    assert result.log_p_value == pytest.approx(np.log(result.p_value))


def test_a_statistic_may_use_several_columns_of_a_unit() -> None:
    rows = np.column_stack([CONTROL, np.full(len(CONTROL), 2.0)])

    def ratio(resamples: Floats) -> Floats:
        return resamples[..., 0].sum(axis=1) / resamples[..., 1].sum(axis=1)

    result = bootstrap_difference(
        rows, rows * [1.1, 1.0], rng=np.random.default_rng(2), statistic=ratio, n_resamples=199
    )

    assert result.value == pytest.approx(0.05 * CONTROL.mean())


def test_resampling_in_blocks_keeps_every_draw() -> None:
    result = bootstrap_difference(
        np.tile(CONTROL, 200), np.tile(TREATMENT, 200), rng=np.random.default_rng(2), n_resamples=199
    )

    assert result.reason is None


@pytest.mark.parametrize(
    ("control", "reason"),
    [([], Reason.EMPTY_ARM), ([1.0, 1.0], Reason.ZERO_VARIANCE), ([1.0, np.nan], Reason.NOT_FINITE)],
)
def test_a_bootstrap_without_information_says_why(control: list[float], reason: Reason) -> None:
    result = bootstrap_difference(control, [2.0, 2.0], rng=np.random.default_rng(2), n_resamples=99)

    assert result.reason is reason
    assert np.isnan([result.p_value, result.lower, result.upper]).all()


def test_too_few_resamples_for_the_level_are_refused() -> None:
    with pytest.raises(ValueError, match=r"19 resamples cannot show a level of 0\.95"):
        bootstrap_difference(CONTROL, TREATMENT, rng=np.random.default_rng(2), n_resamples=19)


def test_a_cap_is_the_quantile_of_all_arms_together() -> None:
    # numpy 2.4 type 7 over 1, ..., 10: 1 + 0.9 * 9
    assert pooled_cap([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], 0.9, basis=CapBasis.ALL_UNITS) == pytest.approx(
        9.1
    )


def test_a_cap_of_positive_values_leaves_out_the_inactive() -> None:
    arms = [[0, 0, 0, 0, 1.0], [0, 0, 0, 0, 3.0]]

    assert pooled_cap(arms, 0.5, basis=CapBasis.POSITIVE_VALUES) == pytest.approx(2.0)
    assert pooled_cap(arms, 0.5, basis=CapBasis.ALL_UNITS) == 0


def test_a_cap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no values to take a quantile of \(basis positive_values\)"):
        pooled_cap([[0.0], [0.0]], 0.9, basis=CapBasis.POSITIVE_VALUES)


def test_capped_values_keep_everything_inside() -> None:
    assert winsorised([1.0, 5.0, 100.0], upper=9.0).tolist() == [1, 5, 9]
    assert winsorised([-50.0, 5.0], lower=-9.0).tolist() == [-9, 5]


def test_a_missing_value_stays_missing_under_a_cap() -> None:
    assert np.isnan(winsorised([np.nan], upper=9.0)).all()
