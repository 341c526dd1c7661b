"""The check when saving: after it, evaluation cannot meet a malformed rule.

Structure and limits are the datafile parser's; this looks at meaning: values against types, references,
cycles, ranges, patterns, rules that nothing reaches.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from assay_engine.bucketing import BUCKETERS, Bucketer
from assay_engine.context import TARGETING_KEY
from assay_engine.fields import DatafileError
from assay_engine.model import (
    AllOf,
    AnyOf,
    Bucketing,
    Clause,
    Condition,
    Flag,
    Holdout,
    InBucket,
    InSegment,
    JsonLogic,
    Layer,
    MissingUnit,
    Not,
    Prerequisite,
    Rule,
    Ruleset,
    Schedule,
    Segment,
    Serve,
    ServeVariant,
    Split,
)
from assay_engine.parsing import ruleset_from_json
from assay_engine.rules.jsonlogic import UnknownLogic, compile_logic
from assay_engine.rules.operators import fault
from assay_engine.values import fits, is_unicode
from assay_engine.writing import ruleset_to_json

DEEPEST_CHAIN = 10
MOST_EFFORT = 1_000


class Severity(StrEnum):
    """Whether a problem keeps a ruleset from being saved."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and where, as `flag 'new_form', rule 'beta'`."""

    where: str
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class InvalidRuleset(ValueError):
    """A ruleset that fails the check; `problems` holds every error."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, problems)))


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that keep a ruleset from being saved."""
    return tuple(problem for problem in problems if problem.severity is Severity.ERROR)


def check(ruleset: Ruleset) -> tuple[Problem, ...]:
    """Everything wrong with a ruleset, errors first; warnings do not keep it from being saved.

    A ruleset that the datafile could not carry has that one problem.
    """
    try:
        parsed = ruleset_from_json(ruleset_to_json(ruleset))
    except DatafileError as error:
        return (Problem(".".join(error.path) or "ruleset", error.message),)
    except RecursionError:
        return (Problem("ruleset", "its conditions are nested too deeply"),)
    warnings = (each for flag in parsed.flags for each in _unreachable(f"flag {flag.key!r}", flag.rules))
    return (*check_meaning(parsed), *warnings)


def check_meaning(ruleset: Ruleset) -> tuple[Problem, ...]:
    """The errors of a ruleset that came from a datafile, whose structure is therefore right."""
    return tuple(_Check(ruleset).problems())


