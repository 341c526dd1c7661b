"""What is claimed, as data: a probability, and an experiment that measures it through the public
interface."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay_stats.calibration.acceptance import Kind
from assay_stats.undefined import Bools

Rng = np.random.Generator
Simulate = Callable[[int, Rng], Bools]

BLOCK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim of the calibration suite.

    Attributes:
        name: Short and unique.
        family: What it belongs to, for the report.
        kind: How the probability relates to the target.
        target: Claimed probability.
        slack: What a finite sample is allowed to deviate.
        replications: Experiments at scale 1.
        simulate: Runs a number of experiments and says of each whether the event happened. It may return
            fewer entries than asked for when the claim is about a part of them.
        must_fail: A negative control: the method is wrong on purpose, and the suite has to notice.
    """

    name: str
    family: str
    kind: Kind
    target: float
    replications: int
    simulate: Simulate
    slack: float = 0.0
    must_fail: bool = False


def in_blocks(simulate: Simulate, size: int = BLOCK) -> Simulate:
    """The same simulation in blocks, so that its memory does not grow with the replications."""

    def run(replications: int, rng: Rng) -> Bools:
        sizes = [size] * (replications // size) + [replications % size]
        return np.concatenate([simulate(count, rng) for count in sizes if count])

    return run


def one_by_one(simulate: Callable[[Rng], bool]) -> Simulate:
    """A simulation of one experiment at a time, for methods that read raw values."""

    def run(replications: int, rng: Rng) -> NDArray[np.bool_]:
        return np.fromiter((simulate(rng) for _ in range(replications)), dtype=np.bool_, count=replications)

    return run


def at_any(events: Bools) -> Bools:
    """Whether an event happened at any look; looks along the last axis."""
    return np.asarray(np.any(events, axis=-1))


def at_all(events: Bools) -> Bools:
    """Whether an event happened at every look; looks along the last axis."""
    return np.asarray(np.all(events, axis=-1))


__all__ = ["Claim", "Rng", "Simulate", "at_all", "at_any", "in_blocks", "one_by_one"]
