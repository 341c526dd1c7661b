"""The whole procedure of a bandit by simulation: allocation by our rule through epochs, then our analysis.

Counts of what went wrong or right are compared with exact binomial bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from assay.analysis.collected import Batches
from assay.analysis.joining import joined_difference
from assay.analysis.plan import Kind
from assay.experiments.allocating import ArmSeen, Moves, Seen, decided
from assay.experiments.plan import Bandit
from assay_stats.moments import JointMoments
from assay_stats.results import Direction, Estimate

# So seldom may a right procedure miss its bound.
MISS = 1e-5
LEAST = 100
THOMPSON, TOP_TWO = {"kind": "thompson"}, {"kind": "top_two"}


@dataclass(frozen=True, slots=True)
class World:
    """What is true: per epoch the rate of each arm, the control first."""

    rates: Sequence[Sequence[float]]
    units: int = 2_000
    direction: Direction = Direction.HIGHER_IS_BETTER
    rule: Mapping[str, Any] = field(default_factory=lambda: THOMPSON)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one bandit: each arm against the control, and the last weights."""

    differences: Sequence[Estimate]
    weights: Sequence[float]


def lived(world: World, rng: np.random.Generator) -> Outcome:
    """One bandit from its first epoch to its analysis."""
    arms = [f"arm{number}" for number in range(len(world.rates[0]))]
    bandit = Bandit.model_validate({"rule": dict(world.rule), "least_units": LEAST})
    weights = np.full(len(arms), 1 / len(arms))
    n, k = np.zeros((2, 0, len(arms)))
    batch = np.zeros((2, len(arms)))
    for rates in world.rates:
        units = rng.multinomial(world.units, weights)
        batch += np.array([units, rng.binomial(units, rates)])
        total = batch + np.array([n.sum(axis=0), k.sum(axis=0)])
        known = {arm: seen(total[0, at], total[1, at], batch[0, at]) for at, arm in enumerate(arms)}
        # As a mean, whose chances take a twentieth of the time of a proportion's.
        found = decided(bandit, Seen("r", "mean", known), arms=arms, direction=world.direction)
        if isinstance(found, Moves):
            n, k, batch = np.vstack([n, batch[0]]), np.vstack([k, batch[1]]), np.zeros_like(batch)
            weights = np.array([found.weights[arm] for arm in arms])
    n, k = np.vstack([n, batch[0]]), np.vstack([k, batch[1]])
    told = [batches(n[:, at], k[:, at]) for at in range(len(arms))]
    differences = [joined_difference(Kind.PROPORTION, told[0], each, level=0.95) for each in told[1:]]
    return Outcome(differences, weights.tolist())


def seen(n: float, k: float, since_moved: float) -> ArmSeen:
    rate = k / n
    return ArmSeen(int(n), float(rate), float(np.sqrt(rate * (1 - rate))), int(since_moved))


def batches(n: np.ndarray, k: np.ndarray) -> Batches:
    with np.errstate(invalid="ignore"):
        mean = k / n
    return Batches(
        JointMoments(n, mean[:, None], (n * np.nan_to_num(mean * (1 - mean)))[:, None, None]), n, LEAST
    )


def many(world: World, count: int, *, seed: int) -> list[Outcome]:
    rng = np.random.default_rng(seed)
    return [lived(world, rng) for _ in range(count)]


def assert_at_most(events: int, trials: int, rate: float) -> None:
    assert events <= binom.isf(MISS, trials, rate), f"{events} of {trials}"


def assert_at_least(events: int, trials: int, rate: float) -> None:
    assert events >= binom.ppf(MISS, trials, rate), f"{events} of {trials}"


def found(outcomes: Sequence[Outcome], *, arm: int = 0) -> int:
    return sum(bool(each.differences[arm].p_value < 0.05) for each in outcomes)


def covered(outcomes: Sequence[Outcome], effect: float) -> int:
    return sum(bool(each.differences[0].lower <= effect <= each.differences[0].upper) for each in outcomes)


def test_without_an_effect_hardly_more_than_alpha_is_found_though_the_base_rate_moves() -> None:
    outcomes = many(World([[0.05, 0.05], [0.15, 0.15]] * 2), 150, seed=1)

    # 0.05 and what the normal approximation of a hundred units adds.
    assert_at_most(found(outcomes), len(outcomes), 0.055)


def test_the_better_arm_is_found_and_gets_the_units() -> None:
    outcomes = many(World([[0.10, 0.14]] * 6), 60, seed=2)

    assert_at_least(found(outcomes), len(outcomes), 0.7)
    assert_at_least(sum(each.weights[1] > 0.8 for each in outcomes), len(outcomes), 0.9)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [THOMPSON, TOP_TWO], ids=["thompson", "top_two"])
@pytest.mark.parametrize("rate", [0.02, 0.10])
def test_the_error_rate_holds_for_each_rule_and_for_rare_events(rule: dict[str, Any], rate: float) -> None:
    outcomes = many(World([[rate, rate]] * 10, rule=rule), 1_500, seed=3)

    assert_at_most(found(outcomes), len(outcomes), 0.055)


@pytest.mark.slow
def test_the_error_rate_holds_for_an_arm_that_does_nothing_beside_one_that_does() -> None:
    outcomes = many(World([[0.10, 0.10, 0.13]] * 10, units=3_000), 1_000, seed=4)

    assert_at_most(found(outcomes, arm=0), len(outcomes), 0.055)
    assert_at_least(found(outcomes, arm=1), len(outcomes), 0.7)


@pytest.mark.slow
@pytest.mark.parametrize("other", [0.13, 0.07, 0.20])
@pytest.mark.parametrize("direction", list(Direction))
def test_intervals_cover_the_effect_whichever_arm_gets_the_units(other: float, direction: Direction) -> None:
    outcomes = many(World([[0.10, other]] * 8, direction=direction), 800, seed=5)

    assert_at_least(covered(outcomes, other - 0.10), len(outcomes), 0.945)
