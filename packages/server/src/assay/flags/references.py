"""What flags refer to and what they can serve: read off their rules, without a context."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import cast

from msgspec.structs import replace

from assay_engine import Flag, Rule, Ruleset
from assay_engine.context import TARGETING_KEY
from assay_engine.model import Bounds, JsonLogic, MissingUnit, Serve, ServeVariant, Split
from assay_engine.writing import flag_to_json, segment_to_json


def only(ruleset: Ruleset, keys: Collection[str]) -> Ruleset:
    """Some of a ruleset's flags with all that they need; holdouts stay, as they may concern any."""
    flags = {flag.key: flag_to_json(flag) for flag in ruleset.flags}
    conditions = {each.id: segment_to_json(each).get("condition") for each in ruleset.segments}
    needed = _closure(set(keys), lambda key: _named(flags.get(key), "flag"))
    written = [flags[key] for key in needed if key in flags]
    segments = _closure(set(_named(written, "segment")), lambda key: _named(conditions.get(key), "segment"))
    layers = set(_named(written, "layer"))
    return replace(
        ruleset,
        flags=tuple(flag for flag in ruleset.flags if flag.key in needed),
        segments=tuple(each for each in ruleset.segments if each.id in segments),
        layers=tuple(each for each in ruleset.layers if each.id in layers),
    )


def dependents(ruleset: Ruleset, keys: Collection[str]) -> set[str]:
    """The flags and all those that have one of them as a prerequisite, through others too."""
    return set[str]().union(*dependents_of_each(ruleset, keys).values())


def dependents_of_each(ruleset: Ruleset, keys: Collection[str]) -> dict[str, set[str]]:
    """The same for each of the flags, reading the ruleset once."""
    needed_by: dict[str, set[str]] = {}
    for flag in ruleset.flags if keys else ():
        for prerequisite in _named(flag_to_json(flag), "flag"):
            needed_by.setdefault(prerequisite, set()).add(flag.key)
    return {key: _closure({key}, lambda each: needed_by.get(each, set())) for key in keys}


def resting_on(ruleset: Ruleset, kind: str, key: str) -> dict[str, set[str]]:
    """The flags whose answers a segment, layer or holdout can change, each with its experiments concerned.

    A flag that only has one of them as a prerequisite is concerned with all of its experiments.
    """
    direct = _using(ruleset, kind, key)
    further = dependents(ruleset, direct) - direct.keys()
    return direct | {flag.key: experiments_of(flag) for flag in ruleset.flags if flag.key in further}


def experiments_of(flag: Flag) -> set[str]:
    """The experiments whose splits stand in the flag."""
    return {split.experiment for split in _splits(flag) if split.experiment}


def servable(flag: Flag) -> set[str | None]:
    """The variants the flag can serve, whoever asks; None for the code's default."""
    if not flag.enabled:
        return {flag.off}
    found: set[str | None] = set()
    for rule in flag.rules:
        variants = _served_by(rule.serve, flag)
        found |= variants - {None}
        if None not in variants and not _is_limited(rule):
            return found
    return found | (_served_by(flag.fallthrough, flag) if flag.fallthrough else {None})


def named_in(document: object, kind: str) -> set[str]:
    """The segments, or whatever else the kind is, that a document refers to."""
    return set(_named(document, kind))


def held_out(ruleset: Ruleset, key: str) -> list[tuple[str, str]]:
    """Enabled flags and their experiments, running or left behind, that this holdout keeps units out of."""
    scopes = [holdout.experiments for holdout in ruleset.holdouts if holdout.id == key]
    return [
        (flag.key, experiment)
        for scope in scopes
        for flag in ruleset.flags
        if flag.enabled
        for experiment in sorted(experiments_of(flag) | _left_behind(flag, key))
        if scope is None or experiment in scope
    ]


def _using(ruleset: Ruleset, kind: str, key: str) -> dict[str, set[str]]:
    match kind:
        case "segment":
            segments = _containing(ruleset, key)
            users = [each for each in ruleset.flags if segments & named_in(flag_to_json(each), "segment")]
            return {flag.key: experiments_of(flag) for flag in users}
        case "layer":
            found = {flag.key: _experiments_in(flag, key) for flag in ruleset.flags}
            return {flag: experiments for flag, experiments in found.items() if experiments}
        case _:
            held: dict[str, set[str]] = {}
            for flag, experiment in held_out(ruleset, key):
                held.setdefault(flag, set()).add(experiment)
            return held


def _containing(ruleset: Ruleset, key: str) -> set[str]:
    """The segment and those whose conditions need it, through others too."""
    needed_by: dict[str, set[str]] = {}
    for segment in ruleset.segments:
        for named in _named(segment_to_json(segment), "segment"):
            needed_by.setdefault(named, set()).add(segment.id)
    return _closure({key}, lambda each: needed_by.get(each, set()))


def _experiments_in(flag: Flag, layer: str) -> set[str]:
    return {split.experiment for split in _splits(flag) if split.layer == layer and split.experiment}


def _left_behind(flag: Flag, holdout: str) -> set[str]:
    """The experiments of which the flag has what this holdout kept units out of."""
    held = [rule.held for rule in flag.rules if rule.held is not None]
    return {each.experiment for each in held if holdout in each.holdouts}


def _splits(flag: Flag) -> list[Split]:
    serves = [rule.serve for rule in flag.rules] + ([flag.fallthrough] if flag.fallthrough else [])
    return [serve for serve in serves if isinstance(serve, Split)]


def _is_limited(rule: Rule) -> bool:
    is_held = rule.held is not None and bool(rule.held.holdouts)
    return is_held or rule.condition is not None or rule.schedule is not None or bool(rule.prerequisites)


def _served_by(serve: Serve, flag: Flag) -> set[str | None]:
    match serve:
        case ServeVariant(variant):
            return {variant}
        case Split():
            return _served_by_split(serve)
        case JsonLogic():
            return {None, *(variant.name for variant in flag.variants)}


def _served_by_split(split: Split) -> set[str | None]:
    variants = {each.variant for each in split.ranges if each.high > each.low or each.bounds is Bounds.CLOSED}
    if split.sticky is not None:
        # A unit keeps the variant it had, also when nobody new is given it.
        variants |= {each.variant for each in split.ranges}
    # Layers and holdouts keep units out; so does a missing unit, which for the targeting key is an error.
    leaves_out = split.experiment is not None or split.layer is not None
    match split.missing_unit:
        case MissingUnit.FIRST:
            variants |= {each.variant for each in split.ranges}
        case MissingUnit.SKIP:
            leaves_out = True
        case MissingUnit.STANDARD:
            leaves_out = leaves_out or split.bucketing.unit != (TARGETING_KEY,)
    return variants | {None} if leaves_out else variants


def _closure(start: set[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    found = set(start)
    waiting = list(start)
    while waiting:
        new = set(following(waiting.pop())) - found
        found |= new
        waiting.extend(new)
    return found


def _named(value: object, key: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _named(item, key)
    elif isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if isinstance(name := fields.get(key), str):
            yield name
        for item in fields.values():
            yield from _named(item, key)
