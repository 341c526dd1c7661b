"""Compiled evaluation and explanation against a slow, obvious interpreter of the datafile's JSON.

It shares nothing with the engine but the bucketers and JsonLogic, which have vectors of their own.
"""

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_engine import Context, check, compile_ruleset, dumps, evaluate, explain
from assay_engine.bucketing import prepare, unit_text
from assay_engine.model import BucketerName, Bucketing, JsonLogic
from assay_engine.rules.jsonlogic import compile_logic
from assay_engine.rules.loose import is_truthy
from assay_engine.testing import random_context, random_moment, random_ruleset
from assay_engine.values import is_array, is_object

Json = Mapping[str, Any]
Marks = list[tuple[str, bool]]
"""Holdouts that were met, and whether each keeps the unit out."""


class Interpreter:
    """Reads rules as the reference page says they are, one context at one moment."""

    def __init__(self, datafile: Json, values: Mapping[str, Any], now: datetime) -> None:
        self.flags = {flag["key"]: flag for flag in datafile.get("flags", [])}
        self.segments = {segment["id"]: segment for segment in datafile.get("segments", [])}
        self.layers = {layer["id"]: layer for layer in datafile.get("layers", [])}
        self.holdouts = datafile.get("holdouts", [])
        self.values = values
        self.now = now

    def flag(self, key: str) -> dict[str, Any]:
        flag = self.flags[key]
        if not flag.get("enabled", True):
            return {
                "variant": flag.get("off"),
                "reason": "DISABLED",
                "rule": None,
                "experiment": None,
                **self.told([]),
            }
        rules = flag.get("rules", [])
        met: Marks = []
        for rule in rules:
            found = self.rule(flag, rule)
            if isinstance(found, dict):
                marks = self.told(met, found.pop("met", []))
                return {**found, "rule": found.get("rule", rule["id"]), **marks}
            met = met + (found or [])
        return self.fallthrough(flag, met)

    def told(self, met: Marks, own: Marks | None = None) -> dict[str, Any]:
        """The holdout that kept the unit out on the way, and all that were met, each once."""
        first: dict[str, bool] = {}
        for holdout, is_held in [*met, *(own or [])]:
            first.setdefault(holdout, is_held)
        held = [holdout for holdout, is_held in met if is_held]
        return {"holdout": held[0] if held else None, "met": list(first.items())}

    def fallthrough(self, flag: Json, met: Marks) -> dict[str, Any]:
        nothing = {"variant": None, "reason": "DEFAULT", "rule": None, "experiment": None}
        serve = flag.get("fallthrough")
        if serve is None:
            return {**nothing, **self.told(met)}
        if "variant" in serve:
            reason = "DEFAULT" if flag.get("rules") else "STATIC"
            return {**nothing, "variant": serve["variant"], "reason": reason, **self.told(met)}
        found = self.serve(flag, serve)
        if isinstance(found, dict):
            marks = self.told(met, found.pop("met", []))
            return {**found, "rule": None, **marks}
        return {**nothing, **self.told(met + (found or []))}

    def meeting(self, experiment: str | None, named: list[str] | None = None) -> Marks:
        """The holdouts of an experiment in order, up to the one that keeps the unit out."""
        met: Marks = []
        for holdout in self.holdouts:
            scope = holdout.get("experiments")
            if not experiment or not (scope is None or experiment in scope):
                continue
            if named is not None and holdout["id"] not in named:
                continue
            place = self.bucket(holdout["bucketing"])
            met.append((holdout["id"], place is not None and inside(place, holdout["range"])))
            if met[-1][1]:
                break
        return met

    def rule(self, flag: Json, rule: Json) -> dict[str, Any] | Marks | None:  # noqa: PLR0911 — one for each gate
        schedule = rule.get("schedule", {})
        if "starts_at" in schedule and self.now < moment(schedule["starts_at"]):
            return None
        if "ends_at" in schedule and self.now >= moment(schedule["ends_at"]):
            return None
        split = rule["serve"].get("split", {})
        if "sticky" in split:
            decided, variant = self.sticky(split)
            if decided:
                experiment = split.get("experiment")
                met = self.meeting(experiment) or self.left(rule)
                served = {"variant": variant, "reason": "SPLIT", "experiment": experiment, "met": met}
                return met if variant is None else served
        if not all(self.condition(flag, each) for each in rule.get("prerequisites", [])):
            return None
        if "condition" in rule and self.condition(flag, rule["condition"]) is not True:
            return None
        met = self.left(rule)
        if any(is_held for _, is_held in met):
            return met
        found = self.serve(flag, rule["serve"])
        if isinstance(found, dict):
            return {**found, "met": met or found.get("met", [])}
        return met or found

    def left(self, rule: Json) -> Marks:
        held = rule.get("held")
        return self.meeting(held["experiment"], held["holdouts"]) if held else []

    def sticky(self, split: Json) -> tuple[bool, str | None]:
        assignments = self.values.get("$assignments", {})
        version, minimum = split["sticky"].get("version", 0), split["sticky"].get("minimum", 0)
        name = split["sticky"].get("experiment") or split["experiment"]
        if any(f"{name}#{old}" in assignments for old in range(minimum)):
            return True, None
        variant = assignments.get(f"{name}#{version}")
        return (variant is not None and variant in [each["variant"] for each in split["ranges"]]), variant

    def serve(self, flag: Json, serve: Json) -> dict[str, Any] | Marks | None:
        if "variant" in serve:
            return {"variant": serve["variant"], "reason": "TARGETING_MATCH", "experiment": None}
        if "jsonlogic" in serve:
            return self.logic(flag, serve)
        return self.split(serve["split"])

    def logic(self, flag: Json, serve: Json) -> dict[str, Any] | None:
        result = self.run(serve, flag["key"])
        if result is None:
            return None
        name = {True: "true", False: "false"}[result] if isinstance(result, bool) else result
        if isinstance(name, str) and name in flag["variants"]:
            return {"variant": name, "reason": "TARGETING_MATCH", "experiment": None}
        return {"variant": None, "reason": "ERROR", "rule": None, "experiment": None}

    def run(self, node: Json, flag_key: str) -> Any:
        logic = JsonLogic(node["jsonlogic"], BucketerName(node.get("fractional", "flagd3")))
        return compile_logic(logic, flag_key)(self.values, self.now)

    def split(self, split: Json) -> dict[str, Any] | Marks | None:
        experiment = split.get("experiment")
        place = self.in_window(split) if "windows" in split else self.bucket(split)
        if place is None:
            return self.without_unit(split)
        met = self.meeting(experiment)
        if any(is_held for _, is_held in met):
            return met
        found = self.unguarded(split, place)
        return met if found is None else {**found, "met": met}

    def unguarded(self, split: Json, place: float) -> dict[str, Any] | None:
        experiment = split.get("experiment")
        if "layer" in split:
            layer = self.layers[split["layer"]]
            at = self.bucket(layer["bucketing"])
            mine = [each for each in layer["slices"] if each["experiment"] == experiment]
            if at is None or not any(each["low"] <= at < each["high"] for each in mine):
                return None
        for each in split["ranges"]:
            if inside(place, each):
                variant = each["variant"]
                return (
                    None
                    if variant is None
                    else {"variant": variant, "reason": "SPLIT", "experiment": experiment}
                )
        return None

    def without_unit(self, split: Json) -> dict[str, Any] | None:
        policy = split.get("missing_unit", "standard")
        if policy == "first":
            first = next(each["variant"] for each in split["ranges"] if each["variant"] is not None)
            return {"variant": first, "reason": "SPLIT", "experiment": None}
        if policy == "standard" and split.get("unit", "targetingKey") == "targetingKey":
            return {"variant": None, "reason": "ERROR", "rule": None, "experiment": None}
        return None

    def bucket(self, bucketing: Json) -> float | None:
        unit = bucketing.get("unit", "targetingKey")
        named = BucketerName(bucketing.get("bucketer", "xd"))
        where = Bucketing(bucketing["salt"], named, total=bucketing.get("total", 10_000))
        return prepare(where)(self.attribute(unit))

    def in_window(self, split: Json) -> float | None:
        """Each window by its own hash, turned around the line by its place in the block."""
        windows, total = split["windows"], split.get("total", 10_000)
        minutes, block = windows["minutes"], windows.get("block", 1)
        number = math.floor((self.now - moment(windows["anchor"])).total_seconds() / 60 / minutes)
        unit = unit_text(self.attribute(split.get("unit", "targetingKey")))
        if not unit:
            return None
        hashed = prepare(Bucketing(split["salt"], total=total))(f"{unit}:{math.floor(number / block)}")
        return None if hashed is None else (hashed + number % block * total // block) % total

    def attribute(self, path: str | list[str]) -> Any:
        found: Any = self.values
        for name in [path] if isinstance(path, str) else path:
            found = found.get(name) if is_object(found) else None
        return found

    def condition(self, flag: Json, node: Json) -> bool | None:  # noqa: PLR0911 — one for each kind
        """Strong Kleene logic: None is unknown."""
        if "all" in node:
            verdicts = [self.condition(flag, part) for part in node["all"]]
            return False if False in verdicts else None if None in verdicts else True
        if "any" in node:
            verdicts = [self.condition(flag, part) for part in node["any"]]
            return True if True in verdicts else None if None in verdicts else False
        if "not" in node:
            verdict = self.condition(flag, node["not"])
            return None if verdict is None else not verdict
        if "attribute" in node:
            return self.clause(node)
        if "segment" in node:
            return self.member(self.segments[node["segment"]])
        if "bucket" in node:
            place = self.bucket(node["bucket"])
            return None if place is None else any(inside(place, each) for each in node["ranges"])
        if "flag" in node:
            enabled = self.flags[node["flag"]].get("enabled", True)
            return enabled and self.flag(node["flag"])["variant"] in node["variants"]
        result = self.run(node, flag["key"])
        return is_truthy(result)

    def member(self, segment: Json) -> bool:
        key = self.attribute(segment.get("unit", "targetingKey"))
        if isinstance(key, str) and key in segment.get("exclude", []):
            return False
        if isinstance(key, str) and key in segment.get("include", []):
            return True
        return "condition" in segment and self.condition({"key": ""}, segment["condition"]) is True

    def clause(self, clause: Json) -> bool | None:
        value = self.attribute(clause["attribute"])
        verdict = said(clause["operator"], value, clause.get("values", []), clause.get("ignore_case", False))
        if verdict is None:
            return {"unknown": None, "fails": False, "holds": True}[clause.get("missing", "unknown")]
        return verdict is not clause.get("negate", False)


def inside(place: float, each: Json) -> bool:
    closed = each.get("bounds") == "closed"
    return each["low"] <= place < each["high"] or (closed and place == each["high"] and each["low"] <= place)


def said(  # noqa: C901, PLR0911 — the reference, on one page
    operator: str,
    value: Any,
    operands: list[Any],
    ignore_case: bool,
) -> bool | None:
    if operator == "present":
        return value is not None
    if operator == "absent":
        return value is None
    if operator in {"equals", "in"}:
        alike = [each for each in operands if kind(each) == kind(value)]
        return (
            None
            if kind(value) is None or not alike
            else any(same(value, each, ignore_case) for each in alike)
        )
    if operator in {"has_any", "has_all"}:
        if not is_array(value):
            return None
        items = value
        found = [any(kind(i) == kind(o) and same(i, o, ignore_case) for i in items) for o in operands]
        return any(found) if operator == "has_any" else all(found)
    if operator in {"less", "less_or_equal", "greater", "greater_or_equal"}:
        return ordered(operator, value, operands[0]) if kind(value) == "number" else None
    if operator in {"before", "after"}:
        at = moment_or_none(value)
        if at is None:
            return None
        return at < moment(operands[0]) if operator == "before" else at > moment(operands[0])
    if not isinstance(value, str):
        return None
    if operator.startswith("semver_"):
        mine, theirs = version(value), version(operands[0])
        return None if mine is None else ordered(operator.removeprefix("semver_"), mine, theirs)
    if operator == "in_network":
        return in_network(value, operands)
    if operator == "matches":
        flags = re.ASCII | (re.IGNORECASE if ignore_case else 0)
        return (
            None
            if len(value) > 512
            else any(re.search(p.replace("$", r"\Z"), value, flags) for p in operands)
        )
    subject = value.lower() if ignore_case else value
    texts = [each.lower() if ignore_case else each for each in operands]
    test = {"contains": str.__contains__, "starts_with": str.startswith, "ends_with": str.endswith}[operator]
    return any(test(subject, text) for text in texts)


def kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return None if isinstance(value, float) and math.isnan(value) else "number"
    return "text" if isinstance(value, str) else None


def same(left: Any, right: Any, ignore_case: bool) -> bool:
    return left.lower() == right.lower() if ignore_case and isinstance(left, str) else left == right


def ordered(operator: str, left: Any, right: Any) -> bool:
    return {
        "equals": lambda: left == right,
        "less": lambda: left < right,
        "less_or_equal": lambda: left <= right,
        "greater": lambda: left > right,
        "greater_or_equal": lambda: left >= right,
    }[operator]()


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def moment_or_none(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not re.fullmatch(
        r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?", value
    ):
        return None
    return moment(value)


def version(text: str) -> Any:
    found = re.fullmatch(
        r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:(?<=\d\.\d\.\d)-([a-z0-9.]+))?(?:\+[a-z0-9.]+)?", text
    )
    if not found:
        return None
    numbers = tuple(int(found[at] or 0) for at in (1, 2, 3))
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in (found[4] or "").split(".")]
    return (*numbers, (0, parts) if found[4] else (1, []))


