"""The same flags for each engine: static, two clauses, a 30 % rollout, five rules and a split."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from assay_engine.model import (
    AllOf,
    Bucketing,
    Clause,
    Flag,
    Operator,
    Rule,
    ServeVariant,
    Split,
    SplitRange,
    Variant,
)
from assay_engine.values import FlagType

Clauses: TypeAlias = Sequence[tuple[str, Operator, Sequence[Any]]]

ATTRIBUTES: dict[str, Any] = {
    "plan": "pro", "age": 30, "email": "ann@example.com", "country": "DE", "visits": 50, "version": "2.5.1",
    "beta": False, "device": "android", "language": "de", "company": "acme", "seats": 12, "region": "eu",
}  # fmt: skip
# Five rules of three mixed clauses; the context above fails them at the first, second or third clause.
FIVE: Sequence[Clauses] = (
    (
        ("plan", Operator.IN, ["team", "enterprise"]),
        ("age", Operator.GREATER_OR_EQUAL, [18]),
        ("device", Operator.IN, ["ios"]),
    ),
    (
        ("country", Operator.IN, ["DE", "FR"]),
        ("visits", Operator.GREATER, [100]),
        ("device", Operator.IN, ["ios"]),
    ),
    (
        ("version", Operator.SEMVER_GREATER_OR_EQUAL, ["2.4.0"]),
        ("beta", Operator.EQUALS, [True]),
        ("plan", Operator.IN, ["free"]),
    ),
    (
        ("language", Operator.IN, ["fr", "it"]),
        ("seats", Operator.LESS, [3]),
        ("region", Operator.IN, ["us"]),
    ),
    (
        ("device", Operator.IN, ["android", "ios"]),
        ("age", Operator.LESS, [99]),
        ("visits", Operator.GREATER, [60]),
    ),
)
TWO = (("plan", Operator.IN, ["pro"]), ("age", Operator.GREATER_OR_EQUAL, [18]))
THIRDS = (("a", 0, 3_333), ("b", 3_333, 6_666), ("c", 6_666, 10_000))
CASES = ("static", "two_clauses", "rollout", "five_rules")


def assay_flag(case: str, key: str) -> Flag:
    """A flag of the case in our model."""
    switch = (Variant("on", True), Variant("off", False))
    off = ServeVariant("off")
    match case:
        case "static":
            return Flag(key, FlagType.BOOLEAN, switch, fallthrough=ServeVariant("on"), off="off")
        case "two_clauses":
            rule = Rule("r0", ServeVariant("on"), condition=assay_condition(TWO))
            return Flag(key, FlagType.BOOLEAN, switch, rules=(rule,), fallthrough=off, off="off")
        case "rollout":
            shares = (SplitRange(0, 3_000, "on"), SplitRange(3_000, 10_000, None))
            rule = Rule("r0", Split(Bucketing(f"{key}.r0"), shares))
            return Flag(key, FlagType.BOOLEAN, switch, rules=(rule,), fallthrough=off, off="off")
        case _:
            return assay_five(key)


def assay_five(key: str) -> Flag:
    """Five rules of three clauses, then a three-way split."""
    rules = tuple(
        Rule(f"r{at}", ServeVariant("a"), condition=assay_condition(each)) for at, each in enumerate(FIVE)
    )
    split = Split(
        Bucketing(key), tuple(SplitRange(low, high, name) for name, low, high in THIRDS), experiment=key
    )
    variants = tuple(Variant(name, name) for name in "abc")
    return Flag(key, FlagType.STRING, variants, rules=rules, fallthrough=split, off="a")


def assay_condition(clauses: Clauses) -> AllOf:
    """Clauses that must all hold."""
    return AllOf(tuple(Clause((name,), operator, tuple(values)) for name, operator, values in clauses))


EPPO_OPERATORS = {
    Operator.IN: "ONE_OF",
    Operator.EQUALS: "ONE_OF",
    Operator.GREATER: "GT",
    Operator.GREATER_OR_EQUAL: "GTE",
    Operator.LESS: "LT",
    Operator.SEMVER_GREATER_OR_EQUAL: "GTE",
}


def eppo_rule(clauses: Clauses) -> dict[str, Any]:
    """Clauses that must all hold, as Eppo writes them."""
    conditions: list[dict[str, Any]] = []
    for name, operator, values in clauses:
        named = EPPO_OPERATORS[operator]
        texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
        conditions.append(
            {"attribute": name, "operator": named, "value": texts if named == "ONE_OF" else values[0]}
        )
    return {"conditions": conditions}


def eppo_flag(case: str, key: str) -> dict[str, Any]:
    """A flag of the case in Eppo's universal flag configuration."""

    def allocation(name: str, variant: str, rules: list[Any], shards: list[Any]) -> dict[str, Any]:
        return {
            "key": name,
            "rules": rules,
            "doLog": False,
            "splits": [{"variationKey": variant, "shards": shards}],
        }

    match case:
        case "static":
            allocations = [allocation("all", "on", [], [])]
        case "two_clauses":
            allocations = [allocation("r0", "on", [eppo_rule(TWO)], []), allocation("all", "off", [], [])]
        case "rollout":
            third = [{"salt": f"{key}.r0", "ranges": [{"start": 0, "end": 3_000}]}]
            allocations = [allocation("r0", "on", [], third), allocation("all", "off", [], [])]
        case _:
            allocations = [allocation(f"r{at}", "a", [eppo_rule(each)], []) for at, each in enumerate(FIVE)]
            splits = [
                {"variationKey": name, "shards": [{"salt": key, "ranges": [{"start": low, "end": high}]}]}
                for name, low, high in THIRDS
            ]
            allocations.append({"key": "all", "rules": [], "doLog": False, "splits": splits})
    names: Sequence[tuple[str, Any]] = (
        [("on", True), ("off", False)] if case != "five_rules" else [(n, n) for n in "abc"]
    )
    return {
        "key": key,
        "enabled": True,
        "variationType": "BOOLEAN" if case != "five_rules" else "STRING",
        "variations": {name: {"key": name, "value": value} for name, value in names},
        "allocations": allocations,
        "totalShards": 10_000,
    }


