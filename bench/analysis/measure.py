"""Analysis beside the same questions written by hand, in turns on the same files: processor time and memory.

    uv run --group bench python bench/analysis/measure.py [--scale 1] [--rounds 3]

Goals are ratios of one run: load on the machine changes both sides. What is compared is processor time, which
neighbours disturb less than the clock; the seconds of the best call stand beside it.

Of a table of units four sides are measured. `sums` only adds up its five columns, the least that anything
can do that reads them. The peer asks DuckDB for averages and variances in one query, as `hand` does, so that
nothing that reads the columns can be faster than the peer by more than `sums` is.
"""

# ruff: noqa: PLC0415 — a child process loads only what it measures
import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shop

if TYPE_CHECKING:
    from assay.analysis.experiment import Options
    from assay.analysis.plan import Plan

CASES = ("events", "cuped", "looks", "units")
GOAL, MEMORY_GOAL, TEA_GOAL = 1.3, 1.3, 4.0
UNIT_SIDES = ("sums", "hand", "assay", "tea")
EVENT_SIDES = ("hand", "assay", "bounded")
HOURS = 168


def main() -> int:
    """Runs every case and says which goals are met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", nargs="*", default=[*CASES])
    parser.add_argument("--child", nargs=4)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(_child(*given.child)))
        return 0
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        shop.write_events(Path(folder), scale=given.scale)
        shop.write_units(Path(folder) / "units.parquet", scale=given.scale)
        met = [_compared(case, folder, given.rounds) for case in given.cases]
        return 0 if all(met) else 1


def _compared(case: str, folder: str, rounds: int) -> bool:
    sides = {"units": UNIT_SIDES, "events": EVENT_SIDES}.get(case, ("hand", "assay"))
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, found in runs.items():
            found.append(_run(case, side, folder))
    best = {
        side: {name: min(run[name] for run in found) for name in found[0]} for side, found in runs.items()
    }
    for side, found in best.items():
        times, space = (found[name] / best["hand"][name] for name in ("cpu", "mib"))
        print(
            f"{case:7} {side:8} {found['cpu']:8.3f} s of processor {times:6.2f} x "
            f"{found['mib']:7.0f} MiB {space:6.2f} x {found['seconds']:8.3f} s by the clock",
            flush=True,
        )
    met = best["assay"]["cpu"] <= GOAL * best["hand"]["cpu"]
    if case != "units":
        met &= best["assay"]["mib"] <= MEMORY_GOAL * best["hand"]["mib"]
    else:
        met &= _beats_the_peer(best)
    print(f"{case:7} {'met' if met else 'MISSED'}")
    return met


def _beats_the_peer(best: dict[str, dict[str, float]]) -> bool:
    faster, most = (best["tea"]["cpu"] / best[side]["cpu"] for side in ("assay", "sums"))
    print(f"units   {faster:.2f} x faster than the peer where a bare scan is {most:.2f} x")
    return faster >= TEA_GOAL


def _run(case: str, side: str, folder: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--child", case, side, folder, "3"],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def _child(case: str, side: str, folder: str, calls: str) -> dict[str, float]:
    action = {"hand": _hand, "sums": _sums, "assay": _assay, "bounded": _bounded, "tea": _tea}[side](
        case, folder
    )
    timed = [_timed(action) for _ in range(int(calls))]
    return {
        "seconds": min(seconds for seconds, _ in timed),
        "cpu": min(cpu for _, cpu in timed),
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - clock, time.process_time() - processor


def _sums(case: str, folder: str) -> Callable[[], object]:
    del case
    import duckdb
    import hand

    con = duckdb.connect(config={"threads": 2})
    return lambda: hand.sums(con, f"{folder}/units.parquet")


def _hand(case: str, folder: str) -> Callable[[], object]:
    import duckdb
    import hand

    con = duckdb.connect(config={"threads": 2})
    if case == "units":
        return lambda: hand.units(con, f"{folder}/units.parquet")
    hand.view(con, f"{folder}/events/*.parquet")
    return lambda: getattr(hand, case)(con)


def _assay(case: str, folder: str, memory: str | None = None) -> Callable[[], object]:
    from assay.analysis.experiment import Options, analyze_events
    from assay.analysis.file import FileRequest, analyze_file
    from assay.sources.service import local_engine

    if case == "units":
        request = FileRequest(
            path=Path(folder) / "units.parquet",
            unit=None,
            variant="variant",
            control="a",
            metrics=["bought", "revenue", "visits", "latency"],
            ratios={"per_visit": ("revenue", "visits")},
            covariates={"latency": "latency_before"},
        )
        return lambda: analyze_file(request)
    engine = local_engine()
    engine.con.execute("SET threads = 2")
    if memory is not None:
        engine.con.execute(f"SET memory_limit = '{memory}'; SET temp_directory = '{folder}/scratch'")
    table = engine.read_parquet(f"{folder}/events/*.parquet")
    plan = a_plan(case, Options(has_looks=case == "looks"))
    return lambda: analyze_events({None: table}, plan, shows_sql=False)


def _bounded(case: str, folder: str) -> Callable[[], object]:
    return _assay(case, folder, memory="250MB")


def a_plan(case: str, options: "Options") -> "Plan":
    """Four metrics in the week after exposure; for `cuped` one of them with the week before."""
    from assay.analysis.experiment import plan_of
    from assay.experiments.schemas import ExperimentOut
    from assay.metrics.schemas import MetricOut

    at = datetime(2026, 1, 1, tzinfo=UTC)
    back: dict[str, Any] = {"lookback_hours": HOURS} if case == "cuped" else {}
    after = {"conversion_hours": HOURS}
    definitions: dict[str, dict[str, Any]] = {
        "buyers": {"kind": "proportion", "event": "order", **after},
        "revenue": {"kind": "mean", "event": "order", "cap_value": 500.0, **after, **back},
        "clicks": {"kind": "count", "event": "click", **after},
        "per_click": {
            "kind": "ratio",
            "numerator": {"event": "order"},
            "denominator": {"event": "click", "aggregate": "count"},
            **after,
        },
    }
    about = {"name": "x", "description": "", "created_at": at, "updated_at": at}
    metrics = [
        MetricOut.model_validate(
            {"key": key, "direction": "increase", "definition": each, "version": 1, **about}
        )
        for key, each in definitions.items()
    ]
    experiment = {
        "key": "e",
        "arms": [{"key": "a"}, {"key": "b"}],
        "control": "a",
        "assignments": {"source": "exposures"},
        "metrics": list(definitions),
        "known_effects": {},
        **about,
    }
    return plan_of(ExperimentOut.model_validate(experiment), metrics, options)


def _tea(case: str, folder: str) -> Callable[[], object]:
    del case
    import ibis
    import tea_tasting as tt  # pyright: ignore[reportMissingTypeStubs] — a peer without types

    con = ibis.duckdb.connect(threads=2)
    table = con.read_parquet(f"{folder}/units.parquet")
    experiment = tt.Experiment(
        bought=tt.Mean("bought"),
        revenue=tt.Mean("revenue"),
        visits=tt.Mean("visits"),
        latency=tt.Mean("latency", "latency_before"),
        per_visit=tt.RatioOfMeans("revenue", "visits"),
    )
    return lambda: experiment.analyze(table)


if __name__ == "__main__":
    sys.exit(main())
