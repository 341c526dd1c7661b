"""Model to JSON: keys in a fixed order, defaults left out, so that equal rulesets have equal bytes."""

from datetime import UTC, datetime
from typing import assert_never

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
    Held,
    Holdout,
    InBucket,
    InSegment,
    JsonLogic,
    Layer,
    Missing,
    MissingUnit,
    Not,
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
    Windows,
)
from assay_engine.parsing import FORMAT


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
        held=None if rule.held is None else _held_to_json(rule.held),
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


def condition_to_json(condition: Condition) -> dict[str, object]:  # noqa: PLR0911 — one for each kind
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
        windows=None if split.windows is None else _windows_to_json(split.windows),
        exposes=None if split.exposes is None else _path_to_json(split.exposes),
        missing_unit=None if standard else split.missing_unit.value,
    )


def _held_to_json(held: Held) -> dict[str, object]:
    return {"experiment": held.experiment, "holdouts": list(held.holdouts)}


def _sticky_to_json(sticky: Sticky) -> dict[str, object]:
    return _sparse(
        version=sticky.version or None, minimum=sticky.minimum or None, experiment=sticky.experiment
    )


def _windows_to_json(windows: Windows) -> dict[str, object]:
    return _sparse(
        minutes=windows.minutes,
        anchor=_moment_to_json(windows.anchor),
        block=None if windows.block == 1 else windows.block,
    )


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
