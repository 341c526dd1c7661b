"""Units that took all steps of a funnel in their order, and when they took the last."""

from collections.abc import Sequence

from ibis.expr.types import Table, Value

from assay.analysis import conditions
from assay.analysis.assignment import UNIT
from assay.analysis.plan import Window
from assay.metrics.filters import Filtered


def completions(
    events: Table, steps: Sequence[Filtered], window: Window, *, carried: Sequence[str], dialect: str
) -> Table:
    """One row per unit that took all steps: `unit`, and `at`, the earliest moment the last could be taken.

    Each step takes the earliest event that may follow the step before: nothing later could end sooner.

    Args:
        events: Events joined with their unit's `first_at`.
        steps: In their order.
        window: In which all of them lie.
        carried: Further columns of the unit to keep.
        dialect: Of the table's engine.
    """
    inside = events.filter(conditions.within(events, window))
    reached = _earliest(inside.filter(conditions.of(inside, steps[0], dialect=dialect)), carried)
    for number, step in enumerate(steps[1:], start=1):
        candidates = inside.filter(conditions.of(inside, step, dialect=dialect))
        before = reached.select(reached_unit=reached[UNIT], reached_at=reached["at"])
        is_repeated = step.event in {earlier.event for earlier in steps[:number]}
        following = _follows(candidates["at"], before["reached_at"], strictly=is_repeated)
        followed = candidates.join(before, [candidates[UNIT] == before["reached_unit"], following])
        reached = _earliest(followed, carried)
    return reached


def _follows(at: Value, before: Value, *, strictly: bool) -> Value:
    # The same event cannot be two steps; two different ones may share a moment, as clients stamp batches.
    return at > before if strictly else at >= before


def _earliest(events: Table, carried: Sequence[str]) -> Table:
    return events.group_by(UNIT, *carried).aggregate(at=events["at"].min())
