"""The rule model: what an environment's flags, segments, layers and holdouts say."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import field

from assay_engine.context import TARGETING_KEY
from assay_engine.records import Record
from assay_engine.values import FlagType, JsonValue, Scalar

# Basis points: a share of 30 % is 3,000 of 10,000.
BASIS_POINTS = 10_000

AttributePath: TypeAlias = tuple[str, ...]


class Operator(StrEnum):
    """The closed set of tests a clause can make; `rules.operators` holds what each means."""

    EQUALS = "equals"
    IN = "in"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    SEMVER_EQUALS = "semver_equals"
    SEMVER_LESS = "semver_less"
    SEMVER_LESS_OR_EQUAL = "semver_less_or_equal"
    SEMVER_GREATER = "semver_greater"
    SEMVER_GREATER_OR_EQUAL = "semver_greater_or_equal"
    BEFORE = "before"
    AFTER = "after"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    IN_NETWORK = "in_network"
    HAS_ANY = "has_any"
    HAS_ALL = "has_all"
    PRESENT = "present"
    ABSENT = "absent"


class Missing(StrEnum):
    """What a clause says when its attribute is missing or has another type."""

    UNKNOWN = "unknown"  # neither it nor its negation, its own or a group's, holds
    FAILS = "fails"  # it is false, and a NOT around it is true
    HOLDS = "holds"  # it is true, and a NOT around it is false


class Bounds(StrEnum):
    """Whether the upper end of a range belongs to it; the lower end always does."""

    HALF_OPEN = "half_open"
    CLOSED = "closed"


class BucketerName(StrEnum):
    """The bucketers; a rule keeps its own for ever, so that nobody changes variant."""

    XD = "xd"
    GROWTHBOOK_1 = "gb1"
    GROWTHBOOK_2 = "gb2"
    UNLEASH = "unleash"
    UNLEASH_VARIANT = "unleash-variant"
    FLAGSMITH = "flagsmith"
    LAUNCHDARKLY = "ld"
    EPPO = "eppo"
    POSTHOG = "posthog"
    POSTHOG_VARIANT = "posthog-variant"
    STATSIG = "statsig"
    GO_FEATURE_FLAG = "goff"
    FLIPT = "flipt"
    FLIPT_THRESHOLD = "flipt-threshold"
    FLAGD_1 = "flagd1"
    FLAGD_2 = "flagd2"
    FLAGD_3 = "flagd3"


class MissingUnit(StrEnum):
    """What a split does with a context that lacks its unit attribute."""

    STANDARD = "standard"  # no targeting key is an error; without any other attribute the rule does not match
    SKIP = "skip"  # the rule does not match
    FIRST = "first"  # the first range, never as an exposure


class Clause(Record, frozen=True):
    """One test of one attribute against values.

    `attribute` is a path: `("plan",)`, or `("address", "city")` inside a nested object.
    A clause holds when the operator does for any of `values` (for `HAS_ALL`: for all of them).
    """

    attribute: AttributePath
    operator: Operator
    values: tuple[Scalar, ...] = ()
    negate: bool = False
    ignore_case: bool = False
    missing: Missing = Missing.UNKNOWN


class AllOf(Record, frozen=True):
    """Holds when every condition does; an empty one holds."""

    conditions: tuple["Condition", ...]


class AnyOf(Record, frozen=True):
    """Holds when at least one condition does; an empty one does not."""

    conditions: tuple["Condition", ...]


class Not(Record, frozen=True):
    """Holds when its condition is known not to: NOT moves inward (De Morgan) down to the clauses."""

    condition: "Condition"


class InSegment(Record, frozen=True):
    """Holds for the members of a segment; everybody else is known not to be one."""

    segment: str


class Range(Record, frozen=True):
    """Bucket values from `low` (inside) to `high` (inside when closed)."""

    low: float
    high: float
    bounds: Bounds = Bounds.HALF_OPEN


class Bucketing(Record, frozen=True):
    """How a unit becomes a number: a named bucketer, its salt, the attribute hashed, the modulus."""

    salt: str
    bucketer: BucketerName = BucketerName.XD
    unit: AttributePath = (TARGETING_KEY,)
    total: int = BASIS_POINTS


class InBucket(Record, frozen=True):
    """Holds when the unit's bucket value lies in one of the ranges; unknown without the unit."""

    bucketing: Bucketing
    ranges: tuple[Range, ...]


class Prerequisite(Record, frozen=True):
    """Holds when another flag is enabled and serves one of these variants in the same context."""

    flag: str
    variants: tuple[str, ...]


