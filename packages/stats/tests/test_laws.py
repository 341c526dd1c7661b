"""Laws that hold for any data: algebra of moments, symmetries of tests, duality of test and interval."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assay_stats import (
    Alternative,
    Counts,
    Direction,
    Estimate,
    EventCounts,
    JointMoments,
    Moments,
    benjamini_hochberg,
    cuped_difference,
    delta_lift,
    fieller_lift,
    hochberg,
    holm,
    hommel,
    mann_whitney,
    poisson_difference,
    poisson_lift,
    ratio_difference,
    sample_ratio,
    segment_heterogeneity,
    superiority,
    two_proportions,
    welch,
)
from assay_stats.undefined import Floats

Comparison = Callable[[Moments, Moments], Estimate]

# Rounded, because a law need not hold for numbers whose squares underflow.
finite = st.floats(-1e3, 1e3).map(lambda x: round(x, 6))
positive = st.floats(1e-2, 1e3)
levels = st.floats(0.5, 0.999)
sides = st.sampled_from(list(Alternative))


@st.composite
def moments(draw: st.DrawFn, smallest: int = 2) -> Moments:
    n = draw(st.integers(smallest, 10_000))
    return Moments.from_summary(n, draw(finite), draw(positive))


@st.composite
def samples(draw: st.DrawFn) -> Moments:
    return Moments.from_values(draw(st.lists(finite, min_size=0, max_size=20)))


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    n = draw(st.integers(1, 5_000))
    return Counts(draw(st.integers(0, n)), n)


@st.composite
def events(draw: st.DrawFn) -> EventCounts:
    return EventCounts(draw(st.integers(0, 500)), draw(st.floats(1.0, 1e3)))


@st.composite
def joint_moments(draw: st.DrawFn) -> JointMoments:
    """Outcome, denominator and covariate of 8 to 40 units, never collinear."""
    seed, n = draw(st.integers(0, 2**32 - 1)), draw(st.integers(8, 40))
    rows = np.random.default_rng(seed).normal(size=(n, 3))
    rows[:, 0] += draw(st.floats(-2, 2)) * rows[:, 2]
    rows[:, 1] = np.exp(0.3 * rows[:, 1])
    return JointMoments.from_values(rows)


def close(first: Floats | float, second: Floats | float, *, rel: float = 1e-9) -> bool:
    return bool(np.allclose(first, second, rtol=rel, atol=1e-9, equal_nan=True))


def same_moments(first: Moments, second: Moments) -> bool:
    return (
        close(first.n, second.n) and close(first.mean, second.mean) and close(first.m2, second.m2, rel=1e-7)
    )


@given(samples(), samples(), samples())
def test_merging_samples_is_associative(a: Moments, b: Moments, c: Moments) -> None:
    assert same_moments((a + b) + c, a + (b + c))


@given(samples(), samples())
def test_merging_samples_is_commutative(a: Moments, b: Moments) -> None:
    assert same_moments(a + b, b + a)


@given(st.lists(finite, min_size=1, max_size=20), st.integers(0, 20))
def test_merged_parts_are_the_whole(values: list[float], cut: int) -> None:
    parts = Moments.from_values(values[:cut]) + Moments.from_values(values[cut:])

    assert same_moments(parts, Moments.from_values(values))


@given(st.lists(finite, min_size=2, max_size=20), finite)
def test_any_nearby_shift_gives_the_same_moments(values: list[float], pilot: float) -> None:
    shifted = np.array(values) - pilot

    moments = Moments.from_shifted_sums(len(values), pilot, shifted.sum(), (shifted**2).sum())

    direct = Moments.from_values(values)
    assert np.isnan(moments.m2) or np.isclose(moments.m2, direct.m2, rtol=1e-5, atol=1e-9)


@given(joint_moments(), joint_moments(), joint_moments())
def test_merging_joint_moments_is_associative(a: JointMoments, b: JointMoments, c: JointMoments) -> None:
    left, right = (a + b) + c, a + (b + c)

    assert close(left.means, right.means)
    assert close(left.comoments, right.comoments)


@given(moments(), moments(), st.floats(1e-3, 1e3))
def test_the_unit_of_a_metric_changes_no_p_value(a: Moments, b: Moments, factor: float) -> None:
    plain, scaled = welch(a, b), welch(a.scaled(factor), b.scaled(factor))

    assert close(scaled.p_value, plain.p_value)
    assert close(scaled.value, plain.value * factor)
    assert close(delta_lift(a.scaled(factor), b.scaled(factor)).value, delta_lift(a, b).value)


@given(moments(), moments(), finite)
def test_a_common_offset_changes_no_difference(a: Moments, b: Moments, offset: float) -> None:
    plain, moved = welch(a, b), welch(a.shifted(offset), b.shifted(offset))

    assert close(moved.p_value, plain.p_value, rel=1e-6)
    assert close(moved.lower, plain.lower, rel=1e-6)


@given(moments(), moments(), levels, sides)
def test_swapping_arms_mirrors_a_difference(a: Moments, b: Moments, level: float, side: Alternative) -> None:
    plain = welch(a, b, level=level, alternative=side)

    swapped = welch(b, a, level=level, alternative=side.mirrored)

    assert close(swapped.value, -plain.value)
    assert close(swapped.p_value, plain.p_value)
    assert close(swapped.lower, -plain.upper)


@given(counts(), counts(), levels, sides)
def test_swapping_arms_mirrors_proportions(a: Counts, b: Counts, level: float, side: Alternative) -> None:
    plain = two_proportions(a, b, level=level, alternative=side)

    swapped = two_proportions(b, a, level=level, alternative=side.mirrored)

    assert close(swapped.p_value, plain.p_value)
    assert close(swapped.lower, -plain.upper)


@given(counts(), counts())
def test_counting_failures_mirrors_proportions(a: Counts, b: Counts) -> None:
    plain = two_proportions(a, b)

    failures = two_proportions(Counts(a.n - a.successes, a.n), Counts(b.n - b.successes, b.n))

    assert close(failures.p_value, plain.p_value)
    assert close(failures.upper, -plain.lower)


@given(events(), events())
def test_swapping_arms_mirrors_rates(a: EventCounts, b: EventCounts) -> None:
    plain, swapped = poisson_difference(a, b), poisson_difference(b, a)

    assert close(swapped.p_value, plain.p_value)
    assert close(swapped.upper, -plain.lower)


@given(moments(), moments(), sides)
def test_negating_a_metric_and_flipping_its_direction_changes_nothing(
    a: Moments, b: Moments, side: Alternative
) -> None:
    plain = welch(a, b, alternative=side).as_benefit(Direction.HIGHER_IS_BETTER)

    negated = welch(a.scaled(-1), b.scaled(-1), alternative=side.mirrored).as_benefit(
        Direction.LOWER_IS_BETTER
    )

    assert negated.alternative is plain.alternative
    for name in ("value", "lower", "upper", "statistic", "p_value", "null"):
        assert close(getattr(negated, name), getattr(plain, name))


def excludes(result: Estimate, null: float) -> bool:
    return bool(null < result.lower or null > result.upper)


@given(moments(), moments(), levels, sides, finite)
def test_a_mean_interval_excludes_the_null_exactly_when_its_test_rejects(
    a: Moments, b: Moments, level: float, side: Alternative, null: float
) -> None:
    result = welch(a, b, level=level, alternative=side, null=null)
    assume(abs(result.p_value - (1 - level)) > 1e-9)

    assert excludes(result, null) == (result.p_value < 1 - level)


@given(counts(), counts(), levels, sides, st.floats(-0.9, 0.9).map(lambda x: round(x, 6)))
def test_a_score_interval_excludes_the_null_exactly_when_its_test_rejects(
    a: Counts, b: Counts, level: float, side: Alternative, null: float
) -> None:
    result = two_proportions(a, b, level=level, alternative=side, null=null)
    assume(abs(result.p_value - (1 - level)) > 1e-6)

    assert excludes(result, null) == (result.p_value < 1 - level)


@given(events(), events(), levels, sides, st.floats(-2, 2))
def test_a_rate_interval_excludes_the_null_exactly_when_its_test_rejects(
    a: EventCounts, b: EventCounts, level: float, side: Alternative, null: float
) -> None:
    result = poisson_difference(a, b, level=level, alternative=side, null=null)
    assume(abs(result.p_value - (1 - level)) > 1e-6)

    assert excludes(result, null) == (result.p_value < 1 - level)


@given(moments(), moments(), levels)
def test_fieller_excludes_no_change_exactly_when_welch_rejects(a: Moments, b: Moments, level: float) -> None:
    plain, lift = welch(a, b, level=level), fieller_lift(a, b, level=level)
    assume(lift.reason is None and abs(plain.p_value - (1 - level)) > 1e-7)

    assert bool(lift.lower > 0 or lift.upper < 0) == (plain.p_value < 1 - level)


@given(joint_moments(), joint_moments(), levels)
def test_adjusted_and_ratio_intervals_are_dual_to_their_tests(
    a: JointMoments, b: JointMoments, level: float
) -> None:
    for result in (
        cuped_difference(a, b, covariates=(2,), level=level),
        ratio_difference(a, b, level=level),
    ):
        assume(abs(result.p_value - (1 - level)) > 1e-9)
        assert excludes(result, 0.0) == (result.p_value < 1 - level)


@given(moments(), moments(), levels, levels)
def test_more_coverage_is_a_wider_interval(a: Moments, b: Moments, first: float, second: float) -> None:
    narrow, wide = sorted((first, second))

    inner, outer = welch(a, b, level=narrow), welch(a, b, level=wide)

    assert outer.lower <= inner.lower
    assert inner.upper <= outer.upper


@given(moments(), moments(), st.integers(2, 50))
def test_more_units_of_the_same_kind_narrow_a_mean_interval(a: Moments, b: Moments, times: int) -> None:
    more = [Moments.from_summary(arm.n * times, arm.mean, arm.variance) for arm in (a, b)]

    few, many = welch(a, b), welch(*more)

    assert many.upper - many.lower < few.upper - few.lower
    assert many.p_value <= few.p_value + 1e-12


@given(counts(), counts(), st.integers(2, 50))
def test_more_units_of_the_same_kind_narrow_a_score_interval(a: Counts, b: Counts, times: int) -> None:
    few = two_proportions(a, b)

    many = two_proportions(Counts(a.successes * times, a.n * times), Counts(b.successes * times, b.n * times))

    assert many.upper - many.lower < few.upper - few.lower


@given(events(), events())
def test_a_point_estimate_lies_in_its_interval(a: EventCounts, b: EventCounts) -> None:
    result, lift = poisson_difference(a, b), poisson_lift(a, b)

    assert result.lower <= result.value <= result.upper
    assert lift.reason is not None or lift.lower <= lift.value <= lift.upper


@given(counts(), counts(), levels)
def test_score_intervals_stay_between_minus_one_and_one(a: Counts, b: Counts, level: float) -> None:
    result = two_proportions(a, b, level=level)

    assert -1 <= result.lower <= result.value <= result.upper <= 1


@pytest.mark.parametrize("side", list(Alternative))
@given(st.lists(moments(), min_size=3, max_size=5))
def test_means_at_once_equal_means_one_by_one(side: Alternative, arms: list[Moments]) -> None:
    stacked = Moments(*(np.array([getattr(arm, name) for arm in arms]) for name in ("n", "mean", "m2")))

    at_once = welch(arms[0], stacked, alternative=side)

    for i, arm in enumerate(arms):
        alone = welch(arms[0], arm, alternative=side)
        assert np.isclose(at_once.p_value[i], alone.p_value, rtol=1e-12, atol=0)
        assert np.isclose(at_once.lower[i], alone.lower, rtol=1e-12, atol=0)


@given(st.lists(counts(), min_size=3, max_size=5), sides)
def test_proportions_at_once_equal_proportions_one_by_one(arms: list[Counts], side: Alternative) -> None:
    stacked = Counts(*(np.array([getattr(arm, name) for arm in arms]) for name in ("successes", "n")))

    at_once = two_proportions(arms[0], stacked, alternative=side)

    for i, arm in enumerate(arms):
        alone = two_proportions(arms[0], arm, alternative=side)
        assert np.isclose(at_once.p_value[i], alone.p_value, rtol=1e-12, atol=0)
        assert np.isclose(at_once.lower[i], alone.lower, rtol=1e-12, atol=1e-12)
        assert np.isclose(at_once.upper[i], alone.upper, rtol=1e-12, atol=1e-12)


@given(st.lists(joint_moments(), min_size=3, max_size=4))
def test_adjusted_differences_at_once_equal_them_one_by_one(arms: list[JointMoments]) -> None:
    stacked = JointMoments(
        np.array([arm.n for arm in arms]),
        np.stack([arm.means for arm in arms]),
        np.stack([arm.comoments for arm in arms]),
    )

    at_once = cuped_difference(arms[0], stacked, covariates=(1, 2))

    for i, arm in enumerate(arms):
        alone = cuped_difference(arms[0], arm, covariates=(1, 2))
        assert np.isclose(at_once.value[i], alone.value, rtol=1e-11, atol=1e-12)
        assert np.isclose(at_once.p_value[i], alone.p_value, rtol=1e-9, atol=0, equal_nan=True)


@given(joint_moments(), joint_moments(), st.floats(0.1, 10), finite)
def test_the_unit_of_a_covariate_does_not_matter(
    a: JointMoments, b: JointMoments, factor: float, offset: float
) -> None:
    plain = cuped_difference(a, b, covariates=(2,))
    matrix, shift = np.diag([1.0, 1.0, factor]), np.array([0.0, 0.0, offset])

    moved = [
        JointMoments(arm.n, arm.linear(matrix).means + shift, arm.linear(matrix).comoments) for arm in (a, b)
    ]

    assert close(cuped_difference(*moved, covariates=(2,)).value, plain.value, rel=1e-6)


families = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(families)
def test_adjusted_p_values_are_ordered_by_power_of_their_method(p_values: list[float]) -> None:
    assert (hommel(p_values) <= hochberg(p_values) + 1e-12).all()
    assert (hochberg(p_values) <= holm(p_values) + 1e-12).all()
    assert (benjamini_hochberg(p_values) <= hommel(p_values) + 1e-12).all()


@given(families, st.integers(0, 2**32 - 1))
def test_the_order_of_hypotheses_does_not_matter(p_values: list[float], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(p_values))
    shuffled = np.array(p_values)[order]

    for adjust in (holm, hochberg, hommel, benjamini_hochberg):
        assert close(adjust(shuffled), adjust(p_values)[order])


@given(families)
def test_adjustment_keeps_the_order_of_p_values_and_never_lowers_them(p_values: list[float]) -> None:
    for adjust in (holm, hochberg, hommel, benjamini_hochberg):
        adjusted = adjust(p_values)
        assert (adjusted >= np.array(p_values) - 1e-12).all()
        assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= -1e-12).all()


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=5), st.floats(0.01, 100))
def test_the_unit_of_weights_does_not_matter(observed: list[int], factor: float) -> None:
    weights = np.arange(1, len(observed) + 1)

    plain, scaled = sample_ratio(observed, weights), sample_ratio(observed, weights * factor)

    assert close(scaled.p_value, plain.p_value)


@given(st.lists(st.tuples(finite, positive), min_size=2, max_size=8), finite)
def test_a_common_offset_changes_no_heterogeneity(segments: list[tuple[float, float]], offset: float) -> None:
    effects, errors = np.array(segments).T

    plain, moved = segment_heterogeneity(effects, errors), segment_heterogeneity(effects + offset, errors)

    assert np.isclose(moved.tau_squared, plain.tau_squared, rtol=1e-5, atol=1e-5)
    assert np.allclose(moved.shrunk, plain.shrunk + offset, rtol=1e-5, atol=1e-5)


@given(st.lists(finite, min_size=2, max_size=15), st.lists(finite, min_size=2, max_size=15))
def test_swapping_arms_mirrors_ranks(a: list[float], b: list[float]) -> None:
    assert close(mann_whitney(a, b).value, 1 - mann_whitney(b, a).value)
    assert close(mann_whitney(a, b).p_value, mann_whitney(b, a).p_value)
    assert close(superiority(a, b).value, -superiority(b, a).value)
