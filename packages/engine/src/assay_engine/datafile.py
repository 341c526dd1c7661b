"""The datafile: the one wire format of a ruleset, and the model's only (de)serialiser.

Parsing is strict: an unknown key, a value of another type or a number beyond its limit is refused by a sentence
that says where. `datafile.schema.json` beside this module is the same format as a JSON Schema.
References (a variant a rule names, a segment) are the business of `rules.check`.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from importlib import resources
from typing import NoReturn, TypeVar, assert_never, cast

from assay_engine.context import TARGETING_KEY
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
)
from assay_engine.values import (
    FlagType,
    JsonValue,
    Scalar,
    fits,
    freeze,
    is_array,
    is_finite_number,
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
DEEPEST_CONDITION = 20
LONGEST_KEY = 128
LONGEST_TEXT = 4_096
LONGEST_SALT = 512
LARGEST_TOTAL = 2**31 - 1

_KEY = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}", re.ASCII)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Object = Mapping[str, object]


class DatafileError(ValueError):
    """A document that is not of the format; the message begins with the place."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        self.path = path
        self.message = message
        super().__init__(f"{'.'.join(path)}: {message}" if path else message)

    def within(self, step: str) -> "DatafileError":
        """The same error seen from one level further out."""
        return DatafileError(self.message, (step, *self.path))


def schema() -> dict[str, object]:
    """The format as a JSON Schema (draft 2020-12)."""
    text = resources.files("assay_engine").joinpath("datafile.schema.json").read_text("utf-8")
    return cast("dict[str, object]", json.loads(text))


def loads(data: bytes | str) -> Ruleset:
    """The ruleset of a datafile.

    Raises:
        DatafileError: The document is not of the format.
    """
    if len(data) > LARGEST_DATAFILE_BYTES:
        raise DatafileError(
            f"the datafile has {len(data)} bytes; at most {LARGEST_DATAFILE_BYTES} are allowed"
        )
    try:
        document = json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise DatafileError("the datafile is nested too deeply") from None
    except ValueError as error:
        raise DatafileError(f"the datafile is not JSON: {error}") from error
    return ruleset_from_json(document)


def dumps(ruleset: Ruleset) -> bytes:
    """The datafile of a ruleset: UTF-8 JSON without spaces, keys in a fixed order, defaults left out."""
    return json.dumps(ruleset_to_json(ruleset), separators=(",", ":"), allow_nan=False).encode()


def ruleset_from_json(document: object) -> Ruleset:
    """The ruleset of a parsed datafile."""
    fields = _object(document, _RULESET, needs=("format",))
    if fields["format"] != FORMAT:
        raise DatafileError(f"{fields['format']!r} is not the format {FORMAT!r}", ("format",))
    return Ruleset(
        flags=_list(fields, "flags", flag_from_json, MOST_FLAGS),
        segments=_list(fields, "segments", segment_from_json, MOST_SEGMENTS),
        layers=_list(fields, "layers", layer_from_json, MOST_LAYERS),
        holdouts=_list(fields, "holdouts", holdout_from_json, MOST_HOLDOUTS),
        environment=_text(fields, "environment", "", LONGEST_KEY),
        revision=_whole(fields, "revision", 0),
        metadata=_metadata(fields),
    )


def flag_from_json(document: object) -> Flag:
    """One flag; its parts in any order of keys."""
    fields = _object(document, _FLAG, needs=("key", "type", "variants"))
    flag_type = _choice(fields, "type", FlagType, None)
    return Flag(
        key=_key(fields, "key"),
        type=flag_type,
        variants=_variants(fields["variants"], flag_type),
        enabled=_boolean(fields, "enabled", default=True),
        rules=_list(fields, "rules", rule_from_json, MOST_RULES),
        fallthrough=_optional(fields, "fallthrough", _serve),
        off=_optional(fields, "off", _name),
        metadata=_metadata(fields),
    )


def rule_from_json(document: object) -> Rule:
    """One rule."""
    fields = _object(document, _RULE, needs=("id", "serve"))
    return Rule(
        id=_key(fields, "id"),
        serve=_at("serve", _serve, fields["serve"]),
        name=_text(fields, "name", "", LONGEST_TEXT),
        condition=_optional(fields, "condition", condition_from_json),
        schedule=_optional(fields, "schedule", _schedule),
        prerequisites=_list(fields, "prerequisites", _prerequisite, MOST_PARTS),
    )