class JsonLogic(Record, frozen=True):
    """An imported JsonLogic expression with flagd's operators: the one escape hatch.

    As a condition it holds when its result is truthy. As what a rule serves, its result names the variant.
    `fractional` is the generation of flagd's `fractional` arithmetic the document was written for.
    """

    expression: JsonValue
    fractional: BucketerName = BucketerName.FLAGD_3


Condition: TypeAlias = Clause | AllOf | AnyOf | Not | InSegment | InBucket | Prerequisite | JsonLogic


class Schedule(Record, frozen=True):
    """When a rule applies: from `starts_at` (inside) until `ends_at` (outside), both aware; None is open."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None


class SplitRange(Record, frozen=True):
    """A part of the bucket line and the variant it gets; None leaves it free, and the walk goes on."""

    low: float
    high: float
    variant: str | None
    bounds: Bounds = Bounds.HALF_OPEN


class Sticky(Record, frozen=True):
    """A unit keeps the variant it was given under `version`; one assigned below `minimum` is left out.

    `experiment` is under whose name assignments are kept; None is the split's own. A split that is nobody's
    exposure any more names it, so that its units keep their variants.
    """

    version: int = 0
    minimum: int = 0
    experiment: str | None = None


class Windows(Record, frozen=True):
    """Time cut into windows, in each of which a unit is bucketed anew (a switchback).

    `block` windows in a row share one hash and lie evenly around the bucket line, so that a unit meets every
    variant in its share of them; 1 makes each window its own.
    """

    minutes: int
    anchor: datetime
    block: int = 1


class Split(Record, frozen=True):
    """Variants by bucket: ranges touch one another and cover the whole line.

    `exposes` is the attribute that names who is exposed, where that is not the unit which is assigned: the
    user, when companies are.
    """

    bucketing: Bucketing
    ranges: tuple[SplitRange, ...]
    experiment: str | None = None
    layer: str | None = None
    sticky: Sticky | None = None
    windows: Windows | None = None
    exposes: AttributePath | None = None
    missing_unit: MissingUnit = MissingUnit.STANDARD


class ServeVariant(Record, frozen=True):
    """Everyone gets this variant."""

    variant: str


Serve: TypeAlias = ServeVariant | Split | JsonLogic


class Held(Record, frozen=True):
    """Which holdouts go on keeping units out of what an experiment has left behind.

    Attributes:
        experiment: The one that it is left of; a holdout that lets its units into it keeps nobody out here.
        holdouts: Those of that time: a later one does not take away what units have.
    """

    experiment: str
    holdouts: tuple[str, ...]


class Rule(Record, frozen=True):
    """Serves its variant or split when schedule, prerequisites and condition all hold."""

    id: str
    serve: Serve
    name: str = ""
    condition: Condition | None = None
    schedule: Schedule | None = None
    prerequisites: tuple[Prerequisite, ...] = ()
    held: Held | None = None


class Variant(Record, frozen=True):
    """A named value of a flag."""

    name: str
    value: JsonValue


class Flag(Record, frozen=True):
    """A flag in one environment: the first rule that serves something decides, then `fallthrough`.

    Without a `fallthrough`, or disabled without an `off` variant, the application's own default applies.
    """

    key: str
    type: FlagType
    variants: tuple[Variant, ...]
    enabled: bool = True
    rules: tuple[Rule, ...] = ()
    fallthrough: Serve | None = None
    off: str | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])


class Segment(Record, frozen=True):
    """A named set of units: the included, less the excluded, and whoever else meets the condition."""

    id: str
    unit: AttributePath = (TARGETING_KEY,)
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    condition: Condition | None = None


class LayerSlice(Record, frozen=True):
    """The part of a layer, half-open, that one experiment may use."""

    experiment: str
    low: int
    high: int


class Layer(Record, frozen=True):
    """Experiments that exclude one another: each unit falls in at most one slice."""

    id: str
    bucketing: Bucketing
    slices: tuple[LayerSlice, ...] = ()


class Holdout(Record, frozen=True):
    """Units kept out of experiments: all of them when `experiments` is None, else those named."""

    id: str
    bucketing: Bucketing
    range: Range
    experiments: frozenset[str] | None = None

    def concerns(self, experiment: str) -> bool:
        """Whether it keeps its units out of this experiment."""
        return self.experiments is None or experiment in self.experiments


class Ruleset(Record, frozen=True):
    """All that evaluation needs of one environment at one revision."""

    flags: tuple[Flag, ...] = ()
    segments: tuple[Segment, ...] = ()
    layers: tuple[Layer, ...] = ()
    holdouts: tuple[Holdout, ...] = ()
    environment: str = ""
    revision: int = 0
    metadata: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
