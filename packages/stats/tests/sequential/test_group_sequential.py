"""Boundaries, crossing probabilities and inference of group-sequential designs."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from assay_stats.sequential.brownian import advanced, bound_for, exceedance, shortfall, started
from assay_stats.sequential.group_sequential import (
    GroupSequentialPlan,
    boundary,
    crossing,
    repeated_estimate,
)
from assay_stats.sequential.spending import HwangShihDeCani, OBrienFleming, Pocock, PowerFamily, Spending
from assay_stats.sequential.stagewise import stagewise_estimate
from assay_stats.tails import Alternative
from assay_stats.undefined import Reason

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "reference" / "group_sequential.json").read_text(encoding="utf-8")
)
FAMILIES: dict[str, type[Spending]] = {
    family.__name__: family for family in (OBrienFleming, Pocock, PowerFamily, HwangShihDeCani)
}
EVERY_SPENDING = [
    OBrienFleming(),
    Pocock(),
    PowerFamily(2.0),
    PowerFamily(0.7),
    HwangShihDeCani(-4.0),
    HwangShihDeCani(2.0),
]
OBRIEN_FLEMING = OBrienFleming()
DAILY = np.arange(1, 29) / 28


def a_plan(
    spending: Spending = OBRIEN_FLEMING, alternative: Alternative = Alternative.TWO_SIDED
) -> GroupSequentialPlan:
    return GroupSequentialPlan(spending=spending, alternative=alternative)


def plan_of(row: dict[str, Any]) -> GroupSequentialPlan:
    parameters = () if row.get("parameter") is None else (row["parameter"],)
    two_sided = row.get("sided", 1) == 2
    return GroupSequentialPlan(
        level=1 - row.get("alpha", 0.025),
        alternative=Alternative.TWO_SIDED if two_sided else Alternative.GREATER,
        spending=FAMILIES[row["family"]](*parameters),
    )


def fractions_of_looks() -> st.SearchStrategy[NDArray[np.float64]]:
    steps = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8)
    return st.tuples(steps, st.floats(0.3, 1.3)).map(
        lambda drawn: drawn[1] * np.cumsum(drawn[0]) / np.sum(drawn[0])
    )


@pytest.mark.parametrize(
    "row", REFERENCE["designs"], ids=lambda row: f"{row['family']}-{row['sided']}-{len(row['fractions'])}"
)
def test_critical_values_agree_with_rpact(row: dict[str, Any]) -> None:
    critical = boundary(plan_of(row), row["fractions"]).critical

    theirs = np.array(row["critical"], dtype=np.float64)
    # rpact gives up on spending below 1e-8: its values there differ between one- and two-sided by 0.03, or
    # are infinite.
    comparable = theirs < 4.5
    assert critical[comparable] == pytest.approx(theirs[comparable], abs=2e-6 if row["sided"] == 2 else 2e-5)


@pytest.mark.parametrize("fractions", [(0.2, 0.4, 0.6, 0.8, 1.0), (0.15, 0.2, 0.6, 0.8), (0.3, 0.7, 1.25)])
@pytest.mark.parametrize("spending", [OBrienFleming(), Pocock()], ids=repr)
def test_what_is_spent_by_each_look_is_the_multivariate_normal_integral(
    fractions: tuple[float, ...], spending: Spending
) -> None:
    design = boundary(a_plan(spending=spending), fractions)
    times = np.array(fractions)
    correlation = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))

    # scipy 1.17.1: the integral of Genz and Bretz.
    for k in range(2, times.size + 1):
        edge, together = design.critical[:k], correlation[:k, :k]
        inside = multivariate_normal.cdf(
            edge, cov=together, maxpts=200_000, abseps=1e-7, releps=1e-7, lower_limit=-edge, rng=3
        )
        assert 1 - inside == pytest.approx(2 * design.spent[k - 1], abs=1e-5)


def test_the_second_look_agrees_with_a_bivariate_normal_integral() -> None:
    plan, fractions = a_plan(spending=Pocock()), np.array([0.3, 0.55])
    first, second = boundary(plan, fractions).critical.tolist()

    correlation = math.sqrt(0.3 / 0.55)
    spread = math.sqrt(1 - correlation**2)

    def leaves_late(z: float) -> float:
        density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        return density * math.erfc((second - correlation * z) / (spread * math.sqrt(2))) / 2

    probability, _ = quad(leaves_late, -first, first, epsabs=1e-14)
    spent = np.exp(Pocock().log_spent(fractions, 0.025))
    assert probability == pytest.approx(spent[1] - spent[0], rel=1e-9)


@pytest.mark.parametrize("spending", EVERY_SPENDING, ids=str)
@pytest.mark.parametrize("alternative", Alternative)
@settings(max_examples=12, deadline=None)
@given(fractions=fractions_of_looks())
def test_the_error_rate_is_exactly_what_was_planned(
    spending: Spending, alternative: Alternative, fractions: NDArray[np.float64]
) -> None:
    design = boundary(a_plan(spending=spending, alternative=alternative), fractions, is_final=True)

    assert crossing(fractions, upper=design.upper, lower=design.lower).power == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("spending", EVERY_SPENDING, ids=str)
def test_the_whole_budget_is_spent_at_the_planned_information_and_none_before_the_first_look(
    spending: Spending,
) -> None:
    spent = np.exp(spending.log_spent(np.array([1e-9, 0.2, 0.7, 1.0, 1.4]), 0.025))

    assert spent[0] < 0.025 / 100
    assert spent[-2:] == pytest.approx(np.array([0.025, 0.025]))
    assert np.all(np.diff(spent[:4]) > 0)


def test_one_look_is_a_fixed_test() -> None:
    assert boundary(a_plan(), [1.0]).critical == pytest.approx(-ndtri(0.025), rel=1e-14)


def test_a_single_look_before_the_end_spends_only_its_share_unless_it_is_final() -> None:
    early, final = boundary(a_plan(), [0.5]), boundary(a_plan(), [0.5], is_final=True)

    assert early.spent[0] < 0.002
    assert final.critical == pytest.approx(-ndtri(0.025), rel=1e-12)


def test_the_first_of_28_daily_looks_spends_less_than_1e_16_and_still_has_a_finite_critical_value() -> None:
    design = boundary(a_plan(), DAILY)

    assert 0 < design.spent[0] < 1e-16
    assert design.critical[0] == pytest.approx(11.80, abs=0.01)
    assert np.all(np.isfinite(design.critical))


def test_a_look_too_early_to_spend_anything_is_infinite_and_loses_no_error_rate() -> None:
    fractions = np.array([1e-6, 2e-6, 0.5, 1.0])
    design = boundary(a_plan(), fractions)

    assert design.critical[1] == np.inf
    assert crossing(fractions, upper=design.upper, lower=design.lower).power == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-7, 1e-9, 1e-11])
@pytest.mark.parametrize("spending", [OBrienFleming(), Pocock()], ids=str)
def test_looks_that_nearly_coincide_keep_the_error_rate(gap: float, spending: Spending) -> None:
    fractions = np.array([0.4, 0.4 + gap, 0.4 + 3 * gap, 0.8, 0.8 + gap, 1.0])
    design = boundary(a_plan(spending=spending), fractions)

    assert crossing(fractions, upper=design.upper, lower=design.lower).power == pytest.approx(0.05, rel=1e-8)


@pytest.mark.parametrize("spending", [OBrienFleming(), Pocock()], ids=str)
def test_a_look_that_adds_almost_nothing_leaves_the_later_ones_as_they_were(spending: Spending) -> None:
    plan = a_plan(spending=spending)

    with_repeat = boundary(plan, [0.4, 0.4 + 1e-10, 1.0]).critical
    without = boundary(plan, [0.4, 1.0]).critical
    assert with_repeat[[0, 2]] == pytest.approx(without, abs=1e-6)


def test_a_narrow_step_agrees_with_the_density_it_came_from() -> None:
    paths = advanced(started(), time=0.5, lower=-1.4, upper=1.4, next_time=0.5 + 1e-8)

    above = exceedance(paths, time=0.5 + 1e-8, bound=np.array([0.3, 0.9]))
    expected = ndtr(1.4 / math.sqrt(0.5)) - ndtr(np.array([0.3, 0.9]) / math.sqrt(0.5))
    assert above == pytest.approx(expected, rel=1e-7)


def test_conditional_probabilities_start_from_where_the_score_stands() -> None:
    paths = started(time=0.5, score=1.0)

    assert exceedance(paths, time=1.0, bound=1.96, drift=2.0) == pytest.approx(
        ndtr((1.0 + 1.0 - 1.96) / math.sqrt(0.5))
    )
    assert bound_for(paths, time=1.0, log_probability=np.log(0.5)) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(fractions_of_looks(), st.floats(-8, 8))
def test_paths_either_leave_or_stay(fractions: NDArray[np.float64], drift: float) -> None:
    root = np.sqrt(fractions[-1])
    bounds = np.linspace(3.0, 2.0, fractions.size)
    left = crossing(fractions, upper=bounds, lower=-bounds, drift=drift)
    everything = crossing(
        fractions, upper=np.append(bounds[:-1], 0.2), lower=np.append(-bounds[:-1], 0.2), drift=drift
    )

    assert everything.power == pytest.approx(1.0, abs=1e-9)
    assert left.power <= 1 + 1e-9
    assert 0 < left.expected_fraction <= root**2 + 1e-9


@settings(max_examples=30, deadline=None)
@given(fractions_of_looks(), st.floats(-6, 6))
def test_a_drift_and_its_negative_are_mirror_images(fractions: NDArray[np.float64], drift: float) -> None:
    up = crossing(fractions, upper=2.5, lower=-2.2, drift=drift)
    down = crossing(fractions, upper=2.2, lower=-2.5, drift=-drift)

    assert up.upper == pytest.approx(down.lower, abs=1e-13)
    assert up.lower == pytest.approx(down.upper, abs=1e-13)


def test_drifts_broadcast_to_the_same_numbers_as_one_by_one() -> None:
    drifts = np.array([[0.0, 1.0], [2.8, -3.5]])
    together = crossing(DAILY[6::7], upper=2.4, lower=-2.4, drift=drifts)

    one_by_one = [
        [crossing(DAILY[6::7], upper=2.4, lower=-2.4, drift=d).power for d in row] for row in drifts
    ]
    assert together.power == pytest.approx(np.array(one_by_one), rel=1e-12)


def test_power_grows_with_the_effect() -> None:
    design = boundary(a_plan(), DAILY)

    power = crossing(DAILY, upper=design.upper, lower=design.lower, drift=np.linspace(0, 6, 25)).power
    assert np.all(np.diff(power) > 0)


@pytest.mark.parametrize("spending", EVERY_SPENDING, ids=str)
@pytest.mark.parametrize("alternative", Alternative)
def test_the_repeated_p_value_is_dual_to_the_repeated_interval(
    spending: Spending, alternative: Alternative
) -> None:
    plan, fractions = a_plan(spending=spending, alternative=alternative), [0.2, 0.6, 0.9]
    edge = boundary(plan, fractions).critical[-1]
    sign = -1 if alternative is Alternative.LESS else 1

    looked = repeated_estimate(
        sign * edge * np.array([0.7, 1 - 1e-6, 1 + 1e-6, 1.5]), 1.0, plan=plan, fractions=fractions
    )

    assert looked.has_crossed.tolist() == [False, False, True, True]
    assert (looked.p_value < 0.05).tolist() == [False, False, True, True]
    assert ((looked.lower > 0) | (looked.upper < 0)).tolist() == [False, False, True, True]
    assert looked.p_value[1:3] == pytest.approx(0.05, abs=1e-5)


def test_a_repeated_p_value_that_would_underflow_stays_positive() -> None:
    looked = repeated_estimate([40.0, -300.0], 1.0, plan=a_plan(), fractions=[0.5, 1.0])

    assert np.all((looked.p_value > 0) & (looked.p_value < 1e-280))
    assert np.all(np.isfinite(looked.log_p_value))


def test_an_estimate_without_scale_says_so() -> None:
    looked = repeated_estimate([1.0, np.nan, 2.0], [0.0, 1.0, 1.0], plan=a_plan(), fractions=[1.0])

    assert looked.reasons.tolist() == [Reason.ZERO_VARIANCE, Reason.NOT_FINITE, None]
    assert np.isnan(looked.p_value[:2]).all()
    assert np.isnan(looked.upper[:2]).all()


@pytest.mark.parametrize(
    "fractions", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 0.4], [np.nan], [[0.5, 1.0]], [0.5, np.inf]]
)
def test_fractions_that_are_no_looks_are_refused(fractions: list[Any]) -> None:
    with pytest.raises(ValueError, match="fractions"):
        boundary(a_plan(), fractions)


def test_a_level_in_percent_is_refused() -> None:
    with pytest.raises(ValueError, match=r"write 0\.95, not 95"):
        GroupSequentialPlan(level=95)


@pytest.mark.parametrize("row", REFERENCE["stagewise"], ids=lambda row: f"{row['family']}-{row['z']}")
def test_inference_after_stopping_agrees_with_rpact(row: dict[str, Any]) -> None:
    # rpact reports log hazard ratios, whose standard error is 2 / sqrt(events).
    se = 2 / np.sqrt(row["events"])
    plan = GroupSequentialPlan(
        level=0.975, alternative=Alternative.GREATER, spending=FAMILIES[row["family"]]()
    )
    ended = stagewise_estimate(row["z"] * se, se, plan=plan, fractions=row["fractions"])

    assert ended.p_value == pytest.approx(row["p"], rel=2e-5)
    assert ended.lower == pytest.approx(row["lower"], abs=2e-5)
    assert ended.value == pytest.approx(row["median"], abs=2e-5)


@pytest.mark.parametrize("alternative", Alternative)
@settings(max_examples=25, deadline=None)
@given(fractions=fractions_of_looks(), statistic=st.floats(-5, 5))
def test_the_stagewise_p_value_is_dual_to_the_stagewise_interval(
    alternative: Alternative, fractions: NDArray[np.float64], statistic: float
) -> None:
    ended = stagewise_estimate(statistic, 1.0, plan=a_plan(alternative=alternative), fractions=fractions)

    excludes_zero = ended.lower > 0 or ended.upper < 0
    assert excludes_zero == (ended.p_value < 0.05) or ended.p_value == pytest.approx(0.05)
    assert ended.lower <= ended.value <= ended.upper


@settings(max_examples=25, deadline=None)
@given(fractions_of_looks(), st.floats(-5, 5), st.floats(-10, 10), st.floats(1e-3, 1e3))
def test_stagewise_inference_moves_and_scales_with_the_data(
    fractions: NDArray[np.float64], statistic: float, shift: float, scale: float
) -> None:
    plain = stagewise_estimate(statistic, 1.0, plan=a_plan(), fractions=fractions)
    moved = stagewise_estimate(
        shift + scale * statistic, scale, plan=a_plan(), fractions=fractions, null=shift
    )

    assert moved.p_value == pytest.approx(plain.p_value, rel=1e-6)
    assert moved.value == pytest.approx(shift + scale * plain.value, rel=1e-6, abs=1e-6 * scale)
    assert moved.upper == pytest.approx(shift + scale * plain.upper, rel=1e-6, abs=1e-6 * scale)


@settings(max_examples=25, deadline=None)
@given(fractions_of_looks(), st.floats(-5, 5))
def test_stagewise_inference_of_the_negated_data_is_the_mirror_image(
    fractions: NDArray[np.float64], statistic: float
) -> None:
    plain = stagewise_estimate(statistic, 1.0, plan=a_plan(), fractions=fractions)
    negated = stagewise_estimate(-statistic, 1.0, plan=a_plan(), fractions=fractions)

    assert negated.p_value == pytest.approx(plain.p_value, rel=1e-9)
    assert negated.value == pytest.approx(-plain.value, abs=1e-9)
    assert negated.lower == pytest.approx(-plain.upper, abs=1e-9)


def test_stopping_early_pulls_the_estimate_towards_the_null() -> None:
    ended = stagewise_estimate(3.2, 1.0, plan=a_plan(spending=Pocock()), fractions=[0.3, 0.7])

    assert 0 < ended.value < ended.observed
    assert ended.p_value > 2 * ndtr(-3.2)


def test_one_look_makes_stagewise_inference_the_fixed_test() -> None:
    ended = stagewise_estimate(2.1, 0.5, plan=a_plan(), fractions=[0.8])

    assert ended.p_value == pytest.approx(2 * ndtr(-4.2), rel=1e-12)
    assert ended.value == pytest.approx(2.1, rel=1e-12)
    assert ended.lower == pytest.approx(2.1 + 0.5 * ndtri(0.025), rel=1e-12)


def test_a_first_look_far_in_the_tail_keeps_the_logarithm_of_its_p_value() -> None:
    ended = stagewise_estimate(60.0, 1.0, plan=a_plan(), fractions=[0.5])

    assert ended.p_value == 0.0
    assert ended.log_p_value == pytest.approx(-1804.32, abs=0.01)
    assert ended.value == pytest.approx(60.0)


def test_a_batch_of_ends_gives_the_numbers_of_each_alone() -> None:
    values = np.array([-4.0, -0.3, 2.0, 7.0, np.nan])
    batch = stagewise_estimate(values, 1.0, plan=a_plan(), fractions=[0.5, 1.0])

    for k, value in enumerate(values[:-1]):
        alone = stagewise_estimate(value, 1.0, plan=a_plan(), fractions=[0.5, 1.0])
        assert batch.value[k] == pytest.approx(alone.value, rel=1e-9)
        assert batch.p_value[k] == pytest.approx(alone.p_value, rel=1e-12)
    assert batch.reasons[-1] is Reason.NOT_FINITE


def test_shortfall_is_exceedance_in_the_mirror() -> None:
    paths = advanced(started(), time=0.3, lower=-np.inf, upper=1.0, next_time=0.6)

    above = exceedance(paths, time=0.6, bound=0.4, drift=0.7)
    below = shortfall(paths, time=0.6, bound=0.4, drift=0.7)
    assert above + below == pytest.approx(ndtr((1.0 - 0.7 * 0.3) / math.sqrt(0.3)), rel=1e-12)
