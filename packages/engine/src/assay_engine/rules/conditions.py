"""Conditions as closures.

NOT moves inward to the clauses (De Morgan), which leaves two truth values at run time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, assert_never

from assay_engine.bucketing import prepare
from assay_engine.model import (
    AllOf,
    AnyOf,
    Bounds,
    Clause,
    Condition,
    InBucket,
    InSegment,
    JsonLogic,
    Not,
    Prerequisite,
    Range,
    Schedule,
    Segment,
)
from assay_engine.rules.clauses import clause_part, reader
from assay_engine.rules.generate import (
    ALWAYS,
    NEVER,
    Joined,
    Part,
    Predicate,
    Values,
    call,
    joined,
    predicate,
)
from assay_engine.rules.loose import is_truthy


class Links(Protocol):
    """What a condition may refer to, compiled."""

    def clause(self, clause: Clause) -> Part:
        """A clause, not negated."""
        ...

    def serves(self, prerequisite: Prerequisite) -> Part:
        """Whether another flag is enabled and serves one of the prerequisite's variants."""
        ...

    def members(self, segment_id: str) -> Part:
        """Membership of a segment."""
        ...

    def logic(self, logic: JsonLogic, flag_key: str) -> Callable[[Values, datetime], object]:
        """A JsonLogic expression as a function."""
        ...


def condition_part(condition: Condition, links: Links, flag_key: str, *, positive: bool = True) -> Part:
    """The condition, or with `positive` off its negation."""
    match condition:
        case Clause():
            return links.clause(condition) if positive else clause_part(condition, positive=False)
        case AllOf() | AnyOf():
            parts = [
                condition_part(part, links, flag_key, positive=positive) for part in condition.conditions
            ]
            return joined(parts, Joined.ALL if isinstance(condition, AllOf) is positive else Joined.ANY)
        case Not():
            return condition_part(condition.condition, links, flag_key, positive=not positive)
        case InBucket():
            return call(_in_bucket(condition, positive=positive))
        case _:
            part = _settled_part(condition, links, flag_key)
            return part if positive else _opposite(part)


def _settled_part(condition: InSegment | Prerequisite | JsonLogic, links: Links, flag_key: str) -> Part:
    """A condition that either holds or does not: nothing in it is unknown from outside."""
    match condition:
        case InSegment():
            return links.members(condition.segment)
        case Prerequisite():
            return links.serves(condition)
        case JsonLogic():
            logic = links.logic(condition, flag_key)
            return call(lambda values, now: is_truthy(logic(values, now)))
        case _:
            assert_never(condition)


def conjuncts(condition: Condition | None, links: Links, flag_key: str) -> list[Part]:
    """The parts that must all hold, so that a rule tests them in one expression."""
    match condition:
        case None:
            return []
        case Clause():
            return [links.clause(condition)]
        case AllOf():
            parts: list[Part] = []
            for each in condition.conditions:
                parts += (
                    [links.clause(each)] if isinstance(each, Clause) else conjuncts(each, links, flag_key)
                )
            return parts
        case _:
            return [condition_part(condition, links, flag_key)]


def _opposite(part: Part) -> Part:
    if part is ALWAYS or part is NEVER:
        return NEVER if part is ALWAYS else ALWAYS
    holds = predicate(part)
    return call(lambda values, now: not holds(values, now))


def _in_bucket(condition: InBucket, *, positive: bool) -> Predicate:
    bucket = prepare(condition.bucketing)
    unit = reader(condition.bucketing.unit)
    ranges = condition.ranges

    def holds(values: Values, _: datetime) -> bool:
        place = bucket(unit(values))
        return place is not None and is_within(place, ranges) is positive

    return holds


def is_within(place: float, ranges: Sequence[Range]) -> bool:
    """Whether a bucket value lies in one of the ranges."""
    return any(
        each.low <= place and (place < each.high or (place == each.high and each.bounds is Bounds.CLOSED))
        for each in ranges
    )


def membership(segment: Segment, links: Links) -> Part:
    """Who belongs to a segment: not the excluded; the included; others by the condition."""
    unit = reader(segment.unit)
    include, exclude = segment.include, segment.exclude
    others = NEVER if segment.condition is None else condition_part(segment.condition, links, "")
    if not include and not exclude:
        return others
    meets = predicate(others)

    def holds(values: Values, now: datetime) -> bool | None:
        key = unit(values)
        if key.__class__ is str:
            if key in exclude:
                return False
            if key in include:
                return True
        return meets(values, now)

    return call(holds)


def within(schedule: Schedule | None) -> Part:
    """Whether a moment lies in a schedule: its start belongs to it, its end does not."""
    if schedule is None:
        return ALWAYS
    start, end = schedule.starts_at, schedule.ends_at
    if start is not None and end is not None:
        return call(lambda _, now: start <= now < end)
    if start is not None:
        return call(lambda _, now: start <= now)
    return ALWAYS if end is None else call(lambda _, now: now < end)
