"""Which method fits a deadline, decided from what each costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# An early end must save this much to be worth the looks.
WORTH_SHARE = 0.9
PRICES = {
    "fixed": "one look at the end, the fewest units at most; looking earlier tells nothing",
    "group_sequential": "planned looks; a few more units at most, fewer on average if the effect is there",
    "always_valid": "may be read at any moment; the most units at most, for stopping whenever it is clear",
    "bayesian": "probabilities, not error rates; reading often makes shipping a useless change likelier",
}


@dataclass(frozen=True, slots=True)
class Option:
    """What a method costs in days.

    Attributes:
        units: At most, of all arms together; None when no number suffices.
        expected_days: On average, when the smallest effects worth finding are there.
    """

    method: str
    units: int | None
    days: int | None
    expected_days: int | None

    @property
    def price(self) -> str:
        """What the choice costs, in words."""
        return PRICES[self.method]


def days_for(units: float | None, daily: float | None) -> int | None:
    """Whole days until so many units have come."""
    return None if units is None or not daily else max(1, math.ceil(units / daily))


def advised(options: Sequence[Option], *, deadline_days: int | None, watched: bool) -> tuple[str | None, str]:
    """The method to take, None when none is done in time; and why.

    Args:
        watched: Somebody wants to read it at any moment.
    """
    in_time = {
        each.method: each
        for each in options
        if each.days is not None and (deadline_days is None or each.days <= deadline_days)
    }
    if not in_time:
        return None, _too_late(options, deadline_days)
    always, grouped, fixed = (in_time.get(kind) for kind in ("always_valid", "group_sequential", "fixed"))
    if watched and always:
        return always.method, f"It may be read at any moment, and is done within {always.days} days."
    if grouped and fixed and (grouped.expected_days or 0) <= (fixed.days or 0) * WORTH_SHARE:
        return grouped.method, (
            f"Its looks end it after {grouped.expected_days} days on average if the effect is there, "
            f"{grouped.days} at most; a fixed plan always takes {fixed.days}."
        )
    if fixed:
        return fixed.method, f"{fixed.days} days are enough, and looking earlier would save little."
    chosen = min(in_time.values(), key=lambda each: each.days or 0)
    return chosen.method, f"It alone is done within {chosen.days} days."


def _too_late(options: Sequence[Option], deadline_days: int | None) -> str:
    days = [each.days for each in options if each.days is not None]
    if not days:
        return "No number of units suffices: give the goals an effect above 0."
    return (
        f"No method is done within {deadline_days} days; the shortest takes {min(days)}. "
        "Cover more units, look for a larger effect, or wait longer."
    )