def segment_from_json(document: object) -> Segment:
    """One segment."""
    fields = _object(document, _SEGMENT, needs=("id",))
    return Segment(
        id=_key(fields, "id"),
        unit=_unit(fields),
        include=frozenset(_list(fields, "include", _member, MOST_MEMBERS)),
        exclude=frozenset(_list(fields, "exclude", _member, MOST_MEMBERS)),
        condition=_optional(fields, "condition", condition_from_json),
    )


def layer_from_json(document: object) -> Layer:
    """One layer."""
    fields = _object(document, _LAYER, needs=("id", "bucketing"))
    return Layer(
        id=_key(fields, "id"),
        bucketing=_at("bucketing", _bucketing, fields["bucketing"]),
        slices=_list(fields, "slices", _slice, MOST_RANGES),
    )


def holdout_from_json(document: object) -> Holdout:
    """One holdout."""
    fields = _object(document, _HOLDOUT, needs=("id", "bucketing", "range"))
    experiments = None if "experiments" not in fields else _list(fields, "experiments", _name, MOST_VALUES)
    return Holdout(
        id=_key(fields, "id"),
        bucketing=_at("bucketing", _bucketing, fields["bucketing"]),
        range=_at("range", _range, fields["range"]),
        experiments=None if experiments is None else frozenset(experiments),
    )


def condition_from_json(document: object, depth: int = DEEPEST_CONDITION) -> Condition:
    """One condition, told by its only distinguishing key: attribute, all, any, not, segment, bucket, flag, jsonlogic."""
    if not is_object(document):
        raise DatafileError(f"a condition is an object, not {_shown(document)}")
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


def ruleset_to_json(ruleset: Ruleset) -> dict[str, object]:
    """The ruleset as plain JSON values."""
    return _sparse(
        format=FORMAT,
        environment=ruleset.environment or None,
        revision=ruleset.revision or None,
        flags=[flag_to_json(flag) for flag in ruleset.flags],
        segments=[segment_to_json(segment) for segment in ruleset.segments] or None,
        layers=[layer_to_json(layer) for layer in ruleset.layers] or None,
        holdouts=[holdout_to_json(holdout) for holdout in ruleset.holdouts] or None,
        metadata=dict(ruleset.metadata) or None,
    )


def flag_to_json(flag: Flag) -> dict[str, object]:
    """One flag as plain JSON values."""
    return _sparse(
        key=flag.key,
        type=flag.type.value,
        variants={variant.name: variant.value for variant in flag.variants},
        enabled=None if flag.enabled else False,
        rules=[rule_to_json(rule) for rule in flag.rules] or None,
        fallthrough=None if flag.fallthrough is None else _serve_to_json(flag.fallthrough),
        off=flag.off,
        metadata=dict(flag.metadata) or None,
    )


def rule_to_json(rule: Rule) -> dict[str, object]:
    """One rule as plain JSON values."""
    return _sparse(
        id=rule.id,
        name=rule.name or None,
        condition=None if rule.condition is None else condition_to_json(rule.condition),
        schedule=None if rule.schedule is None else _schedule_to_json(rule.schedule),
        prerequisites=[condition_to_json(each) for each in rule.prerequisites] or None,
        serve=_serve_to_json(rule.serve),
    )


def segment_to_json(segment: Segment) -> dict[str, object]:
    """One segment as plain JSON values."""
    return _sparse(
        id=segment.id,
        unit=_unit_to_json(segment.unit),
        include=sorted(segment.include) or None,
        exclude=sorted(segment.exclude) or None,
        condition=None if segment.condition is None else condition_to_json(segment.condition),
    )


def layer_to_json(layer: Layer) -> dict[str, object]:
    """One layer as plain JSON values."""
    slices = [{"experiment": each.experiment, "low": each.low, "high": each.high} for each in layer.slices]
    return _sparse(id=layer.id, bucketing=_bucketing_to_json(layer.bucketing), slices=slices or None)


