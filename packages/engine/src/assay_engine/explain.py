"""The same walk as an evaluation, narrated: why this context gets this variant.

It reads the model, not the compiled functions, and gives its own answer; a property test holds them equal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never

from msgspec.structs import replace

from assay_engine.bucketing import prepare as prepare_bucket
from assay_engine.context import ASSIGNMENTS, Context
from assay_engine.model import (
    AllOf,
    AnyOf,
    AttributePath,
    Bucketing,
    Clause,
    Condition,
    Flag,
    Holdout,
    InBucket,
    InSegment,
    JsonLogic,
    Missing,
    Not,
    Prerequisite,
    Range,
    Rule,
    Schedule,
    Segment,
    Serve,
    ServeVariant,
    Split,
    Sticky,
)
from assay_engine.results import Evaluation, MetHoldout, Reason, flag_not_found
from assay_engine.rules.answers import (
    assigned_in,
    assignment_key,
    having_met,
    joined,
    served,
    unserved_logic,
    without_unit,
)
from assay_engine.rules.compile import CompiledRuleset
from assay_engine.rules.conditions import is_within
from assay_engine.rules.jsonlogic import compile_logic, variant_named
from assay_engine.rules.loose import is_truthy
from assay_engine.rules.operators import prepare, read
from assay_engine.rules.splits import Met, holdouts_left_by, holdouts_of, slices_of
from assay_engine.values import AttributeValue
from assay_engine.windows import placed_by, window_at


@dataclass(frozen=True, slots=True)
class Step:
    """One thing looked at: what, whether it held (None: it cannot be known), and the things inside it."""

    text: str
    holds: bool | None
    parts: tuple["Step", ...] = ()

    def lines(self, indent: str = "") -> Iterator[str]:
        """The step and what is inside it, a line each."""
        sign = {True: "✓", False: "✗", None: "?"}[self.holds]
        yield f"{indent}{sign} {self.text}"
        for part in self.parts:
            yield from part.lines(indent + "  ")


@dataclass(frozen=True, slots=True)
class Explanation:
    """An evaluation and the steps that led to it."""

    evaluation: Evaluation
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        answer = self.evaluation
        outcome = "the application's default" if answer.variant is None else f"variant {answer.variant!r}"
        lines = [f"{answer.flag_key}: {outcome} ({answer.error_message or answer.reason})"]
        return "\n".join([*lines, *(line for step in self.steps for line in step.lines("  "))])


def explain(ruleset: CompiledRuleset, flag_key: str, context: Context, *, now: datetime) -> Explanation:
    """Why the flag has its answer for one context.

    Args:
        now: The moment schedules are read at; aware.
    """
    flag = ruleset.flags.get(flag_key)
    if flag is None:
        missing = flag_not_found(flag_key)
        return Explanation(missing, (Step(missing.error_message or "", holds=False),))
    return _Narrator(ruleset, context, now).flag(flag)


# What a rule serves, or the holdouts met before it where it serves nothing; and the steps that say so.
_Found: TypeAlias = Evaluation | Met | None
_Outcome: TypeAlias = tuple[_Found, list[Step]]


class _Narrator:
    """One context at one moment, walking a ruleset."""

    def __init__(self, ruleset: CompiledRuleset, context: Context, now: datetime) -> None:
        self._flags = ruleset.flags
        self._segments = {segment.id: segment for segment in ruleset.ruleset.segments}
        self._layers = {layer.id: layer for layer in ruleset.ruleset.layers}
        self._holdouts = ruleset.ruleset.holdouts
        self._values = context.values
        self._now = now

    def flag(self, flag: Flag) -> Explanation:
        if not flag.enabled:
            off = served(flag, flag.off, Reason.DISABLED)
            return Explanation(off, (Step("the flag is disabled", holds=True),))
        steps: list[Step] = []
        met = Met(())
        for rule in flag.rules:
            outcome, step = self._rule(flag, rule)
            steps.append(step)
            if isinstance(outcome, Evaluation):
                return Explanation(having_met(outcome, met.holdouts), tuple(steps))
            met = _both(met, outcome)
        answer, met = self._fallthrough(flag, steps, met)
        return Explanation(having_met(answer, met.holdouts), tuple(steps))

    def _fallthrough(self, flag: Flag, steps: list[Step], met: Met) -> tuple[Evaluation, Met]:
        match flag.fallthrough:
            case None:
                steps.append(Step("no rule serves anything, and there is no fallthrough", holds=True))
            case ServeVariant(variant):
                steps.append(Step(f"the fallthrough serves {variant!r}", holds=True))
                return served(flag, variant, Reason.DEFAULT if flag.rules else Reason.STATIC), met
            case serve:
                outcome, inner = self._serve(flag, serve, None)
                steps.append(Step("the fallthrough", isinstance(outcome, Evaluation), tuple(inner)))
                if isinstance(outcome, Evaluation):
                    return outcome, met
                met = _both(met, outcome)
        return served(flag, None, Reason.DEFAULT), met

    def _rule(self, flag: Flag, rule: Rule) -> tuple[_Found, Step]:
        """What the rule serves, the holdouts met before it, or nothing."""
        steps: list[Step] = []
        outcome = self._outcome(flag, rule, steps)
        name = f" ({rule.name})" if rule.name else ""
        return outcome, Step(f"rule {rule.id!r}{name}", isinstance(outcome, Evaluation), tuple(steps))

    def _outcome(self, flag: Flag, rule: Rule, steps: list[Step]) -> _Found:
        if not self._passes(self._schedule(rule.schedule), steps):
            return None
        if isinstance(rule.serve, Split) and rule.serve.sticky and assigned_in(rule.serve):
            is_settled, kept = self._assigned(flag, rule, rule.serve, rule.serve.sticky, steps)
            if is_settled:
                return kept
        for prerequisite in rule.prerequisites:
            if not self._passes(self._prerequisite(prerequisite), steps):
                return None
        if rule.condition is not None and not self._passes(self._condition(rule.condition, flag.key), steps):
            return None
        holdouts = [] if rule.held is None else holdouts_left_by(self._holdouts, rule.held)
        met, is_held = self._meeting(holdouts, steps)
        if is_held:
            return met
        outcome, inner = self._serve(flag, rule.serve, rule)
        steps.extend(inner)
        return _beyond(met, outcome)

    def _meeting(self, holdouts: Sequence[Holdout], steps: list[Step]) -> tuple[Met, bool]:
        """The holdouts that are met, and whether the last of them keeps the unit out."""
        met: list[MetHoldout] = []
        for holdout in holdouts:
            met.append(MetHoldout(holdout.id, self._is_held(holdout)))
            if met[-1].is_held:
                steps.append(Step(f"held out of experiments by {holdout.id!r}", holds=False))
                return Met(tuple(met)), True
        return Met(tuple(met)), False

    @staticmethod
    def _passes(step: Step | None, steps: list[Step]) -> bool:
        if step is None:
            return True
        steps.append(step)
        return step.holds is True

    def _schedule(self, schedule: Schedule | None) -> Step | None:
        if schedule is None:
            return None
        started = schedule.starts_at is None or schedule.starts_at <= self._now
        ended = schedule.ends_at is not None and self._now >= schedule.ends_at
        start = schedule.starts_at.isoformat() if schedule.starts_at else "ever"
        end = schedule.ends_at.isoformat() if schedule.ends_at else "ever"
        return Step(
            f"scheduled from {start} until {end}; it is {self._now.isoformat()}", started and not ended
        )

    def _assigned(
        self, flag: Flag, rule: Rule, split: Split, sticky: Sticky, steps: list[Step]
    ) -> tuple[bool, _Found]:
        met, _ = self._meeting(self._before(rule, split), [])
        held = self._values.get(ASSIGNMENTS) or {}
        assignments = held if isinstance(held, dict) else {}
        experiment = assigned_in(split) or ""
        for version in range(sticky.minimum):
            if assignment_key(experiment, version) in assignments:
                steps.append(Step(f"assigned under version {version}, before {sticky.minimum}", holds=False))
                return True, met if met.holdouts else None
        variant = assignments.get(assignment_key(experiment, sticky.version))
        if isinstance(variant, str) and any(each.variant == variant for each in split.ranges):
            steps.append(Step(f"assigned {variant!r} before, and keeps it", holds=True))
            answer = served(flag, variant, Reason.SPLIT, rule=rule, split=split, holdouts=met.holdouts)
            return True, answer
        return False, None

    def _before(self, rule: Rule, split: Split) -> list[Holdout]:
        if split.experiment is not None:
            return holdouts_of(self._holdouts, split.experiment)
        return [] if rule.held is None else holdouts_left_by(self._holdouts, rule.held)

    def _serve(self, flag: Flag, serve: Serve, rule: Rule | None) -> _Outcome:
        match serve:
            case ServeVariant(variant):
                answer = served(flag, variant, Reason.TARGETING_MATCH, rule=rule)
                return answer, [Step(f"serves {variant!r}", holds=True)]
            case Split():
                return self._split(flag, serve, rule)
            case JsonLogic():
                return self._logic(flag, serve, rule)
            case _:
                assert_never(serve)

    def _logic(self, flag: Flag, logic: JsonLogic, rule: Rule | None) -> _Outcome:
        result = compile_logic(logic, flag.key)(self._values, self._now)
        step = Step(f"the JsonLogic expression gives {result!r}", result is not None)
        if result is None:
            return None, [step]
        variant = variant_named(result)
        if variant not in {each.name for each in flag.variants}:
            return unserved_logic(flag), [step]
        return served(flag, variant, Reason.TARGETING_MATCH, rule=rule), [step]

    def _split(self, flag: Flag, split: Split, rule: Rule | None) -> _Outcome:
        place = self._place_of(split)
        if place is None:
            text = f"the split needs {_path(split.bucketing.unit)}, which is missing"
            answer = without_unit(flag, split, rule)
            return answer, [Step(text, answer is not None)]
        holdouts = [] if split.experiment is None else holdouts_of(self._holdouts, split.experiment)
        steps: list[Step] = []
        met, is_held = self._meeting(holdouts, steps)
        if is_held:
            return met, steps
        outcome, inner = self._placed(flag, split, rule, place)
        return _beyond(met, outcome), inner

    def _placed(self, flag: Flag, split: Split, rule: Rule | None, place: float) -> _Outcome:
        layer = self._layer(split)
        if layer is not None and not layer.holds:
            return None, [layer]
        steps = [*([layer] if layer else [])]
        variant = _variant_at(split, place)
        where = f"bucket {place} of {_path(split.bucketing.unit)} by '{split.bucketing.bucketer}'"
        if split.windows is not None:
            where = f"{where} in window {window_at(split.windows, self._now)}"
        if variant is None:
            return None, [*steps, Step(f"{where} lies in no variant's range", holds=False)]
        answer = served(flag, variant, Reason.SPLIT, rule=rule, split=split)
        return answer, [*steps, Step(f"{where} lies in the range of {variant!r}", holds=True)]

    def _place_of(self, split: Split) -> float | None:
        if split.windows is None:
            return self._place(split.bucketing)
        unit = read(split.bucketing.unit, self._values)
        return placed_by(split.bucketing, split.windows)(unit, self._now)

    def _place(self, bucketing: Bucketing) -> float | None:
        return prepare_bucket(bucketing)(read(bucketing.unit, self._values))

    def _is_held(self, holdout: Holdout) -> bool:
        place = self._place(holdout.bucketing)
        return place is not None and is_within(place, (holdout.range,))

    def _layer(self, split: Split) -> Step | None:
        if split.layer is None:
            return None
        layer = self._layers[split.layer]
        place = self._place(layer.bucketing)
        inside = place is not None and any(
            each.low <= place < each.high for each in slices_of(split.experiment, layer)
        )
        return Step(f"bucket {place} of layer {layer.id!r} is the experiment's", inside)

    def _condition(self, condition: Condition, flag_key: str) -> Step:
        match condition:
            case Clause():
                return self._clause(condition)
            case AllOf():
                parts = tuple(self._condition(part, flag_key) for part in condition.conditions)
                return Step("all of", _all(parts), parts)
            case AnyOf():
                parts = tuple(self._condition(part, flag_key) for part in condition.conditions)
                return Step("any of", _any(parts), parts)
            case Not():
                part = self._condition(condition.condition, flag_key)
                return Step("not", None if part.holds is None else not part.holds, (part,))
            case InSegment():
                return self._segment(self._segments[condition.segment])
            case _:
                return self._test(condition, flag_key)

    def _test(self, condition: InBucket | Prerequisite | JsonLogic, flag_key: str) -> Step:
        match condition:
            case InBucket():
                place = self._place(condition.bucketing)
                ranges = ", ".join(_range(each) for each in condition.ranges)
                text = f"bucket {place} of {_path(condition.bucketing.unit)} in {ranges}"
                return Step(text, None if place is None else is_within(place, condition.ranges))
            case Prerequisite():
                return self._prerequisite(condition)
            case JsonLogic():
                result = compile_logic(condition, flag_key)(self._values, self._now)
                return Step(f"the JsonLogic expression gives {result!r}", is_truthy(result))
            case _:
                assert_never(condition)

    def _clause(self, clause: Clause) -> Step:
        value = read(clause.attribute, self._values)
        verdict = prepare(clause)(value)
        text = f"{_path(clause.attribute)} {_said(clause)}; it is {_shown(value)}"
        if verdict is None:
            holds = {Missing.UNKNOWN: None, Missing.FAILS: False, Missing.HOLDS: True}[clause.missing]
            return Step(text, holds)
        return Step(text, verdict is not clause.negate)

    def _segment(self, segment: Segment) -> Step:
        key = read(segment.unit, self._values)
        text = f"in segment {segment.id!r}"
        if isinstance(key, str) and key in segment.exclude:
            return Step(f"{text}: {key!r} is excluded", holds=False)
        if isinstance(key, str) and key in segment.include:
            return Step(f"{text}: {key!r} is included", holds=True)
        if segment.condition is None:
            return Step(text, holds=False)
        part = self._condition(segment.condition, "")
        return Step(text, part.holds is True, (part,))

    def _prerequisite(self, prerequisite: Prerequisite) -> Step:
        flag = self._flags[prerequisite.flag]
        told = self.flag(flag)
        holds = flag.enabled and told.evaluation.variant in prerequisite.variants
        wanted = " or ".join(map(repr, prerequisite.variants))
        return Step(
            f"flag {flag.key!r} serves {wanted}; it serves {told.evaluation.variant!r}", holds, told.steps
        )


def _both(first: Met, then: Met | None) -> Met:
    return first if then is None else Met(joined(first.holdouts, then.holdouts))


def _beyond(met: Met, outcome: _Found) -> _Found:
    """What a rule serves to a unit that holdouts let pass."""
    if not met.holdouts:
        return outcome
    return met if outcome is None else replace(outcome, holdouts=met.holdouts)


def _variant_at(split: Split, place: float) -> str | None:
    return next(
        (
            each.variant
            for each in split.ranges
            if is_within(place, (Range(each.low, each.high, each.bounds),))
        ),
        None,
    )


def _all(parts: Sequence[Step]) -> bool | None:
    if any(part.holds is False for part in parts):
        return False
    return None if any(part.holds is None for part in parts) else True


def _any(parts: Sequence[Step]) -> bool | None:
    if any(part.holds for part in parts):
        return True
    return None if any(part.holds is None for part in parts) else False


def _path(path: AttributePath) -> str:
    return ".".join(path)


def _range(each: Range) -> str:
    return f"[{each.low}, {each.high}{']' if each.bounds == 'closed' else ')'}"


def _said(clause: Clause) -> str:
    values = ", ".join(map(repr, clause.values[:5])) + (", …" if len(clause.values) > 5 else "")  # noqa: PLR2004
    return f"{'not ' if clause.negate else ''}{clause.operator}{' ' if values else ''}{values}"


def _shown(value: AttributeValue) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 — a line of text