def in_network(value: str, networks: list[str]) -> bool | None:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in ipaddress.ip_network(network, strict=False) for network in networks)


def assert_three_ways_agree(seed: int, contexts: int) -> int:
    rng = Random(seed)
    ruleset = random_ruleset(rng)
    compiled = compile_ruleset(ruleset)
    datafile = json.loads(dumps(ruleset))
    for _ in range(contexts):
        context, now = random_context(rng), random_moment(rng)
        for flag in ruleset.flags:
            answer = evaluate(compiled, flag.key, context, now=now)
            assert explain(compiled, flag.key, context, now=now).evaluation == answer, seed
            obvious = Interpreter(datafile, context.values, now).flag(flag.key)
            told = {
                "variant": answer.variant,
                "reason": answer.reason.value,
                "rule": answer.rule_id,
                "experiment": answer.experiment,
                "holdout": answer.holdout,
                "met": [(each.id, each.is_held) for each in answer.holdouts],
            }
            assert told == obvious, (seed, flag.key)
            values = {variant.name: variant.value for variant in flag.variants}
            assert answer.value == (None if answer.variant is None else values[answer.variant])
    return contexts * len(ruleset.flags)


@given(st.integers(0, 2**63))
def test_compiled_explained_and_interpreted_answers_are_the_same(seed: int) -> None:
    assert_three_ways_agree(seed, contexts=4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_rulesets_and_contexts_agree(part: int) -> None:
    pairs = sum(assert_three_ways_agree(part * 10**6 + at, contexts=2) for at in range(5_000))

    assert pairs >= 10_000


@given(st.integers(0, 2**63))
def test_random_rulesets_pass_the_check(seed: int) -> None:
    problems = check(random_ruleset(Random(seed)))

    assert [str(problem) for problem in problems if problem.severity == "error"] == []


def test_a_context_without_anything_gets_an_answer_from_every_flag() -> None:
    for seed in range(200):
        ruleset = random_ruleset(Random(seed))
        compiled = compile_ruleset(ruleset)

        for flag in ruleset.flags:
            assert (
                evaluate(compiled, flag.key, Context.of(), now=datetime(2026, 1, 1, tzinfo=UTC)).flag_key
                == flag.key
            )
