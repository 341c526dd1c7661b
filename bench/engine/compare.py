"""The engine beside eppo-server-sdk (Rust) and growthbook (Python) on equal rules, in one run.

Usage: `python bench/engine/compare.py [--json FILE]`. Times are CPU time of this thread, the least of many
repetitions: a busy machine makes all three slower, so the ratios are the result.
"""

import argparse
import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import eppo_client
import growthbook
from eppo_client import ClientConfig

from assay_engine import Context, compile_ruleset, dumps, evaluate, evaluate_all
from assay_engine.model import (
    AllOf,
    Bucketing,
    Clause,
    Flag,
    Operator,
    Rule,
    Ruleset,
    ServeVariant,
    Split,
    SplitRange,
    Variant,
)
from assay_engine.values import FlagType

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEY = "user-123"
ATTRIBUTES: dict[str, Any] = {
    "plan": "pro", "age": 30, "email": "ann@example.com", "country": "DE", "visits": 50, "version": "2.5.1",
    "beta": False, "device": "android", "language": "de", "company": "acme", "seats": 12, "region": "eu",
}  # fmt: skip
# Five rules of three mixed clauses; the context above fails them at the first, second or third clause.
FIVE: Sequence[Sequence[tuple[str, Operator, Sequence[Any]]]] = (
    (("plan", Operator.IN, ["team", "enterprise"]), ("age", Operator.GREATER_OR_EQUAL, [18]), ("device", Operator.IN, ["ios"])),
    (("country", Operator.IN, ["DE", "FR"]), ("visits", Operator.GREATER, [100]), ("device", Operator.IN, ["ios"])),
    (("version", Operator.SEMVER_GREATER_OR_EQUAL, ["2.4.0"]), ("beta", Operator.EQUALS, [True]), ("plan", Operator.IN, ["free"])),
    (("language", Operator.IN, ["fr", "it"]), ("seats", Operator.LESS, [3]), ("region", Operator.IN, ["us"])),
    (("device", Operator.IN, ["android", "ios"]), ("age", Operator.LESS, [99]), ("visits", Operator.GREATER, [60])),
)  # fmt: skip
TWO = (("plan", Operator.IN, ["pro"]), ("age", Operator.GREATER_OR_EQUAL, [18]))
THIRDS = (("a", 0, 3_333), ("b", 3_333, 6_666), ("c", 6_666, 10_000))
CASES = ("static", "two_clauses", "rollout", "five_rules")


@dataclass(frozen=True, slots=True)
class Row:
    """One case: microseconds for each engine."""

    case: str
    assay_us: float
    eppo_us: float | None
    growthbook_us: float | None


def least_seconds(run: Callable[[], object], number: int, repeats: int) -> float:
    """The least CPU time of one run among many repetitions."""
    best = float("inf")
    for _ in range(repeats):
        times = range(number)
        started = time.thread_time()
        for _ in times:
            run()
        best = min(best, time.thread_time() - started)
    return best / number


# --- the same four flags for each engine ---


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


def assay_condition(clauses: Sequence[tuple[str, Operator, Sequence[Any]]]) -> AllOf:
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


def eppo_rule(clauses: Sequence[tuple[str, Operator, Sequence[Any]]]) -> dict[str, Any]:
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
    everyone = [{"salt": key, "ranges": [{"start": 0, "end": 10_000}]}]

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
        "allocations": allocations if everyone else [],
        "totalShards": 10_000,
    }


def growthbook_condition(clauses: Sequence[tuple[str, Operator, Sequence[Any]]]) -> dict[str, Any]:
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


class Silent(eppo_client.AssignmentLogger):
    """Eppo wants a logger; nothing here logs."""

    def log_assignment(self, event: Any) -> None:
        """Do nothing."""


