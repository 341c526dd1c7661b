"""A ruleset turned into closures once, so that an evaluation only walks them.

Every possible answer is made here: a walk returns one of them and builds nothing.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, TypeVar, assert_never, cast

from msgspec.structs import replace

from assay_engine.model import (
    Clause,
    Flag,
    Held,
    JsonLogic,
    Layer,
    Prerequisite,
    Rule,
    Ruleset,
    Segment,
    Serve,
    ServeVariant,
    Split,
    Sticky,
    Windows,
)
from assay_engine.results import Evaluation, MetHoldout, Reason
from assay_engine.rules.answers import (
    UnknownReference,
    assigned_in,
    having_met,
    joined,
    served,
    unserved_logic,
    without_unit,
)
from assay_engine.rules.clauses import clause_part
from assay_engine.rules.conditions import conjuncts, membership, within
from assay_engine.rules.generate import ALWAYS, NEVER, Form, Part, Values, call, when_all
from assay_engine.rules.jsonlogic import compile_logic, reads_the_clock, variant_named
from assay_engine.rules.splits import (
    Answers,
    Decide,
    Guard,
    Met,
    Outcome,
    compile_split,
    guard_of,
    guarded,
    holdouts_left_by,
    holdouts_of,
    keep_assigned,
)
from assay_engine.windows import next_window

Walk: TypeAlias = Callable[[Values, datetime], Evaluation]
# What decides, made for the answer it gives where it serves nothing.
Ending: TypeAlias = Callable[[Evaluation | None], Decide]
Holdouts: TypeAlias = tuple[MetHoldout, ...]
T = TypeVar("T")

# Read once: an enumeration looks its members up anew each time.
_STATIC, _DEFAULT, _MATCH, _SPLIT = Reason.STATIC, Reason.DEFAULT, Reason.TARGETING_MATCH, Reason.SPLIT
_SERVE, _SERVE_OR, _DECIDE, _DECIDE_OR = Form.SERVE, Form.SERVE_OR, Form.DECIDE, Form.DECIDE_OR

# Beyond it a loop: rules that call the next one use up the interpreter's stack.
_LONGEST_CHAIN = 6


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRuleset:
    """An immutable ruleset ready for evaluation; safe to share between threads and to swap as a whole.

    Attributes:
        independent: Keys of flags whose walk rests on nothing but the flag itself.
    """

    ruleset: Ruleset
    flags: Mapping[str, Flag]
    walks: Mapping[str, Walk]
    transitions: tuple[datetime, ...]
    reads_the_clock: bool
    windows: tuple[Windows, ...] = ()
    independent: frozenset[str] = frozenset()


def link(ruleset: Ruleset, earlier: CompiledRuleset | None = None) -> CompiledRuleset:
    """The compiled form of a ruleset that passed `rules.check`.

    Args:
        earlier: What was compiled before; flags that are the same objects keep their walks.

    Raises:
        UnknownReference: It names something it does not have, or a cycle.
    """
    linker = _Linker(ruleset)
    if earlier is not None:
        linker.keep(earlier)
    walks = {key: linker.walk(key) for key in linker.flags}
    return CompiledRuleset(
        ruleset=ruleset,
        flags=MappingProxyType(linker.flags),
        walks=walks,
        transitions=_transitions(ruleset.flags),
        reads_the_clock=linker.reads_the_clock,
        windows=_windows(ruleset.flags),
        independent=frozenset(linker.independent),
    )


def next_transition(compiled: CompiledRuleset, at: datetime) -> datetime | None:
    """The first moment after `at` when time alone may change an answer; None when it never will.

    An expression that reads flagd's clock, in whole seconds, may change with each of them.
    """
    index = bisect_right(compiled.transitions, at)
    moments = [next_window(windows, at) for windows in compiled.windows]
    if index < len(compiled.transitions):
        moments.append(compiled.transitions[index])
    if compiled.reads_the_clock:
        moments.append(at.replace(microsecond=0) + timedelta(seconds=1))
    return min(moments, default=None)


def _transitions(flags: Iterable[Flag]) -> tuple[datetime, ...]:
    schedules = [rule.schedule for flag in flags if flag.enabled for rule in flag.rules if rule.schedule]
    moments = {moment for each in schedules for moment in (each.starts_at, each.ends_at) if moment}
    return tuple(sorted(moments))


def _windows(flags: Iterable[Flag]) -> tuple[Windows, ...]:
    serves = [serve for flag in flags if flag.enabled for serve in _serves(flag)]
    found = {serve.windows: None for serve in serves if isinstance(serve, Split) and serve.windows}
    return tuple(found)


def _serves(flag: Flag) -> list[Serve]:
    return [*(rule.serve for rule in flag.rules), *([flag.fallthrough] if flag.fallthrough else [])]


class _Linker:
    """Compiles flags and segments on demand, so that each finds those it refers to ready."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.flags = {flag.key: flag for flag in ruleset.flags}
        self._segments = {segment.id: segment for segment in ruleset.segments}
        self._layers = {layer.id: layer for layer in ruleset.layers}
        self._holdouts = ruleset.holdouts
        self._walks: dict[str, Walk] = {}
        self._members: dict[str, Part] = {}
        # By identity, which spares hashing a clause: the ruleset keeps them alive.
        self._parts: dict[int, Part] = {}
        self._unfinished: set[tuple[str, str]] = set()
        self.reads_the_clock = False
        self.independent: set[str] = set()
        # How often a flag or segment has referred to something else.
        self._references = 0

    def keep(self, earlier: CompiledRuleset) -> None:
        """Keeps the walks of flags that have not changed and rest on nothing that may have."""
        for key in earlier.independent:
            if self.flags.get(key) is earlier.flags[key]:
                self._walks[key] = earlier.walks[key]
                self.independent.add(key)

    def walk(self, key: str) -> Walk:
        """The compiled walk of a flag."""
        known = self._walks.get(key)
        if known is not None:
            return known
        flag = _found(self.flags, key, "flag")
        self._enter("flag", key)
        references = self._references
        made = self._walks[key] = _FlagCompiler(flag, self).walk()
        self._unfinished.discard(("flag", key))
        if self._references == references:
            self.independent.add(key)
        return made

    def clause(self, clause: Clause) -> Part:
        """A compiled clause, the same for all rules that share it."""
        part = self._parts.get(id(clause))
        if part is None:
            part = self._parts[id(clause)] = clause_part(clause)
        return part

    def members(self, segment_id: str) -> Part:
        """The compiled membership of a segment."""
        self._references += 1
        if segment_id not in self._members:
            segment: Segment = _found(self._segments, segment_id, "segment")
            self._enter("segment", segment_id)
            self._members[segment_id] = membership(segment, self)
            self._unfinished.discard(("segment", segment_id))
        return self._members[segment_id]

    def serves(self, prerequisite: Prerequisite) -> Part:
        """Whether another flag is enabled and serves one of the prerequisite's variants."""
        self._references += 1
        walk = self.walk(prerequisite.flag)
        if not self.flags[prerequisite.flag].enabled:
            return NEVER
        variants = frozenset(prerequisite.variants)
        return call(lambda values, now: walk(values, now).variant in variants)

    def layer_of(self, split: Split) -> Layer | None:
        """The layer of a split, if it has one."""
        if split.layer is None:
            return None
        self._references += 1
        return _found(self._layers, split.layer, "layer")

    def guard_of(self, split: Split) -> Guard | None:
        """The holdouts that keep units out of a split's experiment."""
        if split.experiment is None:
            return None
        # Whether or not one concerns it: with the next revision one may.
        self._references += 1
        return guard_of(holdouts_of(self._holdouts, split.experiment))

    def guard_left_by(self, held: Held | None) -> Guard | None:
        """The holdouts that go on keeping units out of a rule."""
        if held is None:
            return None
        self._references += 1
        return guard_of(holdouts_left_by(self._holdouts, held))

    def logic(self, logic: JsonLogic, flag_key: str) -> Callable[[Values, datetime], object]:
        """An expression compiled; whether it reads the clock is remembered, so it is looked at each time."""
        self._references += 1
        self.reads_the_clock = self.reads_the_clock or reads_the_clock(logic.expression)
        return compile_logic(logic, flag_key)

    def _enter(self, kind: str, key: str) -> None:
        if (kind, key) in self._unfinished:
            raise UnknownReference(f"{kind} {key!r} leads back to itself")
        self._unfinished.add((kind, key))


