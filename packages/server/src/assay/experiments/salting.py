"""Searching for a salt whose arms are alike in what is known beforehand; pure, and repeatable by its seed.

The first acceptable salt is taken, not the best: acceptable assignments then stay equally likely, which the
inference rests on (Morgan & Rubin 2012, Annals of Statistics 40:1263-1282).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.experiments.errors import NoBalance
from assay.experiments.splitting import Assigned, variants_at
from assay_engine.bucketing import prepare
from assay_engine.model import Bucketing
from assay_stats.balance import Population, acceptable_distance

SALT_DIGEST_BYTES = 8
TOLD_EVERY = 20
MOST_LEVELS = 50


@dataclass(frozen=True, slots=True)
class Search:
    """What is to be balanced, and when it is balanced enough; fixed before the first try.

    Attributes:
        units: As they are hashed.
        covariates: By name, a number or a word for each unit; words are balanced as shares.
        share: Of random assignments, those that are good enough.
        tries: At most so many.
    """

    units: Sequence[str]
    covariates: Mapping[str, Sequence[float | str]]
    seed: int
    share: float
    tries: int


@dataclass(frozen=True, slots=True)
class Found:
    """The first acceptable salt.

    Attributes:
        tried: How many were looked at, this one among them.
        threshold: Largest acceptable distance of an arm from the control.
        score: The distance of this one.
        largest_difference: Largest difference of a covariate's means, in standard deviations.
    """

    salt: str
    tried: int
    threshold: float
    score: float
    largest_difference: float


def search(assigned: Assigned, control: str, wanted: Search, tell: Callable[[int], None]) -> Found:
    """The first salt that balances the arms.

    Args:
        assigned: The arms and their shares; its salt is replaced.
        tell: Called now and then with how many have been tried.
    Raises:
        NoBalance: None of the tries is acceptable, or nothing varies.
    """
    population = _population(wanted)
    threshold = acceptable_distance(population.rank, share=wanted.share)
    best = float("inf")
    for number in range(wanted.tries):
        salt = salt_of(wanted.seed, number)
        score, difference = _score(population, _arms(assigned, wanted.units, salt), control, assigned)
        if score <= threshold:
            return Found(salt, number + 1, threshold, score, difference)
        best = min(best, score)
        if number % TOLD_EVERY == 0:
            tell(number)
    raise NoBalance(
        f"none of {wanted.tries:,} salts is acceptable: the best has a distance of {best:.3g}, and at most "
        f"{threshold:.3g} was to be accepted; try more, or accept a larger share than {wanted.share:g}",
        value=wanted.share,
    )


def salt_of(seed: int, number: int) -> str:
    """The salt of a try: whoever has the seed can look at all of them again."""
    return hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=SALT_DIGEST_BYTES).hexdigest()


def _score(
    population: Population, arms: NDArray[np.object_], control: str, assigned: Assigned
) -> tuple[float, float]:
    """The distance of the arm that is furthest from the control, and the largest standardised difference."""
    base = arms == control
    scores, differences = [0.0], [0.0]
    for arm, weight in assigned.arms:
        if arm != control and weight > 0:
            found = population.imbalance(base, arms == arm)
            scores.append(float(np.nan_to_num(found.distance, nan=np.inf)))
            differences.append(float(np.nan_to_num(np.abs(found.standardised).max(), nan=np.inf)))
    return max(scores), max(differences)


def _arms(assigned: Assigned, units: Sequence[str], salt: str) -> NDArray[np.object_]:
    ends, variants = variants_at(assigned)
    bucket = prepare(Bucketing(salt=salt, unit=assigned.unit, total=int(ends[-1])))
    places = np.array([-1 if (place := bucket(unit)) is None else place for unit in units])
    return np.array(variants, dtype=object)[np.searchsorted(ends, places, side="right")]


def _population(wanted: Search) -> Population:
    columns = [column for name in wanted.covariates for column in _columns(name, wanted.covariates[name])]
    try:
        return Population.of(np.column_stack(columns))
    except ValueError as error:
        raise NoBalance(
            f"these covariates cannot be balanced: {error}", value=list(wanted.covariates)
        ) from error


def _columns(name: str, values: Sequence[float | str]) -> list[NDArray[np.float64]]:
    if all(isinstance(value, int | float) for value in values):
        return [np.array(values, dtype=np.float64)]
    words = sorted({str(value) for value in values})
    if len(words) > MOST_LEVELS:
        raise NoBalance(
            f"{name!r} has {len(words)} different words; at most {MOST_LEVELS} can be balanced", value=name
        )
    return [np.array([str(value) == word for value in values], dtype=np.float64) for word in words[1:]] or [
        np.zeros(len(values))
    ]
