"""Which split a bandit's next epoch gets, decided from what is known of its arms; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from assay.experiments.plan import Bandit, Thompson, TopTwo
from assay_stats.bandits import Allocation, thompson, top_two
from assay_stats.posteriors import Posterior, beta_posterior, normal_posterior
from assay_stats.results import Direction

KINDS = ("proportion", "mean", "count")
"""Kinds of metrics that have a posterior per arm here."""
FEWEST_UNITS = 2


@dataclass(frozen=True, slots=True)
class ArmSeen:
    """What a result says of one arm.

    Attributes:
        units: With a value, of the whole phase.
        mean: Of these, in the metric's unit.
        standard_deviation: Of one unit.
        since_moved: Units first exposed since the weights moved last.
    """

    units: int
    mean: float
    standard_deviation: float
    since_moved: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a result says of all arms, by key."""

    result: str
    kind: str
    arms: Mapping[str, ArmSeen]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Why there is no result to go by."""

    reason: str


@dataclass(frozen=True, slots=True)
class Moves:
    """The next epoch has another split.

    Attributes:
        weights: By arm, summing to 1.
        chances: Posterior probability of being the best, by arm.
    """

    weights: Mapping[str, float]
    chances: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Stays:
    """The next epoch has the same split."""

    reason: str


def decided(bandit: Bandit, seen: Seen | Unseen, *, arms: list[str], direction: Direction) -> Moves | Stays:
    """The split of the next epoch.

    That an epoch is too short is told by its units alone, never by what they did: else the length of an epoch
    would follow its outcome, and the epochs could not be joined as if each stood for itself.

    Args:
        arms: All of the experiment's, in their order.
        direction: Which end of the goal is the better one.
    """
    if isinstance(seen, Unseen):
        return Stays(seen.reason)
    if missing := [arm for arm in arms if arm not in seen.arms]:
        return Stays(f"the result says nothing of arm {missing[0]!r}")
    fewest = min(arms, key=lambda arm: seen.arms[arm].since_moved)
    if (units := seen.arms[fewest].since_moved) < bandit.least_units:
        return Stays(
            f"arm {fewest!r} has {units:,} units since the weights moved last, and needs "
            f"{bandit.least_units:,}"
        )
    found = _allocation(bandit, _posterior(seen, arms), direction)
    if found.reason is not None:
        return Stays(f"no chance of being the best can be computed: {found.reason.sentence}")
    return Moves(
        weights=_by_arm(arms, found.share / found.share.sum()), chances=_by_arm(arms, found.chance_best)
    )


def evenly(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as shares that sum to 1."""
    whole = sum(weights.values())
    return {arm: weight / whole for arm, weight in weights.items()}


def _allocation(bandit: Bandit, posterior: Posterior, direction: Direction) -> Allocation:
    match bandit.rule:
        case Thompson():
            return thompson(posterior, floor=bandit.floor, direction=direction)
        case TopTwo(leader_share=leader_share):
            return top_two(posterior, leader_share=leader_share, floor=bandit.floor, direction=direction)
        case _:
            assert_never(bandit.rule)


def _posterior(seen: Seen, arms: list[str]) -> Posterior:
    n = np.array([seen.arms[arm].units for arm in arms], dtype=np.float64)
    mean = np.array([seen.arms[arm].mean for arm in arms])
    if seen.kind == "proportion":
        return beta_posterior(np.rint(mean * n), n)
    # Counts too: those of real units scatter more than Poisson's, whose posterior would be too sure.
    deviation = np.array([seen.arms[arm].standard_deviation for arm in arms])
    with np.errstate(all="ignore"):
        error = np.where(n >= FEWEST_UNITS, deviation / np.sqrt(n), np.nan)
    return normal_posterior(mean, error)


def _by_arm(arms: list[str], values: np.ndarray) -> dict[str, float]:
    return {arm: float(value) for arm, value in zip(arms, values, strict=True)}