def _found(things: Mapping[str, T], key: str, kind: str) -> T:
    if key not in things:
        raise UnknownReference(f"no {kind} {key!r} in this ruleset")
    return things[key]


class _FlagCompiler:
    """Makes a flag's possible answers and the walk that picks one."""

    def __init__(self, flag: Flag, linker: _Linker) -> None:
        self._flag = flag
        self._linker = linker
        self._is_guarded = False

    def walk(self) -> Walk:
        """The walk over the flag's rules, or its off answer."""
        flag = self._flag
        if not flag.enabled:
            return _constant(served(flag, flag.off, Reason.DISABLED))
        steps = [self._step(rule) for rule in flag.rules]
        match flag.fallthrough:
            case ServeVariant(variant):
                last = served(flag, variant, _DEFAULT if flag.rules else _STATIC)
            case None:
                last = served(flag, None, _DEFAULT)
            case serve:
                steps.append(_Step((), self._serve(serve, None)))
                last = served(flag, None, _DEFAULT)
        if self._is_guarded:
            return _walk_past_holdouts(steps, last)
        return _chain(steps, last) if len(steps) <= _LONGEST_CHAIN else _loop(steps, last)

    def _step(self, rule: Rule) -> "_Step":
        scheduled = within(rule.schedule)
        needed = [self._linker.serves(each) for each in rule.prerequisites]
        needed += conjuncts(rule.condition, self._linker, self._flag.key)
        if isinstance(rule.serve, Split) and assigned_in(rule.serve) is not None:
            return _Step(
                (scheduled,),
                self._sticky(rule, rule.serve, _Step(tuple(needed), self._guarded(rule))),
            )
        return _Step((scheduled, *needed), self._guarded(rule))

    def _guarded(self, rule: Rule) -> Evaluation | Ending:
        guard = self._noted(self._linker.guard_left_by(rule.held))
        if guard is None:
            return self._serve(rule.serve, rule)
        served = self._serve(rule.serve, rule, guard.passed.holdouts)
        return lambda last: guarded(guard, _decided(served, last))

    def _noted(self, guard: Guard | None) -> Guard | None:
        self._is_guarded = self._is_guarded or guard is not None
        return guard

    def _sticky(self, rule: Rule, split: Split, fresh: "_Step") -> Ending:
        answers = self._answers(split, rule)
        guard = self._linker.guard_of(split) or self._linker.guard_left_by(rule.held)
        sticky, experiment = split.sticky or Sticky(), assigned_in(split) or ""
        return lambda last: keep_assigned(sticky, experiment, answers, fresh.ending_in(last), last, guard)

    def _serve(self, serve: Serve, rule: Rule | None, met: Holdouts = ()) -> Evaluation | Ending:
        match serve:
            case ServeVariant(variant):
                return served(self._flag, variant, _MATCH, rule=rule, holdouts=met)
            case Split():
                return self._split(serve, rule, met)
            case JsonLogic():
                return self._logic(serve, rule, met)
            case _:
                assert_never(serve)

    def _split(self, split: Split, rule: Rule | None, met: Holdouts) -> Ending:
        layer, guard = self._linker.layer_of(split), self._noted(self._linker.guard_of(split))
        missing = _having_met(without_unit(self._flag, split, rule), met)
        answers = self._answers(split, rule, met if guard is None else guard.passed.holdouts, missing)
        return lambda last: compile_split(split, answers, layer, guard, last)

    def _answers(
        self, split: Split, rule: Rule | None, met: Holdouts = (), missing: Evaluation | None = None
    ) -> Answers:
        served_by_range = [each.variant for each in split.ranges]
        by_variant = {
            variant: served(self._flag, variant, _SPLIT, rule=rule, split=split, holdouts=met)
            for variant in dict.fromkeys(served_by_range)
            if variant is not None
        }
        return Answers(
            by_range=tuple([None if variant is None else by_variant[variant] for variant in served_by_range]),
            by_variant=by_variant,
            without_unit=missing,
        )

    def _logic(self, logic: JsonLogic, rule: Rule | None, met: Holdouts) -> Ending:
        flag, expression = self._flag, self._linker.logic(logic, self._flag.key)
        names = [variant.name for variant in flag.variants]
        by_variant = {name: served(flag, name, _MATCH, rule=rule, holdouts=met) for name in names}
        unknown = _having_met(unserved_logic(flag), met)

        def ending_in(last: Evaluation | None) -> Decide:
            def decide(values: Values, now: datetime) -> Outcome:
                result = expression(values, now)
                return last if result is None else by_variant.get(variant_named(result) or "", unknown)

            return decide

        return ending_in