def holdout_to_json(holdout: Holdout) -> dict[str, object]:
    """One holdout as plain JSON values."""
    return _sparse(
        id=holdout.id,
        bucketing=_bucketing_to_json(holdout.bucketing),
        range=_range_to_json(holdout.range),
        experiments=None if holdout.experiments is None else sorted(holdout.experiments),
    )


def condition_to_json(condition: Condition) -> dict[str, object]:
    """One condition as plain JSON values."""
    match condition:
        case Clause():
            return _clause_to_json(condition)
        case AllOf():
            return {"all": [condition_to_json(part) for part in condition.conditions]}
        case AnyOf():
            return {"any": [condition_to_json(part) for part in condition.conditions]}
        case Not():
            return {"not": condition_to_json(condition.condition)}
        case InSegment():
            return {"segment": condition.segment}
        case InBucket():
            ranges = [_range_to_json(each) for each in condition.ranges]
            return {"bucket": _bucketing_to_json(condition.bucketing), "ranges": ranges}
        case Prerequisite():
            return {"flag": condition.flag, "variants": list(condition.variants)}
        case JsonLogic():
            return _jsonlogic_to_json(condition)
        case _:
            assert_never(condition)


def _clause_to_json(clause: Clause) -> dict[str, object]:
    return _sparse(
        attribute=_path_to_json(clause.attribute),
        operator=clause.operator.value,
        values=list(clause.values) or None,
        negate=clause.negate or None,
        ignore_case=clause.ignore_case or None,
        missing=None if clause.missing is Missing.UNKNOWN else clause.missing.value,
    )


def _serve_to_json(serve: Serve) -> dict[str, object]:
    match serve:
        case ServeVariant():
            return {"variant": serve.variant}
        case Split():
            return {"split": _split_to_json(serve)}
        case JsonLogic():
            return _jsonlogic_to_json(serve)
        case _:
            assert_never(serve)


def _split_to_json(split: Split) -> dict[str, object]:
    standard = split.missing_unit is MissingUnit.STANDARD
    return _bucketing_to_json(split.bucketing) | _sparse(
        ranges=[_range_to_json(each) | {"variant": each.variant} for each in split.ranges],
        experiment=split.experiment,
        layer=split.layer,
        sticky=None if split.sticky is None else _sticky_to_json(split.sticky),
        missing_unit=None if standard else split.missing_unit.value,
    )


def _sticky_to_json(sticky: Sticky) -> dict[str, object]:
    return _sparse(version=sticky.version or None, minimum=sticky.minimum or None)


def _bucketing_to_json(bucketing: Bucketing) -> dict[str, object]:
    return _sparse(
        bucketer=None if bucketing.bucketer is BucketerName.XD else bucketing.bucketer.value,
        salt=bucketing.salt,
        unit=_unit_to_json(bucketing.unit),
        total=None if bucketing.total == BASIS_POINTS else bucketing.total,
    )


def _range_to_json(each: Range | SplitRange) -> dict[str, object]:
    closed = each.bounds is Bounds.CLOSED
    return _sparse(low=each.low, high=each.high, bounds=each.bounds.value if closed else None)


def _jsonlogic_to_json(logic: JsonLogic) -> dict[str, object]:
    newest = logic.fractional is BucketerName.FLAGD_3
    fractional = {} if newest else {"fractional": logic.fractional.value}
    return {"jsonlogic": logic.expression, **fractional}


def _schedule_to_json(schedule: Schedule) -> dict[str, object]:
    return _sparse(
        starts_at=None if schedule.starts_at is None else _moment_to_json(schedule.starts_at),
        ends_at=None if schedule.ends_at is None else _moment_to_json(schedule.ends_at),
    )