class _Check:
    """One pass over a ruleset with what it may refer to at hand."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._flags = {flag.key: flag for flag in ruleset.flags}
        self._segments = {segment.id: segment for segment in ruleset.segments}
        self._layers = {layer.id: layer for layer in ruleset.layers}
        self._variants = {flag.key: {variant.name for variant in flag.variants} for flag in ruleset.flags}

    def problems(self) -> Iterator[Problem]:
        ruleset = self._ruleset
        yield from _repeated("flag", [flag.key for flag in ruleset.flags])
        yield from _repeated("segment", [segment.id for segment in ruleset.segments])
        yield from _repeated("layer", [layer.id for layer in ruleset.layers])
        yield from _repeated("holdout", [holdout.id for holdout in ruleset.holdouts])
        for flag in ruleset.flags:
            yield from self._flag(flag)
        for segment in ruleset.segments:
            yield from self._segment(segment)
        for layer in ruleset.layers:
            yield from _layer(layer)
        for holdout in ruleset.holdouts:
            yield from _holdout(holdout)
        yield from _cycles_and_depths(self._graph())

    def _flag(self, flag: Flag) -> Iterator[Problem]:
        where = f"flag {flag.key!r}"
        yield from _repeated("variant", [variant.name for variant in flag.variants], where)
        yield from _repeated("rule", [rule.id for rule in flag.rules], where)
        if not flag.variants:
            yield Problem(where, "it has no variants")
        for variant in flag.variants:
            if not fits(flag.type, variant.value):
                yield Problem(where, f"variant {variant.name!r}: {variant.value!r} is no {flag.type} value")
        if flag.off is not None:
            yield from self._variant(where, flag, flag.off)
        for rule in flag.rules:
            yield from self._rule(f"{where}, rule {rule.id!r}", flag, rule)
        if flag.fallthrough is not None:
            yield from self._serve(f"{where}, fallthrough", flag, flag.fallthrough)

    def _rule(self, where: str, flag: Flag, rule: Rule) -> Iterator[Problem]:
        if rule.schedule:
            yield from _schedule(where, rule.schedule)
        for prerequisite in rule.prerequisites:
            yield from self._prerequisite(where, prerequisite)
        if rule.condition is not None:
            yield from self._condition(where, rule.condition)
        yield from self._serve(where, flag, rule.serve)

    def _variant(self, where: str, flag: Flag, name: str) -> Iterator[Problem]:
        if name not in self._variants[flag.key]:
            yield Problem(where, f"flag {flag.key!r} has no variant {name!r}")

    def _serve(self, where: str, flag: Flag, serve: Serve) -> Iterator[Problem]:
        match serve:
            case ServeVariant(variant):
                yield from self._variant(where, flag, variant)
            case JsonLogic():
                yield from _logic(where, serve)
            case Split():
                yield from self._split(where, flag, serve)

    def _split(self, where: str, flag: Flag, split: Split) -> Iterator[Problem]:
        for each in split.ranges:
            if each.variant is not None:
                yield from self._variant(where, flag, each.variant)
        yield from _bucketing(where, split.bucketing)
        yield from _covers(where, split)
        if split.sticky and split.experiment is None:
            yield Problem(where, "a sticky split needs an experiment under whose name assignments are kept")
        if split.sticky and split.sticky.minimum > split.sticky.version:
            yield Problem(
                where, f"sticky minimum {split.sticky.minimum} is above the version {split.sticky.version}"
            )
        if split.missing_unit is MissingUnit.FIRST and not any(each.variant for each in split.ranges):
            yield Problem(where, "missing_unit 'first' needs a range with a variant")
        if split.layer is not None:
            yield from self._layer_of(where, split)

    def _layer_of(self, where: str, split: Split) -> Iterator[Problem]:
        layer = self._layers.get(split.layer or "")
        if layer is None:
            yield Problem(where, f"no layer {split.layer!r} in this ruleset")
        elif split.experiment is None or split.experiment not in {each.experiment for each in layer.slices}:
            yield Problem(where, f"layer {layer.id!r} has no slice for experiment {split.experiment!r}")

    def _prerequisite(self, where: str, prerequisite: Prerequisite) -> Iterator[Problem]:
        flag = self._flags.get(prerequisite.flag)
        if flag is None:
            yield Problem(where, f"no flag {prerequisite.flag!r} in this ruleset to be a prerequisite")
            return
        if not prerequisite.variants:
            yield Problem(where, f"the prerequisite on flag {flag.key!r} names no variant")
        for variant in prerequisite.variants:
            yield from self._variant(where, flag, variant)

    def _condition(self, where: str, condition: Condition) -> Iterator[Problem]:
        match condition:
            case Clause():
                yield from _clause(where, condition)
            case AllOf() | AnyOf():
                for part in condition.conditions:
                    yield from self._condition(where, part)
            case Not():
                yield from self._condition(where, condition.condition)
            case InSegment():
                yield from self._in_segment(where, condition)
            case InBucket():
                yield from _in_bucket(where, condition)
            case Prerequisite():
                yield from self._prerequisite(where, condition)
            case JsonLogic():
                yield from _logic(where, condition)

    def _in_segment(self, where: str, condition: InSegment) -> Iterator[Problem]:
        if condition.segment not in self._segments:
            yield Problem(where, f"no segment {condition.segment!r} in this ruleset")

    def _segment(self, segment: Segment) -> Iterator[Problem]:
        where = f"segment {segment.id!r}"
        both = sorted(segment.include & segment.exclude)
        if both:
            yield Problem(where, f"{both[0]!r} is both included and excluded")
        if segment.condition is not None:
            yield from self._condition(where, segment.condition)

    def _graph(self) -> dict[str, list[str]]:
        """What each flag and segment needs evaluated, once for each time it does."""
        flags = {f"flag {flag.key!r}": list(_used_by_flag(flag)) for flag in self._ruleset.flags}
        segments = {
            f"segment {segment.id!r}": list(_used_in(segment.condition)) for segment in self._ruleset.segments
        }
        return flags | segments


def _used_by_flag(flag: Flag) -> Iterator[str]:
    for rule in flag.rules:
        yield from (f"flag {each.flag!r}" for each in rule.prerequisites)
        yield from _used_in(rule.condition)


def _used_in(condition: Condition | None) -> Iterator[str]:
    for part in _walk(condition) if condition is not None else ():
        if isinstance(part, Prerequisite):
            yield f"flag {part.flag!r}"
        elif isinstance(part, InSegment):
            yield f"segment {part.segment!r}"


def _walk(condition: Condition) -> Iterator[Condition]:
    yield condition
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.conditions:
            yield from _walk(part)
    elif isinstance(condition, Not):
        yield from _walk(condition.condition)


def _repeated(kind: str, keys: Sequence[str], inside: str = "") -> Iterator[Problem]:
    if len(set(keys)) == len(keys):
        return
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            yield Problem(f"{inside}{', ' if inside else ''}{kind} {key!r}", "it is there twice")
        seen.add(key)


def _cycles_and_depths(uses: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Things that lead back to themselves, or that need too many others evaluated.

    Without recursion, since a chain may be as long as the ruleset.
    """
    depth: dict[str, int] = {}
    effort: dict[str, int] = {}
    for start in uses:
        if not uses[start]:
            depth[start] = effort[start] = 1
        if start in depth:
            continue
        path = {start: iter(uses[start])}
        while path:
            current = next(reversed(path))
            following = next(path[current], None)
            if following is None:
                known = [used for used in uses[current] if used in depth]
                depth[current] = 1 + max((depth[used] for used in known), default=0)
                effort[current] = 1 + sum(effort[used] for used in known)
                yield from _too_deep(current, depth[current], effort[current])
                del path[current]
            elif following in path:
                names = list(path)
                cycle = [*names[names.index(following) :], following]
                yield Problem(following, f"it leads back to itself: {' → '.join(cycle)}")
            elif following in uses and following not in depth:
                path[following] = iter(uses[following])