def _having_met(answer: Evaluation | None, holdouts: Holdouts) -> Evaluation | None:
    return replace(answer, holdouts=holdouts) if answer is not None and holdouts else answer


def _decided(served: Evaluation | Ending, last: Evaluation | None) -> Decide:
    return (lambda _, __: served) if isinstance(served, Evaluation) else served(last)


def _constant(answer: Evaluation) -> Walk:
    return lambda _, __: answer


class _Step(NamedTuple):
    """A rule compiled: parts that must all hold, and one answer or what decides on it."""

    needed: tuple[Part, ...]
    outcome: Evaluation | Ending

    def then(self, otherwise: Decide) -> Decide:
        """The rule, and what follows where it serves nothing."""
        if isinstance(self.outcome, Evaluation):
            return when_all(self.needed, _SERVE, self.outcome, otherwise)
        return when_all(self.needed, _DECIDE, self.outcome(None), otherwise)

    def ending_in(self, last: Evaluation | None) -> Decide:
        """The rule, and the answer where it serves nothing."""
        if isinstance(self.outcome, Evaluation):
            return when_all(self.needed, _SERVE_OR, self.outcome, last)
        decide = self.outcome(last)
        if all(part is ALWAYS for part in self.needed):
            return decide
        return when_all(self.needed, _DECIDE_OR, decide, last)