def growthbook_condition(clauses: Clauses) -> dict[str, Any]:
    """Clauses that must all hold, as GrowthBook writes them."""
    written: dict[str, Any] = {}
    for name, operator, values in clauses:
        match operator:
            case Operator.IN:
                written[name] = {"$in": list(values)}
            case Operator.EQUALS:
                written[name] = values[0]
            case Operator.SEMVER_GREATER_OR_EQUAL:
                written[name] = {"$vgte": values[0]}
            case _:
                sign = {Operator.GREATER: "$gt", Operator.GREATER_OR_EQUAL: "$gte", Operator.LESS: "$lt"}[
                    operator
                ]
                written[name] = {sign: values[0]}
    return written


def growthbook_flag(case: str, key: str) -> dict[str, Any]:
    """A feature of the case in GrowthBook's payload."""
    match case:
        case "static":
            return {"defaultValue": True}
        case "two_clauses":
            return {"defaultValue": False, "rules": [{"condition": growthbook_condition(TWO), "force": True}]}
        case "rollout":
            rule = {"force": True, "coverage": 0.3, "hashAttribute": "id", "hashVersion": 2, "seed": key}
            return {"defaultValue": False, "rules": [rule]}
        case _:
            rules: list[dict[str, Any]] = [
                {"condition": growthbook_condition(each), "force": "a"} for each in FIVE
            ]
            rules.append({"key": key, "variations": ["a", "b", "c"], "weights": [0.3333, 0.3333, 0.3334],
                          "hashAttribute": "id", "hashVersion": 2, "seed": key})  # fmt: skip
            return {"defaultValue": "a", "rules": rules}