def _too_deep(where: str, depth: int, effort: int) -> Iterator[Problem]:
    if depth == DEEPEST_CHAIN + 1:
        yield Problem(where, f"its prerequisites and segments are more than {DEEPEST_CHAIN} deep")
    elif depth <= DEEPEST_CHAIN and effort > MOST_EFFORT:
        yield Problem(where, f"it needs {effort} evaluations of others; at most {MOST_EFFORT} are allowed")


def _schedule(where: str, schedule: Schedule) -> Iterator[Problem]:
    for moment in (schedule.starts_at, schedule.ends_at):
        if moment is not None and moment.utcoffset() is None:
            yield Problem(where, f"the schedule's {moment.isoformat()} has no offset from UTC")
            return
    if schedule.starts_at and schedule.ends_at and schedule.ends_at <= schedule.starts_at:
        yield Problem(
            where,
            f"the schedule ends at {schedule.ends_at.isoformat()}, not after its start "
            f"at {schedule.starts_at.isoformat()}",
        )


def _clause(where: str, clause: Clause) -> Iterator[Problem]:
    message = fault(clause)
    if message:
        yield Problem(where, f"attribute {'.'.join(clause.attribute)!r}: {message}")


def _logic(where: str, logic: JsonLogic) -> Iterator[Problem]:
    try:
        compile_logic(logic, "")
    except UnknownLogic as error:
        yield Problem(where, str(error))


def _bucketing(where: str, bucketing: Bucketing) -> Iterator[Problem]:
    if bucketing.total < 1:
        yield Problem(where, f"the total {bucketing.total} is not positive")
    if not is_unicode(bucketing.salt):
        yield Problem(where, f"the salt {bucketing.salt!r} is not Unicode text")


