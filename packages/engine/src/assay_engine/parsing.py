"""JSON to model, strictly: an unknown key, another type or too large a number is refused with its place.

References (a variant a rule names, a segment) are the business of `rules.check`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from typing import TypeGuard, cast

from assay_engine.fields import (
    LARGEST_NUMBER,
    LONGEST_KEY,
    LONGEST_TEXT,
    LONGEST_UNIT,
    DatafileError,
    JsonObject,
    Readers,
    array_of,
    as_boolean,
    as_key,
    as_number,
    as_whole,
    by_value,
    one_of,
    read_at,
    read_attribute,
    read_choice,
    read_frozen,
    read_key,
    read_keys,
    read_member,
    read_name,
    read_object,
    read_record,
    read_scalar,
    shown,
    text_up_to,
)
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
from assay_engine.values import (
    LARGEST_INTEGER,
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

_PLAIN_CLAUSE = ("attribute", "operator", "values")
_SHARED = frozenset({str, int, bool})
_MOST_SHARED = 4
_BOOLEANS = frozenset({bool})
_SERVE = frozenset({"variant", "split", "jsonlogic", "fractional"})
_FRACTIONAL = frozenset({BucketerName.FLAGD_1, BucketerName.FLAGD_2, BucketerName.FLAGD_3})

_BUCKETERS = by_value(BucketerName)
# Read once: an enumeration looks its members up anew each time.
_BOOLEAN, _FLAGD_3 = FlagType.BOOLEAN, BucketerName.FLAGD_3


def ruleset_from_json(document: object, read_flag: Callable[[object], Flag] | None = None) -> Ruleset:
    """The ruleset of a parsed datafile.

    Args:
        read_flag: In place of `flag_from_json`, from who keeps the flags that he has read before.
    """
    readers = _RULESET if read_flag is None else {**_RULESET, "flags": array_of(read_flag, MOST_FLAGS)}
    fields = read_record(document, readers, needs=("format",))
    del fields["format"]
    return Ruleset(**fields)


def flag_from_json(document: object) -> Flag:
    """One flag; its parts in any order of keys."""
    fields = read_record(document, _FLAG, needs=("key", "type", "variants"))
    fields["variants"] = _variants(fields["variants"], fields["type"])
    return Flag(**fields)


def rule_from_json(document: object) -> Rule:
    """One rule."""
    return Rule(**read_record(document, _RULE, needs=("id", "serve")))


def segment_from_json(document: object) -> Segment:
    """One segment."""
    return Segment(**read_record(document, _SEGMENT, needs=("id",)))


def layer_from_json(document: object) -> Layer:
    """One layer."""
    return Layer(**read_record(document, _LAYER, needs=("id", "bucketing")))


def holdout_from_json(document: object) -> Holdout:
    """One holdout."""
    return Holdout(**read_record(document, _HOLDOUT, needs=("id", "bucketing", "range")))


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
    return Clause(**read_record(document, _CLAUSE, needs=("attribute", "operator")))


def _all(document: JsonObject, depth: int) -> Condition:
    _only("all", document)
    return AllOf(read_at("all", _conditions(depth), document["all"]))


def _any(document: JsonObject, depth: int) -> Condition:
    _only("any", document)
    return AnyOf(read_at("any", _conditions(depth), document["any"]))


@cache
def _conditions(depth: int) -> Callable[[object], tuple[Condition, ...]]:
    return array_of(partial(condition_from_json, depth=depth), MOST_PARTS)


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
    fields = read_record(document, _IN_BUCKET, needs=("ranges",))
    return InBucket(fields["bucket"], fields["ranges"])


def _flag(document: JsonObject, _: int) -> Condition:
    return _prerequisite(document)


def _prerequisite(document: object) -> Prerequisite:
    return Prerequisite(**read_record(document, _PREREQUISITE, needs=("flag", "variants")))


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
    if is_object(document) and len(document) == 1 and isinstance(name := document.get("variant"), str):
        return _serve_variant(name)
    fields = read_object(document, _SERVE)
    if "split" in fields:
        _only("split", fields)
        return read_at("split", _split, fields["split"])
    if "jsonlogic" in fields:
        return _jsonlogic(fields)
    return ServeVariant(**read_record(document, _SERVE_VARIANT, needs=("variant",)))


# Few names ("on", "off") stand in thousands of rules, which share what serves them.
@lru_cache(maxsize=1024)
def _serve_variant(name: str) -> ServeVariant:
    return ServeVariant(read_at("variant", read_name, name))


def _split(document: object) -> Split:
    fields = read_record(document, _SPLIT, needs=("salt", "ranges"))
    bucketing = Bucketing(**{name: fields.pop(name) for name in _BUCKETING if name in fields})
    return Split(bucketing, **fields)


def _bucketing(document: object) -> Bucketing:
    return Bucketing(**read_record(document, _BUCKETING, needs=("salt",)))


def _split_range(document: object) -> SplitRange:
    return SplitRange(**read_record(document, _SPLIT_RANGE, needs=("low", "high", "variant")))


def _range(document: object) -> Range:
    return Range(**read_record(document, _RANGE, needs=("low", "high")))


def _slice(document: object) -> LayerSlice:
    return LayerSlice(**read_record(document, _SLICE, needs=("experiment", "low", "high")))


def _held(document: object) -> Held:
    return Held(**read_record(document, _HELD, needs=("experiment", "holdouts")))


def _sticky(document: object) -> Sticky:
    return Sticky(**read_record(document, _STICKY))


def _windows(document: object) -> Windows:
    return Windows(**read_record(document, _WINDOWS, needs=("minutes", "anchor")))


def _schedule(document: object) -> Schedule:
    return Schedule(**read_record(document, _SCHEDULE))


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


def _metadata(value: object) -> Mapping[str, Scalar]:
    if not is_object(value) or len(value) > MOST_PARTS:
        raise DatafileError(f"an object of at most {MOST_PARTS} entries is needed, not {shown(value)}")
    return {read_name(name): read_at(name, read_scalar, item) for name, item in value.items()}


def _name_or_none(value: object) -> str | None:
    return None if value is None else read_name(value)


def _format(value: object) -> str:
    if value == FORMAT:
        return FORMAT
    raise DatafileError(f"{value!r} is not the format {FORMAT!r}")


def _members(value: object) -> frozenset[str]:
    return frozenset(array_of(read_member, MOST_MEMBERS)(value))


def _experiments(value: object) -> frozenset[str]:
    return frozenset(array_of(read_name, MOST_VALUES)(value))


def _as_it_is(value: object) -> object:
    return value


_whole = partial(as_whole, least=0, most=LARGEST_INTEGER)
_version = partial(as_whole, least=0, most=MOST_VALUES)

_RULESET: Readers = {
    "format": _format,
    "environment": text_up_to(LONGEST_KEY),
    "revision": _whole,
    "flags": array_of(flag_from_json, MOST_FLAGS),
    "segments": array_of(segment_from_json, MOST_SEGMENTS),
    "layers": array_of(layer_from_json, MOST_LAYERS),
    "holdouts": array_of(holdout_from_json, MOST_HOLDOUTS),
    "metadata": _metadata,
}
_FLAG: Readers = {
    "key": as_key,
    "type": one_of(by_value(FlagType)),
    # What they may be depends on the type.
    "variants": _as_it_is,
    "enabled": as_boolean,
    "rules": array_of(rule_from_json, MOST_RULES),
    "fallthrough": _serve,
    "off": read_name,
    "metadata": _metadata,
}
_RULE: Readers = {
    "id": as_key,
    "name": text_up_to(LONGEST_TEXT),
    "condition": condition_from_json,
    "schedule": _schedule,
    "prerequisites": array_of(_prerequisite, MOST_PARTS),
    "held": _held,
    "serve": _serve,
}
_HELD: Readers = {"experiment": read_name, "holdouts": array_of(as_key, MOST_HOLDOUTS)}
_SEGMENT: Readers = {
    "id": as_key,
    "unit": read_attribute,
    "include": _members,
    "exclude": _members,
    "condition": condition_from_json,
}
_LAYER: Readers = {"id": as_key, "bucketing": _bucketing, "slices": array_of(_slice, MOST_RANGES)}
_HOLDOUT: Readers = {"id": as_key, "bucketing": _bucketing, "range": _range, "experiments": _experiments}
_CLAUSE: Readers = {
    "attribute": read_attribute,
    "operator": one_of(by_value(Operator)),
    "values": array_of(read_scalar, MOST_VALUES),
    "negate": as_boolean,
    "ignore_case": as_boolean,
    "missing": one_of(by_value(Missing)),
}
_IN_BUCKET: Readers = {"bucket": _bucketing, "ranges": array_of(_range, MOST_RANGES)}
_PREREQUISITE: Readers = {"flag": as_key, "variants": array_of(read_name, MOST_VARIANTS)}
_BUCKETING: Readers = {
    "bucketer": one_of(_BUCKETERS),
    "salt": text_up_to(LONGEST_UNIT),
    "unit": read_attribute,
    "total": partial(as_whole, least=1, most=LARGEST_NUMBER),
}
_SPLIT: Readers = {
    **_BUCKETING,
    "ranges": array_of(_split_range, MOST_RANGES),
    "experiment": read_name,
    "layer": read_name,
    "sticky": _sticky,
    "windows": _windows,
    "exposes": read_attribute,
    "missing_unit": one_of(by_value(MissingUnit)),
}
_STICKY: Readers = {"version": _version, "minimum": _version, "experiment": read_name}
_WINDOWS: Readers = {
    "minutes": partial(as_whole, least=1, most=LONGEST_WINDOW_MINUTES),
    "anchor": _moment,
    "block": partial(as_whole, least=1, most=MOST_WINDOWS_IN_BLOCK),
}
_SERVE_VARIANT: Readers = {"variant": read_name}
_RANGE: Readers = {"low": as_number, "high": as_number, "bounds": one_of(by_value(Bounds))}
_SPLIT_RANGE: Readers = {**_RANGE, "variant": _name_or_none}
_SLICE: Readers = {"experiment": read_name, "low": _whole, "high": _whole}
_SCHEDULE: Readers = {"starts_at": _moment, "ends_at": _moment}
