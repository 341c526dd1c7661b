"""Splits as closures: sticky assignment, then the unit's bucket, holdouts, the layer's slice, the range."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import mmh3

from assay_engine.bucketing import XD_LENGTH, prepare, unit_text, xd_prefix
from assay_engine.context import ASSIGNMENTS
from assay_engine.model import (
    Bounds,
    BucketerName,
    Bucketing,
    Holdout,
    Layer,
    LayerSlice,
    Split,
    Sticky,
    Windows,
)
from assay_engine.records import record
from assay_engine.results import Evaluation
from assay_engine.rules.answers import assignment_key
from assay_engine.rules.clauses import Reader, reader
from assay_engine.rules.conditions import is_within
from assay_engine.rules.generate import Values
from assay_engine.windows import placed_by


@record
class HeldOut:
    """A rule's answer when a holdout keeps the unit out: the walk goes on and remembers the holdout."""

    holdout: str


# Read once: an enumeration looks its members up anew each time.
_XD, _HALF_OPEN = BucketerName.XD, Bounds.HALF_OPEN

Outcome: TypeAlias = Evaluation | HeldOut | None
Decide: TypeAlias = Callable[[Values, datetime], Outcome]
Gate: TypeAlias = tuple[Callable[[Values], bool], Outcome]
Place: TypeAlias = Callable[[float], Evaluation | None]


@record
class Answers:
    """The answers a split can give: one per range, one per variant kept, and those for a missing unit."""

    by_range: tuple[Evaluation | None, ...]
    by_variant: Mapping[str, Evaluation]
    without_unit: Evaluation | None
    last: Evaluation | None = None

    def ending_in(self, last: Evaluation | None) -> "Answers":
        """The same, with `last` wherever nothing is served."""
        if last is None:
            return self
        by_range = tuple([answer or last for answer in self.by_range])
        return Answers(by_range, self.by_variant, self.without_unit or last, last)


def compile_split(
    split: Split, answers: Answers, layer: Layer | None, holdouts: Sequence[Holdout], last: Evaluation | None
) -> Decide:
    """The split as a function that serves, holds out, or gives `last` where it serves nothing."""
    answers = answers.ending_in(last)
    gates = [_held(holdout) for holdout in holdouts]
    if layer is not None:
        gates.append((_outside(split, layer), last))
    ungated = _ungated_at_any_time(split, answers)
    return _gated(split, answers, gates, ungated) if gates else ungated


def _ungated_at_any_time(split: Split, answers: Answers) -> Decide:
    if split.windows is not None:
        return _ungated_in_windows(split, split.windows, answers)
    return _ungated_xd(split, answers) if _is_plain(split) else _ungated(split, answers)


def _ungated_in_windows(split: Split, windows: Windows, answers: Answers) -> Decide:
    placed, unit = placed_by(split.bucketing, windows), reader(split.bucketing.unit)
    place, missing = _placed(split, answers), answers.without_unit

    def decide(values: Values, now: datetime) -> Outcome:
        value = placed(unit(values), now)
        return missing if value is None else place(value)

    return decide


def _ungated(split: Split, answers: Answers) -> Decide:
    bucket, missing = _bucket_of(split.bucketing), answers.without_unit
    place = _placed(split, answers)

    def decide(values: Values, _: datetime) -> Outcome:
        value = bucket(values)
        return missing if value is None else place(value)

    return decide


def _gated(split: Split, answers: Answers, gates: Sequence[Gate], ungated: Decide) -> Decide:
    bucket, missing = _bucket_of(split.bucketing), answers.without_unit

    def decide(values: Values, now: datetime) -> Outcome:
        if bucket(values) is None:
            return missing
        for stops, outcome in gates:
            if stops(values):
                return outcome
        return ungated(values, now)

    return decide


def _is_plain(split: Split) -> bool:
    if split.bucketing.bucketer is not _XD or len(split.bucketing.unit) != 1:
        return False
    return all(each.bounds is _HALF_OPEN for each in split.ranges)


