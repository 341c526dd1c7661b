"""The rule model: what an environment's flags, segments, layers and holdouts say."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from assay_engine.context import TARGETING_KEY
from assay_engine.records import record
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


@record
class Clause:
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


@record
class AllOf:
    """Holds when every condition does; an empty one holds."""

    conditions: tuple["Condition", ...]


@record
class AnyOf:
    """Holds when at least one condition does; an empty one does not."""

    conditions: tuple["Condition", ...]


@record
class Not:
    """Holds when its condition is known not to: NOT moves inward (De Morgan) down to the clauses."""

    condition: "Condition"


@record
class InSegment:
    """Holds for the members of a segment; everybody else is known not to be one."""

    segment: str


@record
class Range:
    """Bucket values from `low` (inside) to `high` (inside when closed)."""

    low: float
    high: float
    bounds: Bounds = Bounds.HALF_OPEN


@record
class Bucketing:
    """How a unit becomes a number: a named bucketer, its salt, the attribute hashed, the modulus."""

    salt: str
    bucketer: BucketerName = BucketerName.XD
    unit: AttributePath = (TARGETING_KEY,)
    total: int = BASIS_POINTS


@record
class InBucket:
    """Holds when the unit's bucket value lies in one of the ranges; unknown without the unit."""

    bucketing: Bucketing
    ranges: tuple[Range, ...]


@record
class Prerequisite:
    """Holds when another flag is enabled and serves one of these variants in the same context."""

    flag: str
    variants: tuple[str, ...]


@record
class JsonLogic:
    """An imported JsonLogic expression with flagd's operators: the one escape hatch.

    As a condition it holds when its result is truthy. As what a rule serves, its result names the variant.
    `fractional` is the generation of flagd's `fractional` arithmetic the document was written for.
    """

    expression: JsonValue
    fractional: BucketerName = BucketerName.FLAGD_3


Condition: TypeAlias = Clause | AllOf | AnyOf | Not | InSegment | InBucket | Prerequisite | JsonLogic


@record
class Schedule:
    """When a rule applies: from `starts_at` (inside) until `ends_at` (outside), both aware; None is open."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None


@record
class SplitRange:
    """A part of the bucket line and the variant it gets; None leaves it free, and the walk goes on."""

    low: float
    high: float
    variant: str | None
    bounds: Bounds = Bounds.HALF_OPEN


@record
class Sticky:
    """A unit keeps the variant it was given under `version`; one assigned below `minimum` is left out.

    `experiment` is under whose name assignments are kept; None is the split's own. A split that is nobody's
    exposure any more names it, so that its units keep their variants.
    """

    version: int = 0
    minimum: int = 0
    experiment: str | None = None


@record
class Windows:
    """Time cut into windows, in each of which a unit is bucketed anew (a switchback).

    `block` windows in a row share one hash and lie evenly around the bucket line, so that a unit meets every
    variant in its share of them; 1 makes each window its own.
    """

    minutes: int
    anchor: datetime
    block: int = 1


@record
class Split:
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


@record
class ServeVariant:
    """Everyone gets this variant."""

    variant: str


Serve: TypeAlias = ServeVariant | Split | JsonLogic


@record
class Held:
    """Which holdouts go on keeping units out of what an experiment has left behind.

    Attributes:
        experiment: The one that it is left of; a holdout that lets its units into it keeps nobody out here.
        holdouts: Those of that time: a later one does not take away what units have.
    """

    experiment: str
    holdouts: tuple[str, ...]


@record
class Rule:
    """Serves its variant or split when schedule, prerequisites and condition all hold."""

    id: str
    serve: Serve
    name: str = ""
    condition: Condition | None = None
    schedule: Schedule | None = None
    prerequisites: tuple[Prerequisite, ...] = ()
    held: Held | None = None


@record
class Variant:
    """A named value of a flag."""

    name: str
    value: JsonValue


@record
class Flag:
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


@record
class Segment:
    """A named set of units: the included, less the excluded, and whoever else meets the condition."""

    id: str
    unit: AttributePath = (TARGETING_KEY,)
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    condition: Condition | None = None


@record
class LayerSlice:
    """The part of a layer, half-open, that one experiment may use."""

    experiment: str
    low: int
    high: int


@record
class Layer:
    """Experiments that exclude one another: each unit falls in at most one slice."""

    id: str
    bucketing: Bucketing
    slices: tuple[LayerSlice, ...] = ()


@record
class Holdout:
    """Units kept out of experiments: all of them when `experiments` is None, else those named."""

    id: str
    bucketing: Bucketing
    range: Range
    experiments: frozenset[str] | None = None

    def concerns(self, experiment: str) -> bool:
        """Whether it keeps its units out of this experiment."""
        return self.experiments is None or experiment in self.experiments


@record
class Ruleset:
    """All that evaluation needs of one environment at one revision."""

    flags: tuple[Flag, ...] = ()
    segments: tuple[Segment, ...] = ()
    layers: tuple[Layer, ...] = ()
    holdouts: tuple[Holdout, ...] = ()
    environment: str = ""
    revision: int = 0
    metadata: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