def _chain(steps: Sequence[_Step], last: Evaluation) -> Walk:
    if not steps:
        return _constant(last)
    *earlier, final = steps
    walk = final.ending_in(last)
    for step in reversed(earlier):
        walk = step.then(walk)
    # Without holdouts, and with an answer at its end, a chain gives answers only.
    return cast("Walk", walk)


def _loop(steps: Sequence[_Step], last: Evaluation) -> Walk:
    decisions = tuple(step.ending_in(None) for step in steps)

    def walk(values: Values, now: datetime) -> Outcome:
        for decide in decisions:
            answer = decide(values, now)
            if answer is not None:
                return answer
        return last

    # Without holdouts a decision is an answer or nothing.
    return cast("Walk", walk)


def _walk_past_holdouts(steps: Sequence[_Step], last: Evaluation) -> Walk:
    decisions = tuple(step.ending_in(None) for step in steps)
    encounters = _Encounters()

    def walk(values: Values, now: datetime) -> Evaluation:
        met: Met | None = None
        answer = last
        for decide in decisions:
            outcome = decide(values, now)
            if isinstance(outcome, Evaluation):
                answer = outcome
                break
            if outcome is not None:
                met = outcome if met is None else encounters.both(met, outcome)
        return answer if met is None else encounters.answered(met, answer)

    return walk


class _Encounters:
    """What can come of meeting holdouts, each made when it first happens and the same ever after.

    By identity, which spares hashing fields; what was made holds its parts, so that their ids stay theirs.
    """

    def __init__(self) -> None:
        self._both: dict[tuple[int, int], tuple[Met, Met, Met]] = {}
        self._answered: dict[tuple[int, int], tuple[Evaluation, Met, Evaluation]] = {}

    def both(self, first: Met, then: Met) -> Met:
        """What a unit has met that came past two rules."""
        at = (id(first), id(then))
        known = self._both.get(at)
        if known is None:
            known = self._both.setdefault(at, (Met(joined(first.holdouts, then.holdouts)), first, then))
        return known[0]

    def answered(self, met: Met, answer: Evaluation) -> Evaluation:
        """The answer of a unit that met holdouts on the way."""
        at = (id(met), id(answer))
        known = self._answered.get(at)
        if known is None:
            known = self._answered.setdefault(at, (having_met(answer, met.holdouts), met, answer))
        return known[0]