def eppo(flags: dict[str, Any]) -> Any:
    """An Eppo client on a fixed configuration, without polling."""
    configuration = {
        "createdAt": "2026-01-01T00:00:00.000Z",
        "format": "SERVER",
        "environment": {"name": "bench"},
        "flags": flags,
    }
    client = eppo_client.init(
        ClientConfig(
            api_key="bench",
            base_url="http://127.0.0.1:9",
            assignment_logger=Silent(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(
                flags_configuration=json.dumps(configuration).encode()
            ),
        )
    )
    return client


# --- measuring ---


def evaluation_rows() -> list[Row]:
    """Each case in a ruleset of 200 flags, one context of twelve attributes."""
    keys = [f"{case}_{at}" for at in range(50) for case in CASES]
    cases = [key.rsplit("_", 1)[0] for key in keys]
    ours = compile_ruleset(Ruleset(tuple(map(assay_flag, cases, keys))))
    context = Context.of(KEY, ATTRIBUTES)
    theirs = eppo(dict(zip(keys, map(eppo_flag, cases, keys), strict=True)))
    features = dict(zip(keys, map(growthbook_flag, cases, keys), strict=True))
    book = growthbook.GrowthBook(attributes={**ATTRIBUTES, "id": KEY}, features=features)
    rows = [_row(case, ours, context, theirs, book) for case in CASES]
    everything = least_seconds(lambda: evaluate_all(ours, context, now=NOW), 20, 60)
    book_all = least_seconds(lambda: [book.eval_feature(key) for key in keys], 2, 10)
    eppo_all = least_seconds(lambda: [_ask_eppo(theirs, key) for key in keys], 5, 20)
    return [*rows, Row("all 200 flags", everything * 1e6, eppo_all * 1e6, book_all * 1e6)]


def _row(case: str, ours: Any, context: Context, theirs: Any, book: Any) -> Row:
    key = f"{case}_7"
    _ = evaluate(ours, key, context, now=NOW)
    return Row(
        case=case,
        assay_us=least_seconds(lambda: evaluate(ours, key, context, now=NOW), 2_000, 100) * 1e6,
        eppo_us=least_seconds(lambda: _ask_eppo(theirs, key), 500, 60) * 1e6,
        growthbook_us=least_seconds(lambda: book.eval_feature(key), 200, 30) * 1e6,
    )


def _ask_eppo(client: Any, key: str) -> Any:
    if key.startswith("five"):
        return client.get_string_assignment(key, KEY, ATTRIBUTES, "none")
    return client.get_boolean_assignment(key, KEY, ATTRIBUTES, default=False)


def loading() -> dict[str, float]:
    """A thousand flags (40 % static, 30 % two clauses, 20 % rollout, 10 % five rules) from JSON to ready."""
    mix = ("static",) * 4 + ("two_clauses",) * 3 + ("rollout",) * 2 + ("five_rules",)
    data = dumps(Ruleset(tuple(assay_flag(mix[at % 10], f"flag_{at}") for at in range(1_000))))
    gc.collect()
    milliseconds = least_seconds(lambda: compile_ruleset(data), 1, 30) * 1e3
    tracemalloc.start()
    ready = compile_ruleset(data)
    mebibytes = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    return {
        "flags": len(ready.flags),
        "bytes": len(data),
        "milliseconds": milliseconds,
        "mebibytes": mebibytes,
    }


def main() -> None:
    """Measure, print, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows, load = evaluation_rows(), loading()
    print(f"{'case':<16}{'assay µs':>10}{'eppo µs':>10}{'×':>7}{'growthbook µs':>15}{'×':>7}")
    for row in rows:
        eppo_ratio = (row.eppo_us or 0) / row.assay_us
        book_ratio = (row.growthbook_us or 0) / row.assay_us
        print(
            f"{row.case:<16}{row.assay_us:>10.3f}{row.eppo_us or 0:>10.3f}{eppo_ratio:>7.1f}"
            f"{row.growthbook_us or 0:>15.2f}{book_ratio:>7.1f}"
        )
    print(
        f"1,000 flags from {load['bytes']:,.0f} bytes of JSON: {load['milliseconds']:.1f} ms, {load['mebibytes']:.1f} MiB"
    )
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"rows": [asdict(row) for row in rows], "loading": load}, indent=2)
        )


if __name__ == "__main__":
    main()
