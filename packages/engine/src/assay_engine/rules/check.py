"""The check when saving: after it, evaluation cannot meet a malformed rule.

Structure and limits are the datafile parser's; this looks at meaning: values against types, references,
cycles, ranges, patterns, rules that nothing reaches.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise

from assay_engine.bucketing import BUCKETERS, Bucketer
from assay_engine.context import TARGETING_KEY
from assay_engine.fields import DatafileError
from assay_engine.model import (
    AllOf,
    AnyOf,
    BucketerName,
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
    Windows,
)
from assay_engine.parsing import ruleset_from_json
from assay_engine.rules.answers import assigned_in
from assay_engine.rules.jsonlogic import UnknownLogic, compile_logic
from assay_engine.rules.operators import fault
from assay_engine.values import fits, is_unicode
from assay_engine.writing import ruleset_to_json

DEEPEST_CHAIN = 10
MOST_EFFORT = 1_000
_EARLIEST_ANCHOR, _LATEST_ANCHOR = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


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
    return _Check(ruleset).problems()


class _Check:
    """One pass over a ruleset with what it may refer to at hand.

    Nearly everything is right in nearly every ruleset: the place is kept as the things themselves, and put
    into words when a problem is found.
    """

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._flags = {flag.key: flag for flag in ruleset.flags}
        self._segments = {segment.id: segment for segment in ruleset.segments}
        self._layers = {layer.id: layer for layer in ruleset.layers}
        self._variants: frozenset[str] = frozenset()
        self._owner: Flag | Segment = Segment("")
        self._part: Rule | str = ""
        self._found: list[Problem] = []
        # Clauses that many rules share are looked at once; by identity, as the ruleset keeps them alive.
        self._sound: set[int] = set()
        # What a flag or segment needs evaluated, once for each time it does.
        self._uses: dict[str, list[str]] = {}

    def problems(self) -> tuple[Problem, ...]:
        ruleset, found = self._ruleset, self._found
        found.extend(_repeated("flag", [flag.key for flag in ruleset.flags]))
        found.extend(_repeated("segment", [segment.id for segment in ruleset.segments]))
        found.extend(_repeated("layer", [layer.id for layer in ruleset.layers]))
        found.extend(_repeated("holdout", [holdout.id for holdout in ruleset.holdouts]))
        for flag in ruleset.flags:
            self._flag(flag)
        for segment in ruleset.segments:
            self._segment(segment)
        for layer in ruleset.layers:
            found.extend(_layer(layer))
        for holdout in ruleset.holdouts:
            found.extend(_holdout(holdout))
        found.extend(_cycles_and_depths(self._uses))
        return tuple(found)

    def _refuse(self, message: str) -> None:
        self._found.append(Problem(_place(self._owner, self._part), message))

    def _refuse_for(self, messages: Iterable[str]) -> None:
        for message in messages:
            self._refuse(message)

    def _flag(self, flag: Flag) -> None:
        self._owner, self._part = flag, ""
        self._variants = frozenset([variant.name for variant in flag.variants])
        if len(self._variants) < len(flag.variants):
            self._found.extend(
                _repeated("variant", [variant.name for variant in flag.variants], _place(flag))
            )
        if len(flag.rules) > 1:
            self._found.extend(_repeated("rule", [rule.id for rule in flag.rules], _place(flag)))
        if not flag.variants:
            self._refuse("it has no variants")
        for variant in flag.variants:
            if not fits(flag.type, variant.value):
                self._refuse(f"variant {variant.name!r}: {variant.value!r} is no {flag.type} value")
        if flag.off is not None:
            self._variant(flag.off)
        for rule in flag.rules:
            self._part = rule
            self._rule(rule)
        self._part = "fallthrough"
        if flag.fallthrough is not None:
            self._serve(flag.fallthrough)

    def _rule(self, rule: Rule) -> None:
        if rule.schedule:
            self._refuse_for(_schedule(rule.schedule))
        for prerequisite in rule.prerequisites:
            self._prerequisite(prerequisite)
        if rule.condition is not None:
            self._condition(rule.condition)
        if rule.held is not None and isinstance(rule.serve, Split) and rule.serve.experiment is not None:
            self._refuse("`held` is for what an experiment has left behind; this split runs one")
        self._serve(rule.serve)

    def _variant(self, name: str) -> None:
        if name not in self._variants:
            self._refuse(_without_variant(self._owner, name))

    def _serve(self, serve: Serve) -> None:
        match serve:
            case ServeVariant():
                self._variant(serve.variant)
            case JsonLogic():
                self._refuse_for(_logic(serve))
            case Split():
                self._split(serve)

    def _split(self, split: Split) -> None:
        for each in split.ranges:
            if each.variant is not None:
                self._variant(each.variant)
        self._refuse_for(_bucketing(split.bucketing))
        self._refuse_for(_covers(split))
        if split.sticky and assigned_in(split) is None:
            self._refuse("a sticky split needs an experiment under whose name assignments are kept")
        if split.sticky and split.sticky.minimum > split.sticky.version:
            self._refuse(f"sticky minimum {split.sticky.minimum} is above the version {split.sticky.version}")
        if split.windows is not None:
            self._refuse_for(_windows(split, split.windows))
        if split.missing_unit is MissingUnit.FIRST and not any(each.variant for each in split.ranges):
            self._refuse("missing_unit 'first' needs a range with a variant")
        if split.layer is not None:
            self._layer_of(split)

    def _layer_of(self, split: Split) -> None:
        layer = self._layers.get(split.layer or "")
        if layer is None:
            self._refuse(f"no layer {split.layer!r} in this ruleset")
        elif split.experiment is None or split.experiment not in {each.experiment for each in layer.slices}:
            self._refuse(f"layer {layer.id!r} has no slice for experiment {split.experiment!r}")

    def _prerequisite(self, prerequisite: Prerequisite) -> None:
        flag = self._flags.get(prerequisite.flag)
        if flag is None:
            self._refuse(f"no flag {prerequisite.flag!r} in this ruleset to be a prerequisite")
            return
        self._use(flag)
        if not prerequisite.variants:
            self._refuse(f"the prerequisite on flag {flag.key!r} names no variant")
        names = {variant.name for variant in flag.variants}
        for variant in prerequisite.variants:
            if variant not in names:
                self._refuse(_without_variant(flag, variant))

    def _condition(self, condition: Condition) -> None:
        match condition:
            case Clause():
                self._clause(condition)
            case AllOf() | AnyOf():
                for part in condition.conditions:
                    self._condition(part)
            case Not():
                self._condition(condition.condition)
            case InSegment():
                self._in_segment(condition)
            case InBucket():
                self._refuse_for(_in_bucket(condition))
            case Prerequisite():
                self._prerequisite(condition)
            case JsonLogic():
                self._refuse_for(_logic(condition))

    def _clause(self, clause: Clause) -> None:
        if id(clause) in self._sound:
            return
        if message := fault(clause):
            self._refuse(f"attribute {'.'.join(clause.attribute)!r}: {message}")
        else:
            self._sound.add(id(clause))

    def _in_segment(self, condition: InSegment) -> None:
        segment = self._segments.get(condition.segment)
        if segment is None:
            self._refuse(f"no segment {condition.segment!r} in this ruleset")
        else:
            self._use(segment)

    def _segment(self, segment: Segment) -> None:
        self._owner, self._part = segment, ""
        both = sorted(segment.include & segment.exclude)
        if both:
            self._refuse(f"{both[0]!r} is both included and excluded")
        if segment.condition is not None:
            self._condition(segment.condition)

    def _use(self, used: Flag | Segment) -> None:
        self._uses.setdefault(_place(self._owner), []).append(_place(used))
        self._uses.setdefault(_place(used), [])


def _place(owner: Flag | Segment, part: Rule | str = "") -> str:
    where = f"flag {owner.key!r}" if isinstance(owner, Flag) else f"segment {owner.id!r}"
    if isinstance(part, Rule):
        return f"{where}, rule {part.id!r}"
    return f"{where}, {part}" if part else where


def _without_variant(flag: Flag | Segment, name: str) -> str:
    return f"{_place(flag)} has no variant {name!r}"


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


def _schedule(schedule: Schedule) -> Iterator[str]:
    for moment in (schedule.starts_at, schedule.ends_at):
        if moment is not None and moment.utcoffset() is None:
            yield f"the schedule's {moment.isoformat()} has no offset from UTC"
            return
    if schedule.starts_at and schedule.ends_at and schedule.ends_at <= schedule.starts_at:
        yield (
            f"the schedule ends at {schedule.ends_at.isoformat()}, not after its start "
            f"at {schedule.starts_at.isoformat()}"
        )


def _logic(logic: JsonLogic) -> Iterator[str]:
    try:
        compile_logic(logic, "")
    except UnknownLogic as error:
        yield str(error)


def _bucketing(bucketing: Bucketing) -> Iterator[str]:
    if bucketing.total < 1:
        yield f"the total {bucketing.total} is not positive"
    if not is_unicode(bucketing.salt):
        yield f"the salt {bucketing.salt!r} is not Unicode text"


def _windows(split: Split, windows: Windows) -> Iterator[str]:
    if split.bucketing.bucketer is not BucketerName.XD:
        yield f"windows of time need the bucketer 'xd', not '{split.bucketing.bucketer}'"
    if windows.block > split.bucketing.total:
        yield f"a block of {windows.block} windows does not fit on a line of {split.bucketing.total}"
    if not _EARLIEST_ANCHOR <= windows.anchor <= _LATEST_ANCHOR:
        yield f"the windows' anchor {windows.anchor.isoformat()} lies outside 1970 to 2200"
    if split.sticky is not None:
        yield "a split is sticky or changes with windows of time, not both"


def _covers(split: Split) -> Iterator[str]:
    """Ranges must begin where the line does, touch one another, and reach its end."""
    if not split.ranges:
        yield "the split has no ranges"
        return
    bucketer = BUCKETERS[split.bucketing.bucketer]
    if split.ranges[0].low != bucketer.lowest:
        yield f"the ranges begin at {split.ranges[0].low}, not at {bucketer.lowest}"
    for earlier, later in pairwise(split.ranges):
        if later.low != earlier.high:
            what = "leave a gap" if later.low > earlier.high else "overlap"
            low, high = sorted((earlier.high, later.low))
            yield f"the ranges {what} between {low} and {high}"
    for each in split.ranges:
        yield from _ends(each.low, each.high, bucketer)
    end, highest = split.ranges[-1].high, bucketer.highest(split.bucketing.total)
    if end < highest or (bucketer.is_integer and end > highest):
        yield f"the ranges end at {end}, not at {highest}"


def _in_bucket(condition: InBucket) -> Iterator[str]:
    yield from _bucketing(condition.bucketing)
    for each in condition.ranges:
        yield from _ends(each.low, each.high, BUCKETERS[condition.bucketing.bucketer])


def _ends(low: float, high: float, bucketer: Bucketer) -> Iterator[str]:
    if high < low:
        yield f"the range from {low} to {high} runs backwards"
    for end in (low, high):
        if bucketer.is_integer and type(end) is not int:
            yield f"{end!r} bounds a range, but the bucketer counts in whole numbers"


def _layer(layer: Layer) -> Iterator[Problem]:
    where = f"layer {layer.id!r}"
    bucketer = BUCKETERS[layer.bucketing.bucketer]
    yield from (Problem(where, message) for message in _bucketing(layer.bucketing))
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
    ends = _ends(holdout.range.low, holdout.range.high, BUCKETERS[holdout.bucketing.bucketer])
    yield from (Problem(where, message) for message in (*_bucketing(holdout.bucketing), *ends))


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
    if rule.schedule or rule.prerequisites or rule.held is not None:
        return False
    if isinstance(rule.serve, Split):
        everyone = all(each.variant is not None for each in rule.serve.ranges)
        standard = rule.serve.missing_unit is MissingUnit.STANDARD and rule.serve.bucketing.unit == (
            TARGETING_KEY,
        )
        return everyone and standard and rule.serve.layer is None and rule.serve.experiment is None
    return isinstance(rule.serve, ServeVariant)
