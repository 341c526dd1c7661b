"""Conditions as closures. NOT moves inward to the clauses (De Morgan): two truth values are left at run time."""

from collections.abc import Sequence
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
from assay_engine.rules.clauses import Predicate, Values, compile_clause, reader
from assay_engine.rules.jsonlogic import compile_logic, is_truthy


class Links(Protocol):
    """What a condition may refer to, compiled."""

    def serves(self, prerequisite: Prerequisite) -> Predicate:
        """Whether another flag is enabled and serves one of the prerequisite's variants."""
        ...

    def members(self, segment_id: str) -> Predicate:
        """Membership of a segment."""
        ...


def always(_: Values, __: datetime) -> bool:
    """The condition everybody meets."""
    return True


def never(_: Values, __: datetime) -> bool:
    """The condition nobody meets."""
    return False


def compile_condition(
    condition: Condition, links: Links, flag_key: str, *, positive: bool = True
) -> Predicate:
    """The condition, or with `positive` off its negation, as a predicate."""
    match condition:
        case Clause():
            return compile_clause(condition, positive=positive)
        case AllOf() | AnyOf():
            parts = [
                compile_condition(part, links, flag_key, positive=positive) for part in condition.conditions
            ]
            return conjunction(parts) if isinstance(condition, AllOf) is positive else disjunction(parts)
        case Not():
            return compile_condition(condition.condition, links, flag_key, positive=not positive)
        case InSegment():
            return _signed(links.members(condition.segment), positive=positive)
        case InBucket():
            return _in_bucket(condition, positive=positive)
        case Prerequisite():
            return _signed(links.serves(condition), positive=positive)
        case JsonLogic():
            logic = compile_logic(condition, flag_key)
            return _signed(lambda values, now: is_truthy(logic(values, now)), positive=positive)
        case _:
            assert_never(condition)


def conjunction(parts: Sequence[Predicate]) -> Predicate:
    """Whether all hold."""
    needed = [part for part in parts if part is not always]
    if never in needed:
        return never
    match needed:
        case []:
            return always
        case [only]:
            return only
        case [a, b]:
            return lambda values, now: a(values, now) and b(values, now)
        case [a, b, c]:
            return lambda values, now: a(values, now) and b(values, now) and c(values, now)
        case _:
            return _all(tuple(needed))


def _all(parts: tuple[Predicate, ...]) -> Predicate:
    def holds(values: Values, now: datetime) -> bool:
        for part in parts:  # noqa: SIM110 — a generator would double the time
            if not part(values, now):
                return False
        return True

    return holds


def disjunction(parts: Sequence[Predicate]) -> Predicate:
    """Whether at least one holds."""
    possible = [part for part in parts if part is not never]
    if always in possible:
        return always
    match possible:
        case []:
            return never
        case [only]:
            return only
        case [a, b]:
            return lambda values, now: a(values, now) or b(values, now)
        case _:
            return _any(tuple(possible))


def _any(parts: tuple[Predicate, ...]) -> Predicate:
    def holds(values: Values, now: datetime) -> bool:
        for part in parts:  # noqa: SIM110 — a generator would double the time
            if part(values, now):
                return True
        return False

    return holds


def _signed(predicate: Predicate, *, positive: bool) -> Predicate:
    if positive:
        return predicate
    return lambda values, now: not predicate(values, now)


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


def membership(segment: Segment, links: Links) -> Predicate:
    """Who belongs to a segment: not the excluded; the included; others by the condition."""
    unit = reader(segment.unit)
    include, exclude = segment.include, segment.exclude
    meets = compile_condition(segment.condition, links, "") if segment.condition else never

    def holds(values: Values, now: datetime) -> bool | None:
        key = unit(values)
        if key.__class__ is str:
            if key in exclude:
                return False
            if key in include:
                return True
        return meets(values, now)

    return holds


def within(schedule: Schedule) -> Predicate:
    """Whether a moment lies in a schedule: its start belongs to it, its end does not."""
    match schedule.starts_at, schedule.ends_at:
        case None, None:
            return always
        case start, None:
            return lambda _, now: start <= now
        case None, end:
            return lambda _, now: now < end
        case start, end:
            return lambda _, now: start <= now < end