def _covers(where: str, split: Split) -> Iterator[Problem]:
    """Ranges must begin where the line does, touch one another, and reach its end."""
    if not split.ranges:
        yield Problem(where, "the split has no ranges")
        return
    bucketer = BUCKETERS[split.bucketing.bucketer]
    if split.ranges[0].low != bucketer.lowest:
        yield Problem(where, f"the ranges begin at {split.ranges[0].low}, not at {bucketer.lowest}")
    for earlier, later in pairwise(split.ranges):
        if later.low != earlier.high:
            what = "leave a gap" if later.low > earlier.high else "overlap"
            low, high = sorted((earlier.high, later.low))
            yield Problem(where, f"the ranges {what} between {low} and {high}")
    for each in split.ranges:
        yield from _ends(where, each.low, each.high, bucketer)
    end, highest = split.ranges[-1].high, bucketer.highest(split.bucketing.total)
    if end < highest or (bucketer.is_integer and end > highest):
        yield Problem(where, f"the ranges end at {end}, not at {highest}")


def _in_bucket(where: str, condition: InBucket) -> Iterator[Problem]:
    yield from _bucketing(where, condition.bucketing)
    for each in condition.ranges:
        yield from _ends(where, each.low, each.high, BUCKETERS[condition.bucketing.bucketer])


def _ends(where: str, low: float, high: float, bucketer: Bucketer) -> Iterator[Problem]:
    if high < low:
        yield Problem(where, f"the range from {low} to {high} runs backwards")
    for end in (low, high):
        if bucketer.is_integer and type(end) is not int:
            yield Problem(where, f"{end!r} bounds a range, but the bucketer counts in whole numbers")


def _layer(layer: Layer) -> Iterator[Problem]:
    where = f"layer {layer.id!r}"
    bucketer = BUCKETERS[layer.bucketing.bucketer]
    yield from _bucketing(where, layer.bucketing)
    if not bucketer.is_integer:
        yield Problem(where, f"the bucketer '{layer.bucketing.bucketer}' does not count in whole numbers")
    highest = bucketer.highest(layer.bucketing.total)
    for each in layer.slices:
        if not bucketer.lowest <= each.low <= each.high <= highest:
            yield Problem(
                where,
                f"the slice of {each.experiment!r} from {each.low} to {each.high} "
                f"leaves the line from {bucketer.lowest} to {highest}",
            )
    for earlier, later in pairwise(sorted(layer.slices, key=lambda each: (each.low, each.high))):
        if later.low < earlier.high:
            yield Problem(
                where,
                f"the slices of {earlier.experiment!r} and {later.experiment!r} "
                f"overlap between {later.low} and {min(earlier.high, later.high)}",
            )


def _holdout(holdout: Holdout) -> Iterator[Problem]:
    where = f"holdout {holdout.id!r}"
    yield from _bucketing(where, holdout.bucketing)
    yield from _ends(where, holdout.range.low, holdout.range.high, BUCKETERS[holdout.bucketing.bucketer])


def _unreachable(where: str, rules: Sequence[Rule]) -> Iterator[Problem]:
    """Warnings only: people put a rule for everyone on top for a while, and mean to take it away again."""
    seen: list[Condition] = []
    for at, rule in enumerate(rules):
        earlier = rule.condition is not None and any(rule.condition == each for each in seen)
        if earlier:
            message = "an earlier rule with the same condition serves everyone whom this one could"
            yield Problem(f"{where}, rule {rule.id!r}", message, Severity.WARNING)
        if _takes_all_it_matches(rule):
            if rule.condition is None:
                for later in rules[at + 1 :]:
                    message = f"nothing reaches it: rule {rule.id!r} serves everyone"
                    yield Problem(f"{where}, rule {later.id!r}", message, Severity.WARNING)
                return
            seen.append(rule.condition)


def _takes_all_it_matches(rule: Rule) -> bool:
    if rule.schedule or rule.prerequisites:
        return False
    if isinstance(rule.serve, Split):
        everyone = all(each.variant is not None for each in rule.serve.ranges)
        standard = rule.serve.missing_unit is MissingUnit.STANDARD and rule.serve.bucketing.unit == (
            TARGETING_KEY,
        )
        return everyone and standard and rule.serve.layer is None and rule.serve.experiment is None
    return isinstance(rule.serve, ServeVariant)