def _ungated_xd(split: Split, answers: Answers) -> Decide:
    """The default bucketer in one function: splits are most of what a busy service evaluates."""
    name, prefix = split.bucketing.unit[0], xd_prefix(split.bucketing.salt)
    by_range, missing = (*answers.by_range, answers.last), answers.without_unit
    # (hash * total) >> 32 < end exactly when hash < ceil(end * 2^32 / total), which spares the product.
    ends = [-(-(int(each.high) << 32) // split.bucketing.total) for each in split.ranges]
    find, murmur = bisect_right, mmh3.mmh3_32_uintdigest
    # What stands before a unit in its key depends on the unit's length alone, and units have few lengths.
    heads: dict[int, str] = {}

    def first_of_its_length(text: str) -> Outcome:
        if len(text) < XD_LENGTH:
            heads[len(text)] = "xd" + prefix[len(text) - XD_LENGTH :]
        return by_range[find(ends, murmur(("xd" + (prefix + text)[-XD_LENGTH:]).encode()))]

    def decide(values: Values, _: datetime) -> Outcome:
        unit = values.get(name)
        text = unit if unit.__class__ is str else unit_text(unit)
        if not text:
            return missing
        try:
            head = heads.get(len(text))
            if head is None:
                return first_of_its_length(text)
            return by_range[find(ends, murmur((head + text).encode()))]
        except UnicodeEncodeError:
            return missing

    return decide


def keep_assigned(
    sticky: Sticky, experiment: str, answers: Answers, fresh: Decide, last: Evaluation | None
) -> Decide:
    """The rule, except for units that have their variant already or were assigned before `minimum`."""
    blocked = [assignment_key(experiment, version) for version in range(sticky.minimum)]
    current = assignment_key(experiment, sticky.version)
    kept = answers.by_variant

    def decide(values: Values, now: datetime) -> Outcome:
        assigned = values.get(ASSIGNMENTS)
        if assigned:
            if any(key in assigned for key in blocked):
                return last
            answer = kept.get(assigned.get(current, ""))
            if answer is not None:
                return answer
        return fresh(values, now)

    return decide


def _placed(split: Split, answers: Answers) -> Place:
    # Ranges touch and begin where the line does, so that the upper ends alone decide.
    ends = [each.high for each in split.ranges]
    by_range = (*answers.by_range, answers.last)
    closed = {each.bounds is Bounds.CLOSED for each in split.ranges}
    if closed == {False}:
        return lambda place: by_range[bisect_right(ends, place)]
    if closed == {True}:
        return lambda place: by_range[bisect_left(ends, place)]
    return _placed_by_mixed_ends(split, answers)


def _placed_by_mixed_ends(split: Split, answers: Answers) -> Place:
    last = answers.last
    steps = [
        (each.high, each.bounds is Bounds.CLOSED, answer)
        for each, answer in zip(split.ranges, answers.by_range, strict=True)
    ]

    def place(value: float) -> Evaluation | None:
        for end, is_closed, answer in steps:
            if value < end or (is_closed and value == end):
                return answer
        return last

    return place


def _bucket_of(bucketing: Bucketing) -> Reader:
    bucket, unit = prepare(bucketing), reader(bucketing.unit)
    return lambda values: bucket(unit(values))


def _held(holdout: Holdout) -> Gate:
    bucket, held = _bucket_of(holdout.bucketing), (holdout.range,)

    def stops(values: Values) -> bool:
        place = bucket(values)
        return place is not None and is_within(place, held)

    return stops, HeldOut(holdout.id)


def _outside(split: Split, layer: Layer) -> Callable[[Values], bool]:
    bucket, slices = _bucket_of(layer.bucketing), slices_of(split.experiment, layer)

    def stops(values: Values) -> bool:
        place = bucket(values)
        return place is None or not any(each.low <= place < each.high for each in slices)

    return stops


def slices_of(experiment: str | None, layer: Layer) -> tuple[LayerSlice, ...]:
    """The parts of a layer that one experiment may use."""
    return tuple(each for each in layer.slices if each.experiment == experiment)
