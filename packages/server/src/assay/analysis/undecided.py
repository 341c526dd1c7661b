"""What cannot be said of trends and interactions, in one sentence per reason."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from assay.analysis.differing import Interaction, Novelty

Found = TypeVar("Found", Novelty, Interaction)


def undecided_trends(trends: Sequence[Novelty], named: Callable[[Novelty], str]) -> list[str]:
    """Of the trends that have no interval.

    Args:
        named: What a trend is of, as its reader calls it.
    """
    return _undecided("Whether effects change with the time since first exposure", trends, named)


def undecided_interactions(changes: Sequence[Interaction], named: Callable[[Interaction], str]) -> list[str]:
    """Of the pairs of experiments that have no interval."""
    return _undecided("Whether another experiment changes the effect", changes, named)


def _undecided(what: str, found: Sequence[Found], named: Callable[[Found], str]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for each in found:
        if each.problem is not None:
            reasons.setdefault(each.problem, []).append(named(each))
    return [f"{what} cannot be said of {'; '.join(names)}: {reason}." for reason, names in reasons.items()]
