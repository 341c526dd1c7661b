"""Normal mixtures: asymptotic confidence sequences and the mixture SPRT."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from assay_stats.sequential.confidence_sequences import (
    approximate_rho_squared,
    asymptotic_confidence_sequence,
    tuned_rho_squared,
)
from assay_stats.sequential.mixtures import critical_value, running
from assay_stats.sequential.msprt import mixture_sprt
from assay_stats.tails import Alternative
from assay_stats.undefined import Reason

UNITS = np.array([10.0, 500.0, 10_000.0, 1e9])
statistics = st.floats(-30, 30)
ratios = st.floats(1e-6, 1e6)


def test_the_sequence_is_the_normal_mixture_of_howard() -> None:
    rho_squared = tuned_rho_squared(5_000)
    looked = asymptotic_confidence_sequence(0.0, 1 / np.sqrt(UNITS), UNITS, rho_squared=rho_squared)

    # Howard et al. (2021), equation 14: sqrt((v + r) * ln((v + r) / (alpha² * r))) bounds the sum of v terms.
    r = 1 / rho_squared
    howard = np.sqrt((UNITS + r) * np.log((UNITS + r) / (0.05**2 * r))) / UNITS
    assert looked.upper == pytest.approx(howard, rel=1e-9)


def test_the_sequence_is_the_boundary_that_eppo_documents() -> None:
    units, se, rho_squared = 8_000.0, 0.013, approximate_rho_squared(10_000)
    looked = asymptotic_confidence_sequence(0.0, se, units, rho_squared=rho_squared)

    # Waudby-Smith et al. (2024): sqrt(2 (N rho² + 1) / (N² rho²) * ln(sqrt(N rho² + 1) / alpha)) with unit
    # variance.
    spread = units * rho_squared + 1
    radius = math.sqrt(2 * spread / (units**2 * rho_squared) * math.log(math.sqrt(spread) / 0.05))
    assert looked.upper == pytest.approx(se * math.sqrt(units) * radius, rel=1e-12)


def test_the_exact_tuning_is_narrowest_where_it_was_aimed() -> None:
    aimed = tuned_rho_squared(2_000)
    width = [
        critical_value(2_000 * aimed * np.array(factor), np.array(0.05), Alternative.TWO_SIDED)
        for factor in (0.98, 1, 1.02)
    ]

    assert width[1] < width[0]
    assert width[1] < width[2]


def test_the_approximate_tuning_is_near_the_exact_one() -> None:
    assert approximate_rho_squared(5_000, level=[0.9, 0.95, 0.999]) == pytest.approx(
        tuned_rho_squared(5_000, level=[0.9, 0.95, 0.999]), rel=0.1
    )


def test_the_mixture_sprt_is_the_likelihood_ratio_of_its_paper() -> None:
    d, variance, tau = 0.4, 0.03, 0.02
    looked = mixture_sprt(d, math.sqrt(variance), mixture_variance=tau)

    likelihood = math.sqrt(variance / (variance + tau)) * math.exp(
        tau * d**2 / (2 * variance * (variance + tau))
    )
    assert looked.log_e_value == pytest.approx(math.log(likelihood))


def test_the_mixture_sprt_is_a_confidence_sequence_with_its_variance_in_the_metrics_unit() -> None:
    sd, units = 3.0, np.array([100.0, 2_000.0])
    se = sd / np.sqrt(units)

    sprt = mixture_sprt(0.2, se, mixture_variance=sd**2 * 1e-3)
    sequence = asymptotic_confidence_sequence(0.2, se, units, rho_squared=1e-3)
    assert sprt.lower == pytest.approx(sequence.lower, rel=1e-12)


@given(st.floats(-6, 6), st.floats(1e-3, 1e3))
def test_a_one_sided_e_value_is_the_mixture_over_the_positive_half(statistic: float, ratio: float) -> None:
    looked = mixture_sprt(statistic, 1.0, mixture_variance=ratio, alternative=Alternative.GREATER)

    def mixed(effect: float) -> float:
        prior = 2 * math.exp(-(effect**2) / 2) / math.sqrt(2 * math.pi)
        shift = effect * math.sqrt(ratio)
        return prior * math.exp(shift * statistic - shift**2 / 2)

    likelihood, _ = quad(
        mixed, 0, 9, points=[min(8.9, max(0.01, statistic / math.sqrt(ratio)))], epsrel=1e-10
    )
    assert math.exp(looked.log_e_value) == pytest.approx(likelihood, rel=1e-6)


@pytest.mark.parametrize("alternative", Alternative)
@given(statistic=statistics, ratio=ratios, level=st.floats(0.6, 0.9999))
def test_the_p_value_is_dual_to_the_interval(
    alternative: Alternative, statistic: float, ratio: float, level: float
) -> None:
    looked = mixture_sprt(statistic, 1.0, mixture_variance=ratio, level=level, alternative=alternative)

    excludes = bool(looked.lower > 0 or looked.upper < 0)
    assert excludes == bool(looked.p_value < 1 - level) or looked.p_value == pytest.approx(
        1 - level, rel=1e-9
    )


@given(statistics, ratios)
def test_the_negated_data_give_the_mirror_image(statistic: float, ratio: float) -> None:
    plain = mixture_sprt(statistic, 1.0, mixture_variance=ratio, alternative=Alternative.GREATER)
    negated = mixture_sprt(-statistic, 1.0, mixture_variance=ratio, alternative=Alternative.LESS)

    assert negated.p_value == pytest.approx(plain.p_value)
    assert negated.upper == pytest.approx(-plain.lower)
    assert negated.lower == -np.inf


@given(statistics, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_scale_and_shift_do_not_change_the_evidence(statistic: float, scale: float, shift: float) -> None:
    plain = asymptotic_confidence_sequence(statistic, 1.0, 500, rho_squared=0.01)
    moved = asymptotic_confidence_sequence(
        scale * statistic + shift, scale, 500, rho_squared=0.01, null=shift
    )

    assert moved.log_e_value == pytest.approx(
        plain.log_e_value, rel=1e-6, abs=1e-6 * (1 + abs(shift) / scale)
    )


def test_the_one_sided_boundary_is_nearly_the_two_sided_one_at_twice_the_error_rate() -> None:
    ratio = np.array([0.1, 1.0, 10.0, 1e4])
    one_sided = critical_value(ratio, np.array(0.025), Alternative.GREATER)
    two_sided = critical_value(ratio, np.array(0.05), Alternative.TWO_SIDED)

    assert np.all(one_sided >= two_sided)
    assert one_sided == pytest.approx(two_sided, rel=2e-3)


def test_an_e_value_that_overflows_keeps_its_logarithm() -> None:
    looked = asymptotic_confidence_sequence(np.array([60.0, 1e6]), 1.0, 1e9, rho_squared=1e-4)

    assert np.all(looked.p_value == 0)
    assert looked.log_p_value == pytest.approx(-looked.log_e_value)
    assert np.all(np.isfinite(looked.log_e_value))
    assert np.all(looked.log_e_value > 1_700)


def test_no_units_are_no_information() -> None:
    looked = asymptotic_confidence_sequence(
        [0.1, 0.1, 0.1, np.nan], [1.0, 0.0, -1.0, 1.0], [0, 5, 5, 5], rho_squared=0.01
    )

    assert looked.reasons.tolist() == [
        Reason.NO_INFORMATION,
        Reason.ZERO_VARIANCE,
        Reason.NEGATIVE_VARIANCE,
        Reason.NOT_FINITE,
    ]
    assert np.isnan(looked.p_value).all()
    assert np.isnan(looked.lower).all()


def test_looks_together_keep_the_smallest_p_value_and_the_common_interval() -> None:
    se = np.array([np.inf, 1.0, 0.5, 0.4])
    looks = running(mixture_sprt([np.nan, 0.0, 2.5, 0.5], se, mixture_variance=1.0))

    assert looks.reasons.tolist() == [Reason.NOT_FINITE, None, None, None]
    assert np.all(np.diff(looks.p_value[1:]) <= 0)
    assert looks.p_value[3] == looks.p_value[2] < 0.05
    assert looks.lower[3] == looks.lower[2] > 0


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=20))
def test_running_p_values_only_fall_and_stay_dual_to_the_running_interval(
    statistics_seen: list[float],
) -> None:
    looks = running(mixture_sprt(statistics_seen, 1.0, mixture_variance=2.0))

    assert np.all(np.diff(looks.p_value) <= 0)
    excludes = ~((looks.lower <= 0) & (looks.upper >= 0))
    close = np.isclose(looks.p_value, 0.05, rtol=1e-9)
    assert np.all((excludes == (looks.p_value < 0.05)) | close)


def test_looks_that_no_single_effect_fits_have_no_common_interval_and_say_so() -> None:
    looks = running(mixture_sprt([5.0, 0.0, -5.0, 0.0], 1.0, mixture_variance=2.0))

    assert looks.reasons.tolist() == [None, None, Reason.CONTRADICTION, Reason.CONTRADICTION]
    assert np.isnan(looks.lower[2:]).all()
    assert np.isnan(looks.upper[2:]).all()
    assert looks.lower[1] <= looks.upper[1]
    assert looks.p_value[3] == looks.p_value[0] < 0.05
    assert "the effect has probably changed" in looks.reasons[2].sentence


def test_each_experiment_is_joined_along_the_axis_of_its_looks() -> None:
    seen = np.array([[5.0, 0.0, -5.0], [1.0, 1.5, 2.0]])

    across = running(mixture_sprt(seen, 1.0, mixture_variance=2.0))
    down = running(mixture_sprt(seen.T, 1.0, mixture_variance=2.0), axis=0)

    assert np.array_equal(across.lower, down.lower.T, equal_nan=True)
    assert across.reasons[:, 2].tolist() == down.reasons[2].tolist() == [Reason.CONTRADICTION, None]


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=20))
def test_a_running_interval_is_in_order_or_undefined(statistics_seen: list[float]) -> None:
    looks = running(mixture_sprt(statistics_seen, 1.0, mixture_variance=2.0))

    assert np.array_equal(looks.is_defined, looks.lower <= looks.upper)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_mixture_without_variance_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="mixture_variance must be positive"):
        mixture_sprt(1.0, 1.0, mixture_variance=wrong)
    with pytest.raises(ValueError, match="rho_squared must be positive"):
        asymptotic_confidence_sequence(1.0, 1.0, 10, rho_squared=wrong)


def test_a_one_sided_sequence_below_one_half_is_refused() -> None:
    with pytest.raises(ValueError, match=r"above 0\.5"):
        tuned_rho_squared(100, level=0.4, alternative=Alternative.LESS)
