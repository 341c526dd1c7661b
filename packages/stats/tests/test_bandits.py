"""Allocation of bandits and inference after it."""

from typing import Protocol

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_stats.bandits import Allocation, batch_errors, batched_difference, thompson, top_two
from assay_stats.posteriors import NormalPosterior, Posterior, beta_posterior
from assay_stats.results import Direction
from assay_stats.undefined import Reason


class Allocate(Protocol):
    def __call__(self, posterior: Posterior, *, direction: Direction = ...) -> Allocation: ...


ALLOCATIONS: list[Allocate] = [thompson, top_two]
LOWER = Direction.LOWER_IS_BETTER
means = st.lists(st.floats(-4, 4), min_size=2, max_size=6)


@pytest.mark.parametrize("allocate", ALLOCATIONS)
@given(arms=means)
@settings(max_examples=40, deadline=None)
def test_shares_add_up_and_favour_the_better_arm(allocate: Allocate, arms: list[float]) -> None:
    share = allocate(NormalPosterior(np.array(arms), np.ones(len(arms)))).share

    assert share.sum() == pytest.approx(1.0)
    assert np.all(share >= 0)
    assert np.all(np.diff(share[np.argsort(arms)]) >= -1e-9)


@pytest.mark.parametrize("allocate", ALLOCATIONS)
@given(arms=means)
@settings(max_examples=40, deadline=None)
def test_lower_is_better_is_the_negated_metric(allocate: Allocate, arms: list[float]) -> None:
    sd = np.linspace(0.5, 2.0, len(arms))
    higher = allocate(NormalPosterior(np.array(arms), sd)).share
    lower = allocate(NormalPosterior(-np.array(arms), sd), direction=LOWER).share

    assert lower == pytest.approx(higher, abs=1e-12)


@pytest.mark.parametrize("allocate", ALLOCATIONS)
@given(arms=st.lists(st.floats(-2, 2), min_size=3, max_size=3), order=st.permutations(range(3)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_arms_does_not_matter(
    allocate: Allocate, arms: list[float], order: list[int]
) -> None:
    plain = allocate(NormalPosterior(np.array(arms), np.ones(3))).share
    shuffled = allocate(NormalPosterior(np.array(arms)[order], np.ones(3))).share

    assert shuffled == pytest.approx(plain[order], abs=1e-12)


@pytest.mark.parametrize("allocate", ALLOCATIONS)
def test_the_clearly_lowest_arm_gets_the_most_when_lower_is_better(allocate: Allocate) -> None:
    share = allocate(NormalPosterior(np.array([1.0, 1.1, 1.2]), np.full(3, 0.02)), direction=LOWER).share

    assert np.argmax(share) == 0
    assert share[0] >= 0.5 - 1e-9


def test_thompson_gives_each_arm_its_chance_of_being_best() -> None:
    allocation = thompson(beta_posterior([10, 20], [100, 100]))

    assert allocation.share == pytest.approx(allocation.chance_best)


def test_two_arms_are_measured_equally_by_top_two() -> None:
    assert top_two(beta_posterior([10, 40], [100, 100])).share == pytest.approx([0.5, 0.5])


def test_top_two_is_the_share_that_sampling_would_give() -> None:
    posterior = NormalPosterior(np.array([0.0, 0.4, 0.6]), np.array([0.5, 0.4, 0.6]))
    rng = np.random.default_rng(11)
    played = np.zeros(3)
    for _ in range(20_000):
        leader = np.argmax(rng.normal(posterior.mean, posterior.sd))
        challenger = leader
        if rng.random() >= 0.5:
            while challenger == leader:
                challenger = np.argmax(rng.normal(posterior.mean, posterior.sd))
        played[challenger] += 1

    assert top_two(posterior).share == pytest.approx(played / played.sum(), abs=0.02)


def test_certainty_leaves_half_to_the_challengers() -> None:
    share = top_two(NormalPosterior(np.array([0.0, 0.0, 1e3]), np.ones(3))).share

    assert share == pytest.approx([0.25, 0.25, 0.5])


def test_the_leader_gets_its_share_and_the_challengers_the_rest() -> None:
    share = top_two(NormalPosterior(np.array([0.0, 0.0, 1e3]), np.ones(3)), leader_share=0.8).share

    assert share == pytest.approx([0.1, 0.1, 0.8])


def test_a_floor_keeps_every_arm_measured() -> None:
    share = thompson(NormalPosterior(np.array([0.0, 50.0]), np.ones(2)), floor=0.1).share

    assert share == pytest.approx([0.1, 0.9])


def test_a_floor_that_leaves_nothing_to_decide_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1 / 2"):
        thompson(beta_posterior([1, 2], [5, 5]), floor=0.6)


def test_one_arm_has_no_challenger() -> None:
    allocation = top_two(beta_posterior([3], [5]))

    assert allocation.reason is Reason.SINGLE_ARM
    assert np.isnan(allocation.share).all()


def test_batches_are_joined_by_their_standardised_differences() -> None:
    joined = batched_difference([0.2, 0.5], [0.1, 0.4])

    assert joined.statistic == pytest.approx((0.2 / 0.1 + 0.5 / 0.4) / np.sqrt(2))
    assert joined.value == pytest.approx((0.2 / 0.1 + 0.5 / 0.4) / (1 / 0.1 + 1 / 0.4))
    assert bool(joined.lower > 0) == bool(joined.p_value < 0.05)


def test_a_batch_that_cannot_be_standardised_leaves_the_whole_undefined() -> None:
    joined = batched_difference([[0.1, 0.2], [0.1, np.nan]], [[0.1, 0.0], [0.1, 0.1]])

    assert joined.reasons.tolist() == [Reason.ZERO_VARIANCE, Reason.NOT_FINITE]
    assert np.isnan(joined.p_value).all()


def test_errors_of_batches_are_of_both_arms_together_or_of_each_where_that_is_larger() -> None:
    alike = batch_errors([[1.0, 4.0], [1.0, 4.0]], [[50, 50], [950, 950]])
    wider = batch_errors([[4.0, 8.0], [1.0, 2.0]], [[50, 100], [950, 900]])

    assert alike == pytest.approx(np.array([[1 / 50, 4 / 50], [1 / 950, 4 / 950]]))
    assert wider[0] == pytest.approx([4 / 50, 8 / 100])
    assert wider[1] == pytest.approx([(0.05 * 4 + 0.95) / 950, (0.1 * 8 + 0.9 * 2) / 900])


def test_a_batch_without_units_has_no_error_and_one_without_variance_has_that_of_all() -> None:
    found = batch_errors([[0.0, 1.0, np.nan], [0.0, 1.0, 1.0]], [[100, 100, 0], [100, 100, 100]])

    assert found[:, 0] == pytest.approx([0.5 / 100, 0.5 / 100])
    assert np.isnan(found[0, 2])