def _moment_to_json(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _unit_to_json(unit: AttributePath) -> str | list[str] | None:
    return None if unit == (TARGETING_KEY,) else _path_to_json(unit)


def _path_to_json(path: AttributePath) -> str | list[str]:
    return path[0] if len(path) == 1 else list(path)


def _sparse(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _clause(document: Object) -> Clause:
    fields = _object(document, _CLAUSE, needs=("attribute", "operator"))
    return Clause(
        attribute=_at("attribute", _path, fields["attribute"]),
        operator=_choice(fields, "operator", Operator, None),
        values=_list(fields, "values", _scalar, MOST_VALUES),
        negate=_boolean(fields, "negate", default=False),
        ignore_case=_boolean(fields, "ignore_case", default=False),
        missing=_choice(fields, "missing", Missing, Missing.UNKNOWN),
    )


def _all(document: Object, depth: int) -> Condition:
    return AllOf(_parts(document, "all", depth))


def _any(document: Object, depth: int) -> Condition:
    return AnyOf(_parts(document, "any", depth))


def _parts(document: Object, key: str, depth: int) -> tuple[Condition, ...]:
    fields = _object(document, frozenset({key}))
    return _list(fields, key, lambda part: condition_from_json(part, depth), MOST_PARTS)


def _not(document: Object, depth: int) -> Condition:
    fields = _object(document, frozenset({"not"}))
    return Not(_at("not", lambda part: condition_from_json(part, depth), fields["not"]))


def _segment(document: Object, _: int) -> Condition:
    return InSegment(_key(_object(document, frozenset({"segment"})), "segment"))


def _bucket(document: Object, _: int) -> Condition:
    fields = _object(document, frozenset({"bucket", "ranges"}), needs=("ranges",))
    return InBucket(_at("bucket", _bucketing, fields["bucket"]), _list(fields, "ranges", _range, MOST_RANGES))


def _flag(document: Object, _: int) -> Condition:
    return _prerequisite(document)


def _prerequisite(document: object) -> Prerequisite:
    fields = _object(document, frozenset({"flag", "variants"}), needs=("flag", "variants"))
    return Prerequisite(_key(fields, "flag"), _list(fields, "variants", _name, MOST_VARIANTS))


def _jsonlogic(document: Object, _: int = 0) -> JsonLogic:
    fields = _object(document, frozenset({"jsonlogic", "fractional"}))
    return JsonLogic(
        _at("jsonlogic", _frozen, fields["jsonlogic"]),
        _choice(fields, "fractional", BucketerName, BucketerName.FLAGD_3),
    )


_CONDITIONS: Mapping[str, Callable[[Object, int], Condition]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "segment": _segment,
    "bucket": _bucket,
    "flag": _flag,
    "jsonlogic": _jsonlogic,
}


def _serve(document: object) -> Serve:
    fields = _object(document, _SERVE)
    if "split" in fields:
        return _at("split", _split, _object(document, frozenset({"split"}))["split"])
    if "jsonlogic" in fields:
        return _jsonlogic(fields)
    return ServeVariant(_name(_object(document, frozenset({"variant"}), needs=("variant",))["variant"]))


def _split(document: object) -> Split:
    fields = _object(document, _SPLIT, needs=("salt", "ranges"))
    return Split(
        bucketing=_bucketing_in(fields),
        ranges=_list(fields, "ranges", _split_range, MOST_RANGES),
        experiment=_optional(fields, "experiment", _name),
        layer=_optional(fields, "layer", _name),
        sticky=_optional(fields, "sticky", _sticky),
        missing_unit=_choice(fields, "missing_unit", MissingUnit, MissingUnit.STANDARD),
    )


def _bucketing(document: object) -> Bucketing:
    return _bucketing_in(_object(document, _BUCKETING, needs=("salt",)))


def _bucketing_in(fields: Object) -> Bucketing:
    return Bucketing(
        salt=_text(fields, "salt", None, LONGEST_SALT),
        bucketer=_choice(fields, "bucketer", BucketerName, BucketerName.XD),
        unit=_unit(fields),
        total=_whole(fields, "total", BASIS_POINTS, least=1, most=LARGEST_TOTAL),
    )


def _unit(fields: Object) -> AttributePath:
    return _at("unit", _path, fields["unit"]) if "unit" in fields else (TARGETING_KEY,)


def _split_range(document: object) -> SplitRange:
    fields = _object(document, _SPLIT_RANGE, needs=("low", "high", "variant"))
    return SplitRange(
        low=_number(fields, "low"),
        high=_number(fields, "high"),
        variant=None if fields["variant"] is None else _at("variant", _name, fields["variant"]),
        bounds=_choice(fields, "bounds", Bounds, Bounds.HALF_OPEN),
    )


def _range(document: object) -> Range:
    fields = _object(document, _RANGE, needs=("low", "high"))
    bounds = _choice(fields, "bounds", Bounds, Bounds.HALF_OPEN)
    return Range(_number(fields, "low"), _number(fields, "high"), bounds)


def _slice(document: object) -> LayerSlice:
    fields = _object(document, _SLICE, needs=("experiment", "low", "high"))
    return LayerSlice(
        _at("experiment", _name, fields["experiment"]), _whole(fields, "low"), _whole(fields, "high")
    )


def _sticky(document: object) -> Sticky:
    fields = _object(document, frozenset({"version", "minimum"}))
    return Sticky(
        _whole(fields, "version", 0, most=MOST_VALUES), _whole(fields, "minimum", 0, most=MOST_VALUES)
    )


def _schedule(document: object) -> Schedule:
    fields = _object(document, frozenset({"starts_at", "ends_at"}))
    return Schedule(_optional(fields, "starts_at", _moment), _optional(fields, "ends_at", _moment))


def _moment(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise DatafileError(f"{_shown(value)} is not a time with its offset, such as '2026-01-31T08:00:00Z'")


def _variants(value: object, flag_type: FlagType) -> tuple[Variant, ...]:
    if not is_object(value):
        raise DatafileError(f"an object of values by variant is needed, not {_shown(value)}", ("variants",))
    if not 1 <= len(value) <= MOST_VARIANTS:
        raise DatafileError(f"a flag has 1 to {MOST_VARIANTS} variants, not {len(value)}", ("variants",))
    return tuple(_variant(name, item, flag_type) for name, item in value.items())


def _variant(name: str, value: object, flag_type: FlagType) -> Variant:
    if flag_type is FlagType.FLOAT and type(value) is int and abs(value) <= 2**53:
        value = float(value)
    if not fits(flag_type, value):
        raise DatafileError(f"{_shown(value)} is not a value of a {flag_type} flag", ("variants", name))
    frozen = _at(name, _frozen, value) if flag_type is FlagType.JSON else cast("JsonValue", value)
    return Variant(_at("variants", _name, name), frozen)


def _metadata(fields: Object) -> Mapping[str, Scalar]:
    value = fields.get("metadata")
    if value is None and "metadata" not in fields:
        return {}
    if not is_object(value) or len(value) > MOST_PARTS:
        raise DatafileError(
            f"an object of at most {MOST_PARTS} entries is needed, not {_shown(value)}", ("metadata",)
        )
    return {name: _at(name, _scalar, item) for name, item in value.items()}


def _object(document: object, allowed: frozenset[str], needs: Sequence[str] = ()) -> Object:
    if not is_object(document):
        raise DatafileError(f"an object is needed, not {_shown(document)}")
    if not document.keys() <= allowed:
        unknown = sorted(document.keys() - allowed)
        raise DatafileError(f"unknown key {unknown[0]!r}; the keys here are {', '.join(sorted(allowed))}")
    for name in needs:
        if name not in document:
            raise DatafileError(f"the key {name!r} is missing")
    return document


def _list(fields: Object, name: str, parse: Callable[[object], T], most: int) -> tuple[T, ...]:
    items = fields.get(name, ())
    if not is_array(items):
        raise DatafileError(f"an array is needed, not {_shown(items)}", (name,))
    if len(items) > most:
        raise DatafileError(f"{len(items)} entries; at most {most} are allowed", (name,))
    parsed: list[T] = []
    try:
        for item in items:
            parsed.append(parse(item))  # noqa: PERF401 — the length tells where it failed
    except DatafileError as error:
        raise error.within(f"{name}[{len(parsed)}]") from error
    return tuple(parsed)


def _at(step: str, parse: Callable[[object], T], value: object) -> T:
    try:
        return parse(value)
    except DatafileError as error:
        raise error.within(step) from error


def _optional(fields: Object, name: str, parse: Callable[[object], T]) -> T | None:
    return _at(name, parse, fields[name]) if name in fields else None


def _choice(fields: Object, name: str, choices: type[E], default: E | None) -> E:
    if name not in fields and default is not None:
        return default
    value = fields[name]
    if isinstance(value, str):
        found = choices._value2member_map_.get(value)
        if found is not None:
            return cast("E", found)
    raise DatafileError(f"{_shown(value)} is none of {', '.join(choices)}", (name,))


def _text(fields: Object, name: str, default: str | None, longest: int) -> str:
    value = fields.get(name, default)
    if isinstance(value, str) and len(value) <= longest and _is_unicode(value):
        return value
    raise DatafileError(f"{_shown(value)} is not text of at most {longest} characters", (name,))


def _key(fields: Object, name: str) -> str:
    value = fields[name]
    if isinstance(value, str) and _KEY.fullmatch(value):
        return value
    raise DatafileError(
        f"{_shown(value)} is not a key: 1 to {LONGEST_KEY} of A-Z a-z 0-9 _ . : @ -, beginning with a letter, "
        "a digit or _, without '..'",
        (name,),
    )


def _name(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= LONGEST_KEY and _is_unicode(value):
        return value
    raise DatafileError(f"{_shown(value)} is not a name of 1 to {LONGEST_KEY} characters")


def _member(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= LONGEST_SALT and _is_unicode(value):
        return value
    raise DatafileError(f"{_shown(value)} is not a unit: text of 1 to {LONGEST_SALT} characters")


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _path(value: object) -> AttributePath:
    if isinstance(value, str):
        return (_name(value),)
    if is_array(value) and 1 < len(value) <= DEEPEST_CONDITION:
        return tuple(_name(step) for step in value)
    raise DatafileError(f"{_shown(value)} is not an attribute: a name, or the names of a path of two or more")


def _scalar(value: object) -> Scalar:
    if isinstance(value, str):
        if len(value) <= LONGEST_TEXT and _is_unicode(value):
            return value
    elif isinstance(value, bool) or is_finite_number(value):
        return value
    raise DatafileError(
        f"{_shown(value)} is neither a boolean, a number nor text of at most {LONGEST_TEXT} characters"
    )


def _number(fields: Object, name: str) -> float:
    value = fields[name]
    if is_finite_number(value) and abs(value) <= LARGEST_TOTAL:
        return value
    raise DatafileError(f"{_shown(value)} is not a number up to {LARGEST_TOTAL}", (name,))


def _whole(fields: Object, name: str, default: int = 0, *, least: int = 0, most: int = 2**53 - 1) -> int:
    value = fields.get(name, default)
    if type(value) is int and least <= value <= most:
        return value
    raise DatafileError(f"{_shown(value)} is not a whole number from {least} to {most}", (name,))


def _boolean(fields: Object, name: str, *, default: bool) -> bool:
    value = fields.get(name, default)
    if isinstance(value, bool):
        return value
    raise DatafileError(f"{_shown(value)} is not true or false", (name,))


def _frozen(value: object) -> JsonValue:
    try:
        return freeze(value)
    except TypeError as error:
        raise DatafileError(str(error)) from error
    except RecursionError:
        raise DatafileError("the value is nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value))
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 — a line of a message


_RULESET = frozenset(
    {"format", "environment", "revision", "flags", "segments", "layers", "holdouts", "metadata"}
)
_FLAG = frozenset({"key", "type", "variants", "enabled", "rules", "fallthrough", "off", "metadata"})
_RULE = frozenset({"id", "name", "condition", "schedule", "prerequisites", "serve"})
_SEGMENT = frozenset({"id", "unit", "include", "exclude", "condition"})
_LAYER = frozenset({"id", "bucketing", "slices"})
_HOLDOUT = frozenset({"id", "bucketing", "range", "experiments"})
_CLAUSE = frozenset({"attribute", "operator", "values", "negate", "ignore_case", "missing"})
_SERVE = frozenset({"variant", "split", "jsonlogic", "fractional"})
_BUCKETING = frozenset({"bucketer", "salt", "unit", "total"})
_SPLIT = _BUCKETING | {"ranges", "experiment", "layer", "sticky", "missing_unit"}
_RANGE = frozenset({"low", "high", "bounds"})
_SPLIT_RANGE = _RANGE | {"variant"}
_SLICE = frozenset({"experiment", "low", "high"})
