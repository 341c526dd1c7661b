"""Power, sample size and detectable effects, before the start and from here on."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from assay_stats.power import (
    ConfidenceSequenceTest,
    FixedTest,
    GroupSequentialTest,
    Procedure,
    adjusted_variance,
    cluster_variance,
    conditional_power,
    detectable_from_here,
    inflation_factor,
    lift_detectable_effect,
    mean_detectable_effect,
    mean_power,
    mean_sample_size,
    proportion_detectable_effect,
    proportion_power,
    proportion_sample_size,
    proportion_variance,
    quantile_variance,
    rate_variance,
    ratio_variance,
    remaining,
    sample_ratio_power,
)
from assay_stats.sequential.confidence_sequences import tuned_rho_squared
from assay_stats.sequential.group_sequential import GroupSequentialPlan, boundary, crossing
from assay_stats.sequential.spending import HwangShihDeCani, OBrienFleming, Pocock, PowerFamily, Spending
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats, Reason

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "group_sequential.json").read_text(encoding="utf-8")
)
FAMILIES: dict[str, type[Spending]] = {
    family.__name__: family for family in (OBrienFleming, Pocock, PowerFamily, HwangShihDeCani)
}
WEEKLY = (0.25, 0.5, 0.75, 1.0)
PROCEDURES: list[Procedure] = [
    FixedTest(),
    FixedTest(alternative=Alternative.GREATER),
    GroupSequentialTest(fractions=WEEKLY),
    ConfidenceSequenceTest(rho_squared=float(tuned_rho_squared(2_000)), fractions=WEEKLY),
]


def power_of(effect: float, n: int, procedure: Procedure) -> Floats:
    return mean_power(
        effect, n_control=n, n_treatment=n, variance_control=1.0, variance_treatment=1.0, procedure=procedure
    ).power


@pytest.mark.parametrize(
    ("effect", "n", "alternative", "power"),
    [
        (0.5, 64, Alternative.TWO_SIDED, 0.8014595579222542),
        (0.2, 30, Alternative.TWO_SIDED, 0.11867943556403769),
        (0.5, 64, Alternative.GREATER, 0.8786641914041017),
        (1.2, 5, Alternative.TWO_SIDED, 0.38643726101220877),
        (0.1, 10_000, Alternative.TWO_SIDED, 0.9999998395708914),
    ],
)
def test_power_is_that_of_the_noncentral_t(
    effect: float, n: int, alternative: Alternative, power: float
) -> None:
    # statsmodels 0.15.0, TTestIndPower().power(effect, n, 0.05, ratio=1, alternative=...).
    assert power_of(effect, n, FixedTest(alternative=alternative)) == pytest.approx(power, rel=1e-9)


@pytest.mark.parametrize(
    ("effect", "power", "level", "n"),
    [
        (0.5, 0.8, 0.95, 63.76561058891169),
        (0.1, 0.9, 0.99, 2977.5366294346877),
        (1.5, 0.8, 0.95, 8.060294283896704),
    ],
)
def test_sample_size_is_rounded_up_from_the_exact_solution(
    effect: float, power: float, level: float, n: float
) -> None:
    # statsmodels 0.15.0, TTestIndPower().solve_power(effect_size=..., power=..., alpha=...).
    needed = mean_sample_size(
        effect, variance_control=1.0, variance_treatment=1.0, power=power, procedure=FixedTest(level=level)
    )

    assert needed.control == needed.treatment == math.ceil(n)
    assert needed.power >= power


@pytest.mark.parametrize(
    ("n", "power", "effect"), [(50, 0.8, 0.5658802975295967), (1000, 0.9, 0.14503629094735346)]
)
def test_the_detectable_effect_agrees_with_statsmodels(n: int, power: float, effect: float) -> None:
    # statsmodels 0.15.0, TTestIndPower().solve_power(nobs1=..., power=..., alpha=0.05).
    found = mean_detectable_effect(
        n_control=n, n_treatment=n, variance_control=1.0, variance_treatment=1.0, power=power
    )

    # Its solver stops early: its own power there is 0.9000063 instead of 0.9.
    assert found.effect == pytest.approx(effect, rel=2e-5)
    assert power_of(float(found.effect), n, FixedTest()) == pytest.approx(power, rel=1e-12)


def test_the_power_of_two_proportions_agrees_with_statsmodels() -> None:
    two_sided = proportion_power(0.10, 0.13, n_control=1500, n_treatment=1500).power
    smaller = proportion_power(
        0.10, 0.08, n_control=1200, n_treatment=1200, procedure=FixedTest(alternative=Alternative.LESS)
    ).power

    # statsmodels 0.15.0, power_proportions_2indep(0.03, 0.10, 1500); its two-sided value leaves out the far
    # tail.
    assert two_sided == pytest.approx(0.7310681283831675, abs=1e-5)
    assert smaller == pytest.approx(0.5267208020370339, rel=1e-9)


@pytest.mark.parametrize(
    ("power", "ratio", "n"), [(0.8, 1.0, 3840.8474824362734), (0.9, 0.5, 3833.645269454568)]
)
def test_the_sample_size_of_two_proportions_is_the_formula_of_fleiss(
    power: float, ratio: float, n: float
) -> None:
    needed = proportion_sample_size(0.10, 0.12, power=power, treatment_per_control=ratio)

    # statsmodels 0.15.0, samplesize_proportions_2indep_onetail(0.02, 0.10, power, ratio=1 / ours), its first
    # group.
    assert needed.treatment == pytest.approx(n, abs=1.0)
    assert needed.treatment == math.ceil(needed.control * ratio)


@pytest.mark.parametrize("alternative", Alternative)
def test_the_detectable_proportion_has_the_power_asked_for(alternative: Alternative) -> None:
    procedure = FixedTest(alternative=alternative)
    found = proportion_detectable_effect(0.05, n_control=4_000, n_treatment=4_000, procedure=procedure)

    reached = proportion_power(
        0.05, 0.05 + found.effect, n_control=4_000, n_treatment=4_000, procedure=procedure
    )
    assert reached.power == pytest.approx(0.8, rel=1e-9)
    assert (found.effect < 0) == (alternative is Alternative.LESS)


@pytest.mark.parametrize(
    "row",
    [row for row in REFERENCE["designs"] if len(row["fractions"]) > 1],
    ids=lambda row: f"{row['family']}-{row['sided']}-{len(row['fractions'])}",
)
def test_the_inflation_of_group_sequential_designs_agrees_with_rpact(row: dict[str, Any]) -> None:
    parameters = () if row["parameter"] is None else (row["parameter"],)
    plan = GroupSequentialPlan(
        level=1 - row["alpha"],
        alternative=Alternative.TWO_SIDED if row["sided"] == 2 else Alternative.GREATER,
        spending=FAMILIES[row["family"]](*parameters),
    )

    test = GroupSequentialTest(plan=plan, fractions=tuple(row["fractions"]))
    design = boundary(plan, row["fractions"])

    # rpact counts only the crossings on the side of the effect, at sqrt(inflation) times the drift of a
    # fixed test.
    drift = math.sqrt(row["inflation_at_80"]) * (ndtri(0.8) - ndtri(0.025))
    assert crossing(
        row["fractions"], upper=design.upper, drift=drift, lower=design.lower
    ).upper.sum() == pytest.approx(0.8, abs=2e-6)
    assert inflation_factor(test) == pytest.approx(row["inflation_at_80"], rel=6e-4)


@pytest.mark.parametrize("procedure", PROCEDURES, ids=lambda procedure: type(procedure).__name__)
def test_sample_size_power_and_detectable_effect_are_one_function_turned_around(procedure: Procedure) -> None:
    needed = mean_sample_size(0.12, variance_control=1.0, variance_treatment=1.5, procedure=procedure)
    found = mean_detectable_effect(
        n_control=needed.control,
        n_treatment=needed.treatment,
        variance_control=1.0,
        variance_treatment=1.5,
        power=needed.power,
        procedure=procedure,
    )

    assert needed.power == pytest.approx(0.8, abs=2e-3)
    assert found.effect == pytest.approx(0.12, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 100_000), st.floats(0.01, 0.5))
def test_power_grows_with_the_units(n: int, effect: float) -> None:
    for procedure in PROCEDURES:
        assert power_of(effect, 2 * n, procedure) >= power_of(effect, n, procedure) - 1e-9


@settings(max_examples=20, deadline=None)
@given(st.floats(-1, 1), st.integers(5, 3_000))
def test_the_power_for_a_loss_is_the_power_for_the_gain_in_the_mirror(effect: float, n: int) -> None:
    greater = power_of(effect, n, FixedTest(alternative=Alternative.GREATER))
    less = power_of(-effect, n, FixedTest(alternative=Alternative.LESS))

    assert less == pytest.approx(greater, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(5, 3_000))
def test_the_unit_of_the_metric_does_not_matter(scale: float, n: int) -> None:
    scaled = mean_power(
        0.3 * scale, n_control=n, n_treatment=n, variance_control=scale**2, variance_treatment=scale**2
    )

    assert scaled.power == pytest.approx(power_of(0.3, n, FixedTest()), rel=1e-9)


def test_arrays_give_the_numbers_of_each_entry_alone() -> None:
    effects = np.array([[0.05, 0.1], [0.2, 0.4]])
    for procedure in PROCEDURES:
        needed = mean_sample_size(effects, variance_control=1.0, variance_treatment=1.0, procedure=procedure)

        alone = [
            [
                mean_sample_size(e, variance_control=1.0, variance_treatment=1.0, procedure=procedure).control
                for e in row
            ]
            for row in effects
        ]
        assert needed.control.tolist() == alone


def test_no_effect_is_found_by_no_number_of_units() -> None:
    needed = mean_sample_size([0.0, 0.1], variance_control=1.0, variance_treatment=1.0)
    wrong_side = mean_sample_size(
        -0.1,
        variance_control=1.0,
        variance_treatment=1.0,
        procedure=FixedTest(alternative=Alternative.GREATER),
    )

    assert needed.reasons.tolist() == [Reason.NOT_REACHABLE, None]
    assert np.isnan(needed.control[0])
    assert wrong_side.reason is Reason.NOT_REACHABLE


def test_a_design_without_units_or_variance_says_so() -> None:
    power = mean_power(
        1.0,
        n_control=[0, 1, 5, 5],
        n_treatment=5,
        variance_control=[1.0, 1.0, 0.0, -1.0],
        variance_treatment=0.0,
    )

    assert power.reasons.tolist() == [
        Reason.EMPTY_ARM,
        Reason.TOO_FEW_UNITS,
        Reason.ZERO_VARIANCE,
        Reason.NEGATIVE_VARIANCE,
    ]
    assert np.isnan(power.power).all()


def test_a_huge_effect_has_power_one_and_needs_the_fewest_units() -> None:
    assert power_of(1e9, 10, FixedTest()) == pytest.approx(1.0)
    assert mean_sample_size(1e9, variance_control=1.0, variance_treatment=1.0).control == 2


def test_an_experiment_of_a_billion_units_is_planned_like_any_other() -> None:
    needed = mean_sample_size(1e-4, variance_control=1.0, variance_treatment=1.0)

    assert needed.control == pytest.approx(2 * (ndtri(0.8) - ndtri(0.025)) ** 2 / 1e-8, rel=1e-5)


def test_at_the_size_of_a_fixed_test_sequential_ones_keep_the_published_part_of_its_power() -> None:
    n = int(mean_sample_size(0.1, variance_control=1.0, variance_treatment=1.0).control)
    looks = tuple(float(t) for t in np.arange(1, 15) / 14)

    spent_late = power_of(0.1, n, GroupSequentialTest(fractions=looks))
    kim = power_of(
        0.1, n, GroupSequentialTest(plan=GroupSequentialPlan(spending=PowerFamily(2.0)), fractions=looks)
    )
    tuned = float(tuned_rho_squared(2 * n))
    always_valid = power_of(0.1, n, ConfidenceSequenceTest(rho_squared=tuned, fractions=looks))

    # Lan-DeMets 78-79 %, Kim-DeMets 76-78 %, best-tuned confidence sequence 45-50 %.
    assert 0.78 < spent_late < 0.79
    assert 0.755 < kim < 0.78
    assert 0.44 < always_valid < 0.51


def test_non_inferiority_is_a_shifted_null() -> None:
    procedure = FixedTest(alternative=Alternative.GREATER, level=0.975)
    shifted = mean_sample_size(
        0.0, variance_control=1.0, variance_treatment=1.0, null=-0.1, procedure=procedure
    )
    plain = mean_sample_size(0.1, variance_control=1.0, variance_treatment=1.0, procedure=procedure)

    assert shifted.control == plain.control


def test_a_lift_is_the_difference_over_the_size_of_the_baseline() -> None:
    lift = lift_detectable_effect(
        [-2.0, 0.0], n_control=500, n_treatment=500, variance_control=1.0, variance_treatment=1.0
    )
    absolute = mean_detectable_effect(
        n_control=500, n_treatment=500, variance_control=1.0, variance_treatment=1.0
    )

    assert lift.effect[0] == pytest.approx(absolute.effect / 2)
    assert lift.reasons.tolist() == [None, Reason.ZERO_BASELINE]


def test_variances_per_unit_follow_their_formulas() -> None:
    rng = np.random.default_rng(3)
    x = rng.gamma(3.0, size=200_000)
    y = 0.4 * x + rng.normal(size=x.size)
    covariance = np.cov(y, x)
    ratio = ratio_variance(
        y.mean(),
        x.mean(),
        variance_numerator=covariance[0, 0],
        variance_denominator=covariance[1, 1],
        covariance=covariance[0, 1],
    )

    assert ratio == pytest.approx(np.var((y - y.mean() / x.mean() * x) / x.mean(), ddof=1), rel=1e-9)
    assert adjusted_variance(4.0, correlation=0.6) == pytest.approx(4 * 0.64)
    assert proportion_variance(0.1) == pytest.approx(0.09)
    assert rate_variance(3.0, dispersion=1.5) == pytest.approx(4.5)
    assert quantile_variance(0.5, density=1 / math.sqrt(2 * math.pi)) == pytest.approx(math.pi / 2)


def test_clusters_of_one_unit_are_units_and_perfectly_alike_units_count_once() -> None:
    assert cluster_variance(2.0, size=1, correlation=0.7) == pytest.approx(2.0)
    assert cluster_variance(2.0, size=50, correlation=1.0) == pytest.approx(2.0)
    assert cluster_variance(2.0, size=50, correlation=0.0) == pytest.approx(2.0 / 50)
    assert cluster_variance(2.0, size=50, correlation=0.1, size_cv=0.5) > cluster_variance(
        2.0, size=50, correlation=0.1
    )


def test_a_correlation_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match="between -1 and 1"):
        adjusted_variance(1.0, correlation=1.2)


def test_sample_ratio_power_is_the_error_rate_when_the_split_is_kept() -> None:
    kept = sample_ratio_power(10_000, planned=[1, 1], actual=[1, 1], level=0.999)
    broken = sample_ratio_power([1_000, 100_000], planned=[1, 1], actual=[0.51, 0.49], level=0.999)

    assert kept.power == pytest.approx(0.001)
    z = 0.01 / 0.5 * math.sqrt(100_000)
    assert broken.power[1] == pytest.approx(ndtr(z + ndtri(0.0005)) + ndtr(-z + ndtri(0.0005)), rel=1e-6)
    assert broken.power[0] < 0.02


def test_conditional_power_of_a_fixed_test_is_its_closed_form() -> None:
    found = conditional_power(0.2, 0.1, fraction=0.4, effect=0.25).power

    score, drift = 0.2 / 0.1 * math.sqrt(0.4), 0.25 / (0.1 * math.sqrt(0.4))
    spread = math.sqrt(0.6)
    above = ndtr((score + 0.6 * drift - 1.959964) / spread)
    assert found == pytest.approx(above + ndtr((-1.959964 - score - 0.6 * drift) / spread), rel=1e-6)


def test_conditional_power_averages_to_the_power() -> None:
    test = GroupSequentialTest(fractions=(0.5, 1.0))
    drift, fraction = 2.5, 0.3
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    z_now = nodes + drift * math.sqrt(fraction)
    se_now = 1 / math.sqrt(fraction)

    later = conditional_power(z_now * se_now, se_now, fraction=fraction, effect=drift, procedure=test).power
    unconditional = test.power(np.asarray(drift), degrees_of_freedom=np.asarray(np.inf), n=np.asarray(1.0))
    assert np.sum(weights * later) / weights.sum() == pytest.approx(unconditional, rel=1e-6)


def test_conditional_power_without_a_look_left_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no look is left after fraction 0\.9"):
        conditional_power(
            1.0, 1.0, fraction=0.9, effect=1.0, procedure=GroupSequentialTest(fractions=(0.3, 0.8))
        )


def test_conditional_power_of_an_estimate_without_scale_is_undefined() -> None:
    found = conditional_power([1.0, np.nan], [0.0, 1.0], fraction=0.5, effect=1.0)

    assert found.reasons.tolist() == [Reason.ZERO_VARIANCE, Reason.NOT_FINITE]
    assert np.isnan(found.power).all()


def test_what_can_be_found_from_here_shrinks_with_the_root_of_the_units_to_come() -> None:
    found = detectable_from_here(0.3, n_now=1_000, n_end=[1_000, 4_000, 0])

    assert found.effect[0] == pytest.approx(0.3 * (ndtri(0.8) - ndtri(0.025)), rel=1e-4)
    assert found.effect[1] == pytest.approx(found.effect[0] / 2)
    assert found.reasons.tolist() == [None, None, Reason.NO_INFORMATION]


def test_what_is_still_needed_is_counted_in_units_and_days() -> None:
    needed = mean_sample_size(0.1, variance_control=1.0, variance_treatment=1.0)
    left = remaining(needed, n_control=1_000, n_treatment=[1_200, 5_000], per_day=200)

    assert left.control == needed.control - 1_000
    assert left.days[0] == math.ceil((needed.control - 1_000) / 100)
    assert left.treatment[1] == 0


def test_enough_units_need_no_day() -> None:
    needed = mean_sample_size(0.1, variance_control=1.0, variance_treatment=1.0)

    assert remaining(needed, n_control=1e6, n_treatment=1e6, per_day=0).days == 0
    assert remaining(needed, n_control=1, n_treatment=1, per_day=0).days == np.inf
