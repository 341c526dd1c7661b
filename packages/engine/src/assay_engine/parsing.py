"""JSON to model, strictly: an unknown key, another type or too large a number is refused with its place.

References (a variant a rule names, a segment) are the business of `rules.check`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TypeGuard, cast

from assay_engine.context import TARGETING_KEY
from assay_engine.fields import (
    LARGEST_NUMBER,
    LONGEST_KEY,
    LONGEST_TEXT,
    LONGEST_UNIT,
    DatafileError,
    JsonObject,
    by_value,
    read_at,
    read_attribute,
    read_boolean,
    read_choice,
    read_frozen,
    read_key,
    read_keys,
    read_list,
    read_member,
    read_name,
    read_number,
    read_object,
    read_optional,
    read_scalar,
    read_text,
    read_whole,
    shown,
)
from assay_engine.model import (
    BASIS_POINTS,
    AllOf,
    AnyOf,
    AttributePath,
    Bounds,
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
from assay_engine.values import (
    FlagType,
    JsonValue,
    Scalar,
    fits,
    is_array,
    is_object,
)

FORMAT = "assay.datafile/1"

LARGEST_DATAFILE_BYTES = 64 * 1024 * 1024
MOST_FLAGS = 20_000
MOST_SEGMENTS = 5_000
MOST_LAYERS = 1_000
MOST_HOLDOUTS = 100
MOST_RULES = 200
MOST_VARIANTS = 100
MOST_RANGES = 1_000
MOST_VALUES = 10_000
MOST_MEMBERS = 200_000
MOST_PARTS = 200
LONGEST_WINDOW_MINUTES = 60 * 24 * 366
MOST_WINDOWS_IN_BLOCK = 100
DEEPEST_CONDITION = 10

_RULESET = frozenset(
    {"format", "environment", "revision", "flags", "segments", "layers", "holdouts", "metadata"}
)
_FLAG = frozenset({"key", "type", "variants", "enabled", "rules", "fallthrough", "off", "metadata"})
_RULE = frozenset({"id", "name", "condition", "schedule", "prerequisites", "serve"})
_SEGMENT = frozenset({"id", "unit", "include", "exclude", "condition"})
_LAYER = frozenset({"id", "bucketing", "slices"})
_HOLDOUT = frozenset({"id", "bucketing", "range", "experiments"})
_CLAUSE = frozenset({"attribute", "operator", "values", "negate", "ignore_case", "missing"})
_PLAIN_CLAUSE = ("attribute", "operator", "values")
_SHARED = frozenset({str, int, bool})
_MOST_SHARED = 4
_BOOLEANS = frozenset({bool})
_SERVE = frozenset({"variant", "split", "jsonlogic", "fractional"})
_SERVE_VARIANT = frozenset({"variant"})
_BUCKETING = frozenset({"bucketer", "salt", "unit", "total"})
_SPLIT = _BUCKETING | {
    "ranges",
    "experiment",
    "layer",
    "sticky",
    "windows",
    "exposes",
    "missing_unit",
}
_RANGE = frozenset({"low", "high", "bounds"})
_SPLIT_RANGE = _RANGE | {"variant"}
_FRACTIONAL = frozenset({BucketerName.FLAGD_1, BucketerName.FLAGD_2, BucketerName.FLAGD_3})
_SLICE = frozenset({"experiment", "low", "high"})

_TYPES, _OPERATORS, _MISSING = by_value(FlagType), by_value(Operator), by_value(Missing)
_BUCKETERS, _BOUNDS, _MISSING_UNITS = by_value(BucketerName), by_value(Bounds), by_value(MissingUnit)
# Read once: an enumeration looks its members up anew each time.
_BOOLEAN, _UNKNOWN, _XD, _FLAGD_3 = FlagType.BOOLEAN, Missing.UNKNOWN, BucketerName.XD, BucketerName.FLAGD_3
_HALF_OPEN, _STANDARD = Bounds.HALF_OPEN, MissingUnit.STANDARD


def ruleset_from_json(document: object) -> Ruleset:
    """The ruleset of a parsed datafile."""
    fields = read_object(document, _RULESET, needs=("format",))
    if fields["format"] != FORMAT:
        raise DatafileError(f"{fields['format']!r} is not the format {FORMAT!r}", ("format",))
    return Ruleset(
        flags=read_list(fields, "flags", flag_from_json, MOST_FLAGS),
        segments=read_list(fields, "segments", segment_from_json, MOST_SEGMENTS),
        layers=read_list(fields, "layers", layer_from_json, MOST_LAYERS),
        holdouts=read_list(fields, "holdouts", holdout_from_json, MOST_HOLDOUTS),
        environment=read_text(fields, "environment", "", LONGEST_KEY),
        revision=read_whole(fields, "revision", 0),
        metadata=_metadata(fields),
    )


def flag_from_json(document: object) -> Flag:
    """One flag; its parts in any order of keys."""
    fields = read_object(document, _FLAG, needs=("key", "type", "variants"))
    flag_type = read_choice(fields, "type", _TYPES, None)
    return Flag(
        key=read_key(fields, "key"),
        type=flag_type,
        variants=_variants(fields["variants"], flag_type),
        enabled=read_boolean(fields, "enabled", default=True),
        rules=read_list(fields, "rules", rule_from_json, MOST_RULES),
        fallthrough=read_optional(fields, "fallthrough", _serve),
        off=read_optional(fields, "off", read_name),
        metadata=_metadata(fields),
    )


def rule_from_json(document: object) -> Rule:
    """One rule."""
    fields = read_object(document, _RULE, needs=("id", "serve"))
    return Rule(
        id=read_key(fields, "id"),
        serve=read_at("serve", _serve, fields["serve"]),
        name=read_text(fields, "name", "", LONGEST_TEXT),
        condition=read_optional(fields, "condition", condition_from_json),
        schedule=read_optional(fields, "schedule", _schedule),
        prerequisites=read_list(fields, "prerequisites", _prerequisite, MOST_PARTS),
    )


def segment_from_json(document: object) -> Segment:
    """One segment."""
    fields = read_object(document, _SEGMENT, needs=("id",))
    return Segment(
        id=read_key(fields, "id"),
        unit=_unit(fields),
        include=frozenset(read_list(fields, "include", read_member, MOST_MEMBERS)),
        exclude=frozenset(read_list(fields, "exclude", read_member, MOST_MEMBERS)),
        condition=read_optional(fields, "condition", condition_from_json),
    )


def layer_from_json(document: object) -> Layer:
    """One layer."""
    fields = read_object(document, _LAYER, needs=("id", "bucketing"))
    return Layer(
        id=read_key(fields, "id"),
        bucketing=read_at("bucketing", _bucketing, fields["bucketing"]),
        slices=read_list(fields, "slices", _slice, MOST_RANGES),
    )


def holdout_from_json(document: object) -> Holdout:
    """One holdout."""
    fields = read_object(document, _HOLDOUT, needs=("id", "bucketing", "range"))
    experiments = (
        None if "experiments" not in fields else read_list(fields, "experiments", read_name, MOST_VALUES)
    )
    return Holdout(
        id=read_key(fields, "id"),
        bucketing=read_at("bucketing", _bucketing, fields["bucketing"]),
        range=read_at("range", _range, fields["range"]),
        experiments=None if experiments is None else frozenset(experiments),
    )


def condition_from_json(document: object, depth: int = DEEPEST_CONDITION) -> Condition:
    """One condition, told by its key: attribute, all, any, not, segment, bucket, flag or jsonlogic."""
    if not is_object(document):
        raise DatafileError(f"a condition is an object, not {shown(document)}")
    if not depth:
        raise DatafileError(f"conditions are nested deeper than {DEEPEST_CONDITION} levels")
    if "attribute" in document:
        return _clause(document)
    for key, parse in _CONDITIONS.items():
        if key in document:
            return parse(document, depth - 1)
    raise DatafileError(
        f"a condition has one of the keys attribute, {', '.join(_CONDITIONS)}; it has {sorted(document)}"
    )


def _clause(document: JsonObject) -> Clause:
    if len(document) != len(_PLAIN_CLAUSE):
        return _whole_clause(document)
    attribute, operator, values = map(document.get, _PLAIN_CLAUSE)
    if isinstance(attribute, str) and isinstance(operator, str) and _may_be_shared(values):
        return _shared_clause(attribute, operator, *values)
    return _whole_clause(document)


def _may_be_shared(values: object) -> TypeGuard[Sequence[str | int]]:
    return is_array(values) and len(values) <= _MOST_SHARED and _SHARED.issuperset(map(type, values))


# The same few clauses ("plan equals pro") stand in many rules: each is read once, and a ruleset checks and
# compiles it once. Typed, since 1 and true are equal keys; without floats, since 0.0 and -0.0 are too.
@lru_cache(maxsize=1024, typed=True)
def _shared_clause(attribute: str, operator: str, *values: Scalar) -> Clause:
    return _whole_clause({"attribute": attribute, "operator": operator, "values": values})


def _whole_clause(document: JsonObject) -> Clause:
    fields = read_keys(document, _CLAUSE, needs=("attribute", "operator"))
    attribute = read_attribute(fields["attribute"])
    operator = read_choice(fields, "operator", _OPERATORS, None)
    values = read_list(fields, "values", read_scalar, MOST_VALUES)
    if len(fields) == 3 and values:  # noqa: PLR2004 — nothing but these three, as most clauses are
        return Clause(attribute, operator, values)
    return Clause(
        attribute=attribute,
        operator=operator,
        values=values,
        negate=read_boolean(fields, "negate", default=False),
        ignore_case=read_boolean(fields, "ignore_case", default=False),
        missing=read_choice(fields, "missing", _MISSING, _UNKNOWN),
    )


def _all(document: JsonObject, depth: int) -> Condition:
    return AllOf(_parts(document, "all", depth))


def _any(document: JsonObject, depth: int) -> Condition:
    return AnyOf(_parts(document, "any", depth))


def _parts(document: JsonObject, key: str, depth: int) -> tuple[Condition, ...]:
    _only(key, document)
    return read_list(document, key, partial(condition_from_json, depth=depth), MOST_PARTS)


def _not(document: JsonObject, depth: int) -> Condition:
    _only("not", document)
    return Not(read_at("not", partial(condition_from_json, depth=depth), document["not"]))


def _segment(document: JsonObject, _: int) -> Condition:
    _only("segment", document)
    return InSegment(read_key(document, "segment"))


def _only(key: str, document: JsonObject) -> None:
    if len(document) > 1:
        read_keys(document, frozenset({key}))


def _bucket(document: JsonObject, _: int) -> Condition:
    fields = read_object(document, frozenset({"bucket", "ranges"}), needs=("ranges",))
    return InBucket(
        read_at("bucket", _bucketing, fields["bucket"]), read_list(fields, "ranges", _range, MOST_RANGES)
    )


def _flag(document: JsonObject, _: int) -> Condition:
    return _prerequisite(document)


def _prerequisite(document: object) -> Prerequisite:
    fields = read_object(document, frozenset({"flag", "variants"}), needs=("flag", "variants"))
    return Prerequisite(read_key(fields, "flag"), read_list(fields, "variants", read_name, MOST_VARIANTS))


def _jsonlogic(document: JsonObject, _: int = 0) -> JsonLogic:
    fields = read_object(document, frozenset({"jsonlogic", "fractional"}))
    generation = read_choice(fields, "fractional", _BUCKETERS, _FLAGD_3)
    if generation not in _FRACTIONAL:
        raise DatafileError(f"'{generation}' is none of {', '.join(sorted(_FRACTIONAL))}", ("fractional",))
    return JsonLogic(read_at("jsonlogic", read_frozen, fields["jsonlogic"]), generation)


_CONDITIONS: Mapping[str, Callable[[JsonObject, int], Condition]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "segment": _segment,
    "bucket": _bucket,
    "flag": _flag,
    "jsonlogic": _jsonlogic,
}


def _serve(document: object) -> Serve:
    fields = read_object(document, _SERVE)
    if "split" in fields:
        _only("split", fields)
        return read_at("split", _split, fields["split"])
    if "jsonlogic" in fields:
        return _jsonlogic(fields)
    name = read_name(read_keys(fields, _SERVE_VARIANT, needs=("variant",))["variant"])
    return _serve_variant(name)


# Few names ("on", "off") stand in thousands of rules, which share what serves them.
@lru_cache(maxsize=1024)
def _serve_variant(name: str) -> ServeVariant:
    return ServeVariant(name)


def _split(document: object) -> Split:
    fields = read_object(document, _SPLIT, needs=("salt", "ranges"))
    return Split(
        bucketing=_bucketing_in(fields),
        ranges=read_list(fields, "ranges", _split_range, MOST_RANGES),
        experiment=read_optional(fields, "experiment", read_name),
        layer=read_optional(fields, "layer", read_name),
        sticky=read_optional(fields, "sticky", _sticky),
        windows=read_optional(fields, "windows", _windows),
        exposes=read_attribute(fields["exposes"], "exposes") if "exposes" in fields else None,
        missing_unit=read_choice(fields, "missing_unit", _MISSING_UNITS, _STANDARD),
    )


def _bucketing(document: object) -> Bucketing:
    return _bucketing_in(read_object(document, _BUCKETING, needs=("salt",)))


def _bucketing_in(fields: JsonObject) -> Bucketing:
    return Bucketing(
        salt=read_text(fields, "salt", None, LONGEST_UNIT),
        bucketer=read_choice(fields, "bucketer", _BUCKETERS, _XD),
        unit=_unit(fields),
        total=read_whole(fields, "total", BASIS_POINTS, least=1, most=LARGEST_NUMBER),
    )


def _unit(fields: JsonObject) -> AttributePath:
    return read_attribute(fields["unit"], "unit") if "unit" in fields else (TARGETING_KEY,)


def _split_range(document: object) -> SplitRange:
    fields = read_object(document, _SPLIT_RANGE, needs=("low", "high", "variant"))
    return SplitRange(
        low=read_number(fields, "low"),
        high=read_number(fields, "high"),
        variant=None if fields["variant"] is None else read_at("variant", read_name, fields["variant"]),
        bounds=read_choice(fields, "bounds", _BOUNDS, _HALF_OPEN),
    )


def _range(document: object) -> Range:
    fields = read_object(document, _RANGE, needs=("low", "high"))
    bounds = read_choice(fields, "bounds", _BOUNDS, _HALF_OPEN)
    return Range(read_number(fields, "low"), read_number(fields, "high"), bounds)


def _slice(document: object) -> LayerSlice:
    fields = read_object(document, _SLICE, needs=("experiment", "low", "high"))
    return LayerSlice(
        read_at("experiment", read_name, fields["experiment"]),
        read_whole(fields, "low"),
        read_whole(fields, "high"),
    )


def _sticky(document: object) -> Sticky:
    fields = read_object(document, frozenset({"version", "minimum", "experiment"}))
    return Sticky(
        read_whole(fields, "version", 0, most=MOST_VALUES),
        read_whole(fields, "minimum", 0, most=MOST_VALUES),
        read_optional(fields, "experiment", read_name),
    )


def _windows(document: object) -> Windows:
    fields = read_object(document, frozenset({"minutes", "anchor", "block"}), needs=("minutes", "anchor"))
    return Windows(
        read_whole(fields, "minutes", least=1, most=LONGEST_WINDOW_MINUTES),
        read_at("anchor", _moment, fields["anchor"]),
        read_whole(fields, "block", 1, least=1, most=MOST_WINDOWS_IN_BLOCK),
    )


def _schedule(document: object) -> Schedule:
    fields = read_object(document, frozenset({"starts_at", "ends_at"}))
    return Schedule(read_optional(fields, "starts_at", _moment), read_optional(fields, "ends_at", _moment))


def _moment(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise DatafileError(f"{shown(value)} is not a time with its offset, such as '2026-01-31T08:00:00Z'")


def _variants(value: object, flag_type: FlagType) -> tuple[Variant, ...]:
    if not is_object(value):
        raise DatafileError(f"an object of values by variant is needed, not {shown(value)}", ("variants",))
    if not 1 <= len(value) <= MOST_VARIANTS:
        raise DatafileError(f"a flag has 1 to {MOST_VARIANTS} variants, not {len(value)}", ("variants",))
    if flag_type is _BOOLEAN and _BOOLEANS.issuperset(map(type, value.values())):
        return _switch(*cast("Mapping[str, bool]", value).items())
    return tuple([_variant(name, item, flag_type) for name, item in value.items()])


# Most switches have the same two variants, and share them.
@lru_cache(maxsize=256)
def _switch(*variants: tuple[str, bool]) -> tuple[Variant, ...]:
    return tuple(_variant(name, value, FlagType.BOOLEAN) for name, value in variants)


def _variant(name: str, value: object, flag_type: FlagType) -> Variant:
    if flag_type is FlagType.FLOAT and type(value) is int and abs(value) <= 2**53:
        value = float(value)
    if not fits(flag_type, value):
        raise DatafileError(f"{shown(value)} is not a value of a {flag_type} flag", ("variants", name))
    frozen = read_at(name, read_frozen, value) if flag_type is FlagType.JSON else cast("JsonValue", value)
    return Variant(read_at("variants", read_name, name), frozen)


def _metadata(fields: JsonObject) -> Mapping[str, Scalar]:
    value = fields.get("metadata")
    if value is None and "metadata" not in fields:
        return {}
    if not is_object(value) or len(value) > MOST_PARTS:
        raise DatafileError(
            f"an object of at most {MOST_PARTS} entries is needed, not {shown(value)}", ("metadata",)
        )
    return {
        read_at("metadata", read_name, name): read_at(name, read_scalar, item) for name, item in value.items()
    }
