"""A correction and the level of each interval reject the same hypotheses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis.corrections import corrected, strictest_alpha
from assay.analysis.methods import Correction

p_values = st.lists(
    st.one_of(st.floats(0, 1), st.floats(0, 0.05), st.just(float("nan"))), min_size=1, max_size=8
)


@given(p_values, st.sampled_from(Correction), st.floats(0.001, 0.2))
def test_a_hypothesis_is_rejected_exactly_when_its_plain_p_value_is_below_its_own_level(
    family: list[float], correction: Correction, alpha: float
) -> None:
    found = corrected(family, alpha=alpha, correction=correction)

    for plain, adjusted, own in zip(family, found.p_values, found.alphas, strict=True):
        if np.isnan(plain):
            assert np.isnan(adjusted)
        elif abs(adjusted / alpha - 1) > 1e-9:
            assert (adjusted < alpha) == (plain < own)


@given(p_values, st.sampled_from(Correction))
def test_no_level_is_stricter_than_the_strictest_or_looser_than_alpha(
    family: list[float], correction: Correction
) -> None:
    strictest = strictest_alpha(len(family), alpha=0.05, correction=correction)

    assert all(
        strictest <= own <= 0.05 for own in corrected(family, alpha=0.05, correction=correction).alphas
    )


def test_holm_compares_each_step_with_more() -> None:
    found = corrected([0.04, 0.001, 0.02], alpha=0.05, correction=Correction.HOLM)

    assert found.p_values == pytest.approx((0.04, 0.003, 0.04))
    assert found.alphas == pytest.approx((0.05, 0.05 / 3, 0.025))


def test_holm_stops_at_the_first_hypothesis_that_it_keeps() -> None:
    found = corrected([0.001, 0.03, 0.04], alpha=0.05, correction=Correction.HOLM)

    assert found.alphas == pytest.approx((0.05 / 3, 0.025, 0.025))


def test_intervals_of_selected_effects_widen_with_the_share_that_was_selected() -> None:
    found = corrected([0.001, 0.02, 0.5, 0.9], alpha=0.05, correction=Correction.BENJAMINI_HOCHBERG)

    assert found.alphas == pytest.approx((0.025,) * 4)
