"""Splits as closures: sticky assignment, then the unit's bucket, holdouts, the layer's slice, the range."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import mmh3
from msgspec.structs import replace

from assay_engine.bucketing import XD_LENGTH, prepare, unit_text, xd_prefix
from assay_engine.context import ASSIGNMENTS
from assay_engine.model import (
    Bounds,
    BucketerName,
    Bucketing,
    Held,
    Holdout,
    Layer,
    LayerSlice,
    Split,
    Sticky,
    Windows,
)
from assay_engine.records import Record
from assay_engine.results import Evaluation, MetHoldout
from assay_engine.rules.answers import assignment_key
from assay_engine.rules.clauses import Reader, reader
from assay_engine.rules.conditions import is_within
from assay_engine.rules.generate import Values
from assay_engine.windows import placed_by


class Met(Record, frozen=True):
    """A rule's answer when it serves nothing, but holdouts were met: the walk goes on and remembers them."""

    holdouts: tuple[MetHoldout, ...]


class Guard(Record, frozen=True):
    """The holdouts before a rule, the first of which that holds a unit ends the matter.

    Attributes:
        met: What a unit meets there; `passed` itself when none keeps it out.
        all: Everything that can be met.
    """

    met: Callable[[Values], Met]
    passed: Met
    all: tuple[Met, ...]


# Read once: an enumeration looks its members up anew each time.
_XD, _HALF_OPEN = BucketerName.XD, Bounds.HALF_OPEN

Outcome: TypeAlias = Evaluation | Met | None
Decide: TypeAlias = Callable[[Values, datetime], Outcome]
Place: TypeAlias = Callable[[float], Evaluation | None]


class Answers(Record, frozen=True):
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


def guard_of(holdouts: Sequence[Holdout]) -> Guard | None:
    """The holdouts before a rule as one function; None where there are none."""
    if not holdouts:
        return None
    free = [MetHoldout(holdout.id, is_held=False) for holdout in holdouts]
    held = [Met((*free[:at], MetHoldout(each.id, is_held=True))) for at, each in enumerate(holdouts)]
    passed = Met(tuple(free))
    gates = tuple(zip(map(_held, holdouts), held, strict=True))

    def met(values: Values) -> Met:
        for stops, outcome in gates:
            if stops(values):
                return outcome
        return passed

    return Guard(met, passed, (*held, passed))


def guarded(guard: Guard, ungated: Decide) -> Decide:
    """What decides, behind holdouts."""
    met, passed = guard.met, guard.passed

    def decide(values: Values, now: datetime) -> Outcome:
        found = met(values)
        if found is not passed:
            return found
        outcome = ungated(values, now)
        return passed if outcome is None else outcome

    return decide


def compile_split(
    split: Split, answers: Answers, layer: Layer | None, guard: Guard | None, last: Evaluation | None
) -> Decide:
    """The split as a function that serves, holds out, or gives `last` where it serves nothing."""
    answers = answers.ending_in(last)
    decide = _ungated_at_any_time(split, answers)
    if layer is not None:
        decide = _inside(split, layer, answers, decide)
    return decide if guard is None else _with_unit(split, answers, guarded(guard, decide))


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


def _with_unit(split: Split, answers: Answers, gated: Decide) -> Decide:
    """Who lacks the unit of the split is in no experiment, whatever unit its holdouts go by."""
    bucket, missing = _bucket_of(split.bucketing), answers.without_unit

    def decide(values: Values, now: datetime) -> Outcome:
        return missing if bucket(values) is None else gated(values, now)

    return decide


def _inside(split: Split, layer: Layer, answers: Answers, ungated: Decide) -> Decide:
    bucket, missing, last = _bucket_of(split.bucketing), answers.without_unit, answers.last
    outside = _outside(split, layer)

    def decide(values: Values, now: datetime) -> Outcome:
        if bucket(values) is None:
            return missing
        return last if outside(values) else ungated(values, now)

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
    sticky: Sticky,
    experiment: str,
    answers: Answers,
    fresh: Decide,
    last: Evaluation | None,
    guard: Guard | None = None,
) -> Decide:
    """The rule, except for units that have their variant already or were assigned before `minimum`.

    Holdouts keep none of those out, but each still has its side of them: else who came before a holdout would
    be missing from one side of its comparison.
    """
    blocked = [assignment_key(experiment, version) for version in range(sticky.minimum)]
    current = assignment_key(experiment, sticky.version)
    kept = answers.by_variant
    met = None if guard is None else _answers_having_met(guard, kept)

    def decide(values: Values, now: datetime) -> Outcome:
        assigned = values.get(ASSIGNMENTS)
        if assigned:
            if any(key in assigned for key in blocked):
                return last if guard is None else guard.met(values)
            answer = kept.get(assigned.get(current, ""))
            if answer is not None:
                return answer if met is None else met(values, answer)
        return fresh(values, now)

    return decide


def _answers_having_met(
    guard: Guard, kept: Mapping[str, Evaluation]
) -> Callable[[Values, Evaluation], Evaluation]:
    # By identity, which spares hashing an answer's fields.
    marked = {
        (id(each), id(answer)): replace(answer, holdouts=each.holdouts)
        for each in guard.all
        for answer in kept.values()
    }
    return lambda values, answer: marked[id(guard.met(values)), id(answer)]


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


def _held(holdout: Holdout) -> Callable[[Values], bool]:
    bucket, held = _bucket_of(holdout.bucketing), (holdout.range,)

    def stops(values: Values) -> bool:
        place = bucket(values)
        return place is not None and is_within(place, held)

    return stops


def _outside(split: Split, layer: Layer) -> Callable[[Values], bool]:
    bucket, slices = _bucket_of(layer.bucketing), slices_of(split.experiment, layer)

    def stops(values: Values) -> bool:
        place = bucket(values)
        return place is None or not any(each.low <= place < each.high for each in slices)

    return stops


def holdouts_of(holdouts: Iterable[Holdout], experiment: str) -> list[Holdout]:
    """The holdouts that keep units out of an experiment."""
    return [each for each in holdouts if each.concerns(experiment)]


def holdouts_left_by(holdouts: Iterable[Holdout], held: Held) -> list[Holdout]:
    """The holdouts that go on keeping units out of what an experiment has left behind."""
    return [each for each in holdouts_of(holdouts, held.experiment) if each.id in held.holdouts]


def slices_of(experiment: str | None, layer: Layer) -> tuple[LayerSlice, ...]:
    """The parts of a layer that one experiment may use."""
    return tuple(each for each in layer.slices if each.experiment == experiment)
