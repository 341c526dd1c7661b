"""Random rulesets and contexts for property tests: valid, varied, and often at the edge."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar, cast

from assay_engine.context import TARGETING_KEY, Context
from assay_engine.model import (
    AllOf,
    AnyOf,
    Bounds,
    BucketerName,
    Bucketing,
    Clause,
    Condition,
    Flag,
    Held,
    Holdout,
    InBucket,
    InSegment,
    JsonLogic,
    Layer,
    LayerSlice,
    Missing,
    MissingUnit,
    Not,
    Operator,
    Prerequisite,
    Range,
    Rule,
    Ruleset,
    Schedule,
    Segment,
    Serve,
    ServeVariant,
    Split,
    SplitRange,
    Sticky,
    Variant,
    Windows,
)
from assay_engine.rules.answers import assignment_key
from assay_engine.values import AttributeValue, FlagType, JsonValue, Scalar, is_array, is_object

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)

_TEXTS = ("", "a", "A", "pro", "free", "ß", "user@acme.com", "1.2.0", "v2", "10.0.0.1", "2026-01-15")
_NUMBERS = (0, 1, -1, 18, 2.5, 1e300, 2**60, -0.0)
_HOLDOUTS = ("h1", "h2", "h3")
_VERSIONS = ("1.0.0", "1.2", "v2.0.0-rc.1", "2.0.0", "1.2.0+build")
_MOMENTS = ("2026-01-01", "2026-01-15T08:00:00Z", "2026-01-15T08:00:00+02:00")
_NETWORKS = ("10.0.0.0/8", "192.168.1.7/32", "2001:db8::/32", "0.0.0.0/0")
_PATTERNS = ("^a", "o$", "^[a-z]+@[a-z]+\\.com$", "pro|free", "\\d{1,3}")
_REPLACEMENTS: tuple[Any, ...] = (
    None, "", "x", "..", -1, 1.5, 2**40, True, [], {}, [1], {"x": 1}, "é" * 200,
)  # fmt: skip
_STRANGE: tuple[AttributeValue, ...] = (
    None,
    True,
    False,
    float("nan"),
    float("inf"),
    10**400,
    [],
    ["a", "pro", 1],
    {},
    {"city": "a", "deep": {"er": 1}},
    "\ud800",
    "::ffff:10.0.0.1",
    "2001:db8::1",
    START,
    "x" * 600,
)
_ATTRIBUTES = ("plan", "age", "email", "tags", "address", TARGETING_KEY)
_PATHS = (
    *((name,) for name in _ATTRIBUTES),
    ("address", "city"),
    ("address", "deep", "er"),
    ("plan", "x"),
)
_LOGIC: tuple[JsonValue, ...] = (
    {"var": "plan"},
    {"in": [{"var": "plan"}, ["pro", "a"]]},
    {"if": [{"<": [{"var": "age"}, 18]}, "on", None]},
    {"fractional": [["on", 50], ["off", 50]]},
    {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": TARGETING_KEY}]}, ["on"], ["off", 2]]},
    {"sem_ver": [{"var": "email"}, ">=", "1.0.0"]},
    {"some": [{"var": "tags"}, {"==": [{"var": ""}, "pro"]}]},
    {"reduce": [{"var": "tags"}, {"cat": [{"var": "accumulator"}, {"var": "current"}]}, ""]},
    {">": [{"var": "$flagd.timestamp"}, 1768000000]},
    "on",
    True,
)
_VALUES: dict[FlagType, tuple[JsonValue, ...]] = {
    FlagType.BOOLEAN: (True, False, True),
    FlagType.STRING: ("x", "", "é"),
    FlagType.INTEGER: (0, -5, 2**53 - 1),
    FlagType.FLOAT: (0.0, 1.0, -2.5),
    FlagType.JSON: ({}, {"a": [1, None]}, [True]),
}
_SHARES = {
    BucketerName.FLAGSMITH: 100.0,
    BucketerName.FLAGD_1: 100.0,
    BucketerName.GROWTHBOOK_1: 1.0,
    BucketerName.GROWTHBOOK_2: 1.0,
    BucketerName.LAUNCHDARKLY: 1.0,
    BucketerName.POSTHOG: 1.0,
    BucketerName.POSTHOG_VARIANT: 1.0,
}


def random_ruleset(rng: Random) -> Ruleset:
    """A ruleset that passes the check, of a few flags, segments, a layer and sometimes a holdout."""
    return _Maker(rng).ruleset()


def random_context(rng: Random) -> Context:
    """A context with some of the attributes rules ask for, some of a wrong type, some assigned before."""
    attributes = {name: _attribute(rng) for name in _ATTRIBUTES if rng.random() < 0.7}  # noqa: PLR2004 — most
    key = rng.choice([None, "", "u1", "u2", f"user-{rng.randrange(1000)}"])
    held = {assignment_key("exp1", rng.randrange(3)): rng.choice(["on", "off", "gone"])}
    return Context.of(key, attributes, assignments=held if rng.random() < 0.3 else None)  # noqa: PLR2004 — some


def random_moment(rng: Random) -> datetime:
    """A moment around those the schedules of random rulesets begin and end at."""
    return START + timedelta(days=rng.randrange(-2, 6), seconds=rng.choice([0, 1, 3599]))


def mutated_document(document: Any, rng: Random) -> Any:  # noqa: ANN401 — JSON
    """The JSON document with one thing in it removed, replaced or added."""
    path = rng.choice(list(_places(document)))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    kind = rng.randrange(3)
    if kind == 0:
        del holder[path[-1]]
    elif kind == 1:
        holder[path[-1]] = deepcopy(rng.choice(_REPLACEMENTS))
    elif is_object(holder):
        addable = cast("dict[str, object]", holder)
        addable[rng.choice(["extra", "key", "salt", "all", "values", "total"])] = rng.choice([1, "a", {}, []])
    return document


def _places(document: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children: list[tuple[Any, object]] = []
    if is_object(document):
        children = list(document.items())
    elif is_array(document):
        children = list(enumerate(document))
    for key, item in children:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _attribute(rng: Random) -> AttributeValue:
    pool: Sequence[AttributeValue] = rng.choice([_TEXTS, _NUMBERS, _VERSIONS, _MOMENTS, _STRANGE, _STRANGE])
    return rng.choice(pool)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Draws the parts of one ruleset; each refers only to earlier ones, so that no cycle arises."""

    rng: Random

    def ruleset(self) -> Ruleset:
        segments: list[Segment] = []
        for at in range(self.rng.randrange(3)):
            segments.append(self._segment(f"s{at}", tuple(segments)))
        flags: list[Flag] = []
        for at in range(1 + self.rng.randrange(4)):
            flags.append(self._flag(f"f{at}", tuple(flags), tuple(segments)))
        layer = Layer(
            "layer", self._whole_bucketing(), (LayerSlice("exp1", 1, 40), LayerSlice("exp2", 40, 90))
        )
        return Ruleset(
            flags=tuple(flags),
            segments=tuple(segments),
            layers=(layer,),
            holdouts=self._holdouts(),
            environment="test",
            revision=self.rng.randrange(100),
        )

    def _flag(self, key: str, flags: Sequence[Flag], segments: Sequence[Segment]) -> Flag:
        flag_type = self.rng.choice(list(FlagType))
        variants = tuple(map(Variant, ("on", "off", "third"), _VALUES[flag_type]))
        count = self.rng.choice([0, 1, 1, 2, 3, 9])
        return Flag(
            key=key,
            type=flag_type,
            variants=variants,
            enabled=self.rng.random() < 0.9,  # noqa: PLR2004 — most
            rules=tuple(self._rule(f"r{at}", flags, segments) for at in range(count)),
            fallthrough=self._maybe(self._serve),
            off=self.rng.choice([None, "off"]),
            metadata=self.rng.choice([{}, {"owner": "me", "tier": 2}]),
        )

    def _rule(self, rule_id: str, flags: Sequence[Flag], segments: Sequence[Segment]) -> Rule:
        needs = self._some(lambda: self._prerequisite(flags), 2) if flags and self.rng.random() < 0.2 else ()  # noqa: PLR2004
        serve = self._serve()
        is_running = isinstance(serve, Split) and serve.experiment is not None
        return Rule(
            id=rule_id,
            serve=serve,
            name=self.rng.choice(["", "named"]),
            condition=self._maybe(lambda: self._condition(flags, segments, 3)),
            schedule=self._maybe(self._schedule) if self.rng.random() < 0.3 else None,  # noqa: PLR2004 — some
            prerequisites=needs,
            held=None if is_running or self.rng.random() < 0.7 else self._held(),  # noqa: PLR2004 — most
        )

    def _serve(self) -> Serve:
        kind = self.rng.random()
        if kind < 0.45:  # noqa: PLR2004 — nearly half
            return ServeVariant(self._variant())
        return self._split() if kind < 0.9 else self._logic()  # noqa: PLR2004 — nearly half

    def _split(self) -> Split:
        experiment = self.rng.choice([None, "exp1", "exp2"])
        version = self.rng.randrange(3)
        sticky = None
        if self.rng.random() < 0.3:  # noqa: PLR2004 — some
            holder = self.rng.choice([None if experiment else "exp1", "exp2"])
            sticky = Sticky(version, self.rng.randrange(version + 1), holder)
        bucketing = self._bucketing()
        return Split(
            bucketing=bucketing,
            ranges=self._ranges(bucketing),
            experiment=experiment,
            layer="layer" if experiment and self.rng.random() < 0.4 else None,  # noqa: PLR2004 — some
            sticky=sticky,
            windows=None if sticky else self._windows(bucketing),
            exposes=self.rng.choice([None, None, ("plan",)]),
            missing_unit=self.rng.choice(list(MissingUnit)),
        )

    def _windows(self, bucketing: Bucketing) -> Windows | None:
        if bucketing.bucketer is not BucketerName.XD or self.rng.random() < 0.5:  # noqa: PLR2004 — half
            return None
        anchor = datetime(2026, 1, self.rng.randrange(1, 28), tzinfo=UTC)
        block = min(bucketing.total, self.rng.choice([1, 2, 3]))
        return Windows(self.rng.choice([7, 60, 1440]), anchor, block)

    def _ranges(self, bucketing: Bucketing) -> tuple[SplitRange, ...]:
        low, high = self._line(bucketing)
        inner = sorted(self._end(bucketing) for _ in range(self.rng.randrange(4)))
        ends = [low, *inner, high]
        served = [self._variant(), *(self.rng.choice([None, "on", "off", "third"]) for _ in inner)]
        bounds = [self._bounds() for _ in served]
        return tuple(map(SplitRange, ends, ends[1:], served, bounds))

    def _line(self, bucketing: Bucketing) -> tuple[float, float]:
        share = _SHARES.get(bucketing.bucketer)
        if share is not None:
            return 0, share
        low = 1 if bucketing.bucketer in {BucketerName.UNLEASH, BucketerName.UNLEASH_VARIANT} else 0
        return low, low + bucketing.total

    def _end(self, bucketing: Bucketing) -> float:
        low, high = self._line(bucketing)
        if bucketing.bucketer in _SHARES:
            return self.rng.uniform(low, high)
        return self.rng.randint(int(low), int(high))

    def _bucketing(self) -> Bucketing:
        return Bucketing(
            salt=self.rng.choice(["s", "flag.rule", "é", "x" * 120]),
            bucketer=self.rng.choice([*BucketerName, BucketerName.XD, BucketerName.XD, BucketerName.XD]),
            unit=self.rng.choice([(TARGETING_KEY,), (TARGETING_KEY,), ("plan",), ("address", "city")]),
            total=self.rng.choice([10_000, 100, 3, 1]),
        )

    def _whole_bucketing(self) -> Bucketing:
        return Bucketing(
            self.rng.choice(["l1", "l2"]), self.rng.choice([BucketerName.XD, BucketerName.UNLEASH]), total=100
        )

    def _held(self) -> Held:
        known = self.rng.sample(_HOLDOUTS, self.rng.randrange(1, len(_HOLDOUTS)))
        return Held(self.rng.choice(["exp1", "exp2"]), tuple(known))

    def _holdouts(self) -> tuple[Holdout, ...]:
        names = self.rng.sample(_HOLDOUTS, self.rng.randrange(len(_HOLDOUTS)))
        return tuple(map(self._holdout, names))

    def _holdout(self, name: str) -> Holdout:
        experiments = self.rng.choice([None, frozenset({"exp1"})])
        return Holdout(
            name,
            self._whole_bucketing(),
            Range(1, 30, self._bounds()),
            experiments,
        )

    def _segment(self, segment_id: str, segments: Sequence[Segment]) -> Segment:
        members = self.rng.sample(["u1", "u2", "pro", "a"], self.rng.randrange(4))
        return Segment(
            id=segment_id,
            unit=self.rng.choice([(TARGETING_KEY,), ("plan",)]),
            include=frozenset(members[::2]),
            exclude=frozenset(members[1::2]),
            condition=self._maybe(lambda: self._condition((), segments, 2)),
        )

    def _condition(self, flags: Sequence[Flag], segments: Sequence[Segment], depth: int) -> Condition:
        kind = self.rng.random()
        if not depth or kind < 0.5:  # noqa: PLR2004 — half are clauses
            return self._clause()
        inner: Callable[[], Condition] = lambda: self._condition(flags, segments, depth - 1)  # noqa: E731 — three uses
        if kind < 0.8:  # noqa: PLR2004 — groups
            group = self.rng.choice([AllOf, AnyOf])
            return group(self._some(inner, 4))
        return Not(inner()) if kind < 0.88 else self._leaf(flags, segments)  # noqa: PLR2004 — the rest

    def _leaf(self, flags: Sequence[Flag], segments: Sequence[Segment]) -> Condition:
        leaves: list[Callable[[], Condition]] = [self._in_bucket, self._logic]
        if segments:
            leaves.append(lambda: InSegment(self.rng.choice(segments).id))
        if flags:
            leaves.append(lambda: self._prerequisite(flags))
        return self.rng.choice(leaves)()

    def _in_bucket(self) -> InBucket:
        bucketing = self._bucketing()
        low, high = sorted((self._end(bucketing), self._end(bucketing)))
        return InBucket(bucketing, (Range(low, high, self._bounds()),))

    def _logic(self) -> JsonLogic:
        generations = [BucketerName.FLAGD_1, BucketerName.FLAGD_2, BucketerName.FLAGD_3]
        return JsonLogic(self.rng.choice(_LOGIC), self.rng.choice(generations))

    def _prerequisite(self, flags: Sequence[Flag]) -> Prerequisite:
        return Prerequisite(
            self.rng.choice(flags).key, tuple(self.rng.sample(["on", "off"], self.rng.randint(1, 2)))
        )

    def _clause(self) -> Clause:
        operator = self.rng.choice(list(Operator))
        return Clause(
            attribute=self.rng.choice(_PATHS),
            operator=operator,
            values=self._operands(operator),
            negate=self.rng.random() < 0.3,  # noqa: PLR2004 — some
            ignore_case=operator in _CASED and self.rng.random() < 0.3,  # noqa: PLR2004 — some
            missing=self.rng.choice([Missing.UNKNOWN, Missing.UNKNOWN, Missing.FAILS, Missing.HOLDS]),
        )

    def _operands(self, operator: Operator) -> tuple[Scalar, ...]:  # noqa: PLR0911 — one for each kind
        match operator:
            case Operator.PRESENT | Operator.ABSENT:
                return ()
            case Operator.LESS | Operator.LESS_OR_EQUAL | Operator.GREATER | Operator.GREATER_OR_EQUAL:
                return (self.rng.choice(_NUMBERS),)
            case Operator.BEFORE | Operator.AFTER:
                return (self.rng.choice(_MOMENTS),)
            case Operator.EQUALS:
                return (self._scalar(),)
            case Operator.IN | Operator.HAS_ANY | Operator.HAS_ALL:
                return tuple(self._scalar() for _ in range(self.rng.randint(1, 4)))
            case _ if operator.startswith("semver"):
                return (self.rng.choice(_VERSIONS),)
            case _:
                pool = {Operator.MATCHES: _PATTERNS, Operator.IN_NETWORK: _NETWORKS}.get(operator, _TEXTS[1:])
                return tuple(self.rng.sample(pool, self.rng.randint(1, 3)))

    def _scalar(self) -> Scalar:
        return self.rng.choice([self.rng.choice(_TEXTS), self.rng.choice(_NUMBERS), self.rng.random() < 0.5])  # noqa: PLR2004

    def _schedule(self) -> Schedule:
        start = START + timedelta(days=self.rng.randrange(3))
        end = start + timedelta(days=1 + self.rng.randrange(3))
        return Schedule(self.rng.choice([None, start]), self.rng.choice([None, end]))

    def _variant(self) -> str:
        return self.rng.choice(["on", "off", "third"])

    def _bounds(self) -> Bounds:
        return self.rng.choice([Bounds.HALF_OPEN, Bounds.HALF_OPEN, Bounds.CLOSED])

    def _maybe(self, make: Callable[[], T]) -> T | None:
        return make() if self.rng.random() < 0.8 else None  # noqa: PLR2004 — mostly

    def _some(self, make: Callable[[], T], most: int) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.rng.randrange(most + 1)))


_CASED = frozenset(
    {
        Operator.EQUALS,
        Operator.IN,
        Operator.CONTAINS,
        Operator.STARTS_WITH,
        Operator.ENDS_WITH,
        Operator.MATCHES,
        Operator.HAS_ANY,
        Operator.HAS_ALL,
    }
)
