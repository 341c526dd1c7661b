"""The engine beside eppo-server-sdk (Rust) and growthbook (Python) on equal rules, in one run.

Usage: `python bench/engine/compare.py [--json FILE]`. Times are CPU time of this thread, the least of many
repetitions: a busy machine makes all three slower, so the ratios are the result.
"""

import argparse
import gc
import importlib
import json
import time
import timeit
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import growthbook
import msgspec
from rulesets import ATTRIBUTES, CASES, assay_flag, eppo_flag, growthbook_flag

from assay_engine import Context, compile_ruleset, dumps, evaluate, evaluate_all
from assay_engine.model import Ruleset

# Its names are re-exported from a native module at run time, where no type checker sees them.
eppo_client: Any = importlib.import_module("eppo_client")

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEY = "user-123"


@dataclass(frozen=True, slots=True)
class Row:
    """One case: microseconds for each engine."""

    case: str
    assay_us: float
    eppo_us: float | None
    growthbook_us: float | None


@dataclass(frozen=True, slots=True)
class Loading:
    """A datafile from its bytes to ready, and the floors below it: the same bytes only decoded."""

    flags: int
    bytes: int
    milliseconds: float
    json_milliseconds: float
    msgspec_milliseconds: float
    mebibytes: float

    def __str__(self) -> str:
        return (
            f"{self.flags:,} flags from JSON to ready: {self.milliseconds:.1f} ms, {self.mebibytes:.1f} MiB;"
            f" {self.milliseconds / self.json_milliseconds:.1f} times json.loads of the same bytes"
            f" ({self.json_milliseconds:.1f} ms), {self.milliseconds / self.msgspec_milliseconds:.1f} times"
            f" msgspec's ({self.msgspec_milliseconds:.1f} ms)"
        )


def least_seconds(statement: str, names: dict[str, Any], number: int, repeats: int) -> float:
    """The least CPU time of one run of a statement among many repetitions."""
    timer = timeit.Timer(statement, globals=names, timer=time.thread_time)
    return min(timer.repeat(repeats, number)) / number


def eppo(flags: dict[str, Any]) -> Any:  # noqa: ANN401 — an untyped client
    """An Eppo client on a fixed configuration that neither polls nor logs."""
    configuration = {
        "createdAt": "2026-01-01T00:00:00.000Z",
        "format": "SERVER",
        "environment": {"name": "bench"},
        "flags": flags,
    }
    return eppo_client.init(
        eppo_client.ClientConfig(
            api_key="bench",
            base_url="http://127.0.0.1:9",
            assignment_logger=eppo_client.AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(
                flags_configuration=json.dumps(configuration).encode()
            ),
        )
    )


def evaluation_rows() -> list[Row]:
    """Each case in a ruleset of 200 flags, one context of twelve attributes."""
    keys = [f"{case}_{at}" for at in range(50) for case in CASES]
    cases = [key.rsplit("_", 1)[0] for key in keys]
    features = dict(zip(keys, map(growthbook_flag, cases, keys), strict=True))
    names: dict[str, Any] = {
        "evaluate": evaluate,
        "evaluate_all": evaluate_all,
        "ours": compile_ruleset(Ruleset(tuple(map(assay_flag, cases, keys)))),
        "context": Context.of(KEY, ATTRIBUTES),
        "now": NOW,
        "eppo": eppo(dict(zip(keys, map(eppo_flag, cases, keys), strict=True))),
        "subject": KEY,
        "attributes": ATTRIBUTES,
        "growthbook": growthbook.GrowthBook(attributes={**ATTRIBUTES, "id": KEY}, features=features),
        "keys": keys,
    }
    everything = Row(
        case="all 200 flags",
        assay_us=least_seconds("evaluate_all(ours, context, now=now)", names, 20, 60) * 1e6,
        eppo_us=None,
        growthbook_us=least_seconds("[growthbook.eval_feature(key) for key in keys]", names, 2, 10) * 1e6,
    )
    return [*(_row(case, {**names, "key": f"{case}_7"}) for case in CASES), everything]


def _row(case: str, names: dict[str, Any]) -> Row:
    kind = "string" if case == "five_rules" else "boolean"
    asked = f"eppo.get_{kind}_assignment(key, subject, attributes, {'' if kind == 'string' else False!r})"
    return Row(
        case=case,
        assay_us=least_seconds("evaluate(ours, key, context, now=now)", names, 2_000, 100) * 1e6,
        eppo_us=least_seconds(asked, names, 500, 60) * 1e6,
        growthbook_us=least_seconds("growthbook.eval_feature(key)", names, 200, 30) * 1e6,
    )


def loading(flags: int) -> Loading:
    """Flags (40 % static, 30 % two clauses, 20 % rollout, 10 % five rules) from JSON to ready."""
    mix = ("static",) * 4 + ("two_clauses",) * 3 + ("rollout",) * 2 + ("five_rules",)
    data = dumps(Ruleset(tuple(assay_flag(mix[at % 10], f"flag_{at}") for at in range(flags))))
    gc.collect()
    tracemalloc.start()
    ready = compile_ruleset(data)
    mebibytes = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    return Loading(
        flags=len(ready.flags),
        bytes=len(data),
        milliseconds=_least_milliseconds(lambda: compile_ruleset(data)),
        json_milliseconds=_least_milliseconds(lambda: json.loads(data)),
        msgspec_milliseconds=_least_milliseconds(lambda: msgspec.json.decode(data)),
        mebibytes=mebibytes,
    )


def _least_milliseconds(load: Callable[[], object], repeats: int = 30) -> float:
    """The least CPU time until it is ready; what is loaded is let go of after the clock was read."""
    gc.disable()
    least = min(_seconds_until_ready(load) for _ in range(repeats))
    gc.enable()
    return least * 1e3


def _seconds_until_ready(load: Callable[[], object]) -> float:
    started = time.thread_time()
    _ready = load()
    return time.thread_time() - started


def _peer(peer_us: float | None, assay_us: float) -> str:
    return f"{'':>22}" if peer_us is None else f"{peer_us:>15.3f}{peer_us / assay_us:>7.1f}"


def main() -> None:
    """Measure, print, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    # First, as in a process that has done nothing else.
    loads = [loading(1_000), loading(5_000)]
    rows = evaluation_rows()
    print(f"{'case':<16}{'assay µs':>10}{'eppo µs':>15}{'×':>7}{'growthbook µs':>15}{'×':>7}")
    for row in rows:
        print(
            f"{row.case:<16}{row.assay_us:>10.3f}{_peer(row.eppo_us, row.assay_us)}"
            f"{_peer(row.growthbook_us, row.assay_us)}"
        )
    print(*loads, sep="\n")
    if arguments.json:
        found = {"rows": list(map(asdict, rows)), "loading": list(map(asdict, loads))}
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
