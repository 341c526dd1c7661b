"""One experiment in a Parquet file, its plan, and every number that an engine makes of it."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table

from assay.analysis.computing import collect
from assay.analysis.experiment import Options, complete, plan_of
from assay.analysis.plan import Dimension, Plan
from assay.analysis.record import Record, write
from assay.experiments.schemas import ExperimentOut
from assay.metrics.schemas import MetricOut
from assay_stats.undefined import Floats

START = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = ("kind", "name", "unit", "at", "variant", "value", "properties")
METRICS: dict[str, dict[str, Any]] = {
    "conversion": {"kind": "proportion", "event": "order"},
    "revenue": {"kind": "mean", "event": "order", "lookback_hours": 48},
    "revenue_capped": {"kind": "mean", "event": "order", "cap_quantile": 0.9},
    "basket": {
        "kind": "ratio",
        "numerator": {"event": "order"},
        "denominator": {"event": "order", "aggregate": "count"},
    },
    "median": {"kind": "quantile", "event": "order", "quantile": 0.5},
}


def write_events(path: Path, *, units: int = 600, seed: int = 5) -> Path:
    """Exposures and orders of some units, a few of them in both arms, most with orders from before."""
    rng = random.Random(seed)
    rows: list[tuple[object, ...]] = []
    for number in range(units):
        unit, arm = f"u{number}", "ab"[number % 2]
        first = START + timedelta(minutes=rng.randrange(4 * 24 * 60))
        country = f'{{"country": "{rng.choice(("de", "fr", "it"))}"}}'
        rows.append(("exposure", "checkout", unit, first, arm, None, country))
        if number % 50 == 0:
            rows.append(
                ("exposure", "checkout", unit, first + timedelta(hours=1), "ab"[1 - number % 2], None, None)
            )
        for _ in range(rng.randrange(4)):
            at = first + timedelta(minutes=rng.randrange(-2000, 4000))
            rows.append(("event", "order", unit, at, None, round(rng.lognormvariate(3, 1), 2), "{}"))
    rng.shuffle(rows)
    kinds = [
        pa.string(),
        pa.string(),
        pa.string(),
        pa.timestamp("us", "UTC"),
        pa.string(),
        pa.float64(),
        pa.string(),
    ]
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    pq.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), path, row_group_size=500)
    return path


def a_plan() -> Plan:
    """Everything an engine may be asked for: shares, caps, ratios, quantiles, covariates, segments, looks."""
    known = {"created_at": START, "updated_at": START}
    experiment = {
        "key": "checkout", "name": "Checkout", "description": "", "arms": [{"key": "a"}, {"key": "b"}],
        "control": "a", "assignments": {"source": "exposures"}, "metrics": list(METRICS), "known_effects": {},
    }  # fmt: skip
    metrics = [
        MetricOut.model_validate(
            {
                "key": key,
                "name": key,
                "description": "",
                "direction": "increase",
                "definition": definition,
                "version": 1,
            }
            | known
        )
        for key, definition in METRICS.items()
    ]
    options = Options(segments=[Dimension("country")])
    return plan_of(ExperimentOut.model_validate(experiment | known), metrics, options)


def numbers_of(table: Table) -> dict[str, Any]:
    """What an engine collects for the plan, by names that do not depend on the engine."""
    collected = collect({None: complete(table)}, a_plan())
    assert collected.failures == {}, collected.failures
    written = write(Record(a_plan(), collected))
    flat: dict[str, Any] = {}
    found = dict(written.structure["collected"])
    found.pop("sql")
    found["segments"] = {f"{part['dimension']}{part['label']}": part["cut"] for part in found["segments"]}
    _flatten("", found, written.numbers, flat)
    return flat


def assert_same_numbers(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal to 1e-9 of each number's size, names and texts exactly."""
    assert sorted(found) == sorted(expected)
    assert len(expected) > 100
    for name, value in expected.items():
        if isinstance(value, np.ndarray):
            floats = cast("Floats", value)
            np.testing.assert_allclose(found[name], floats, rtol=1e-9, atol=1e-9, err_msg=name)
        else:
            assert found[name] == value, name


def _flatten(path: str, part: object, numbers: Floats, flat: dict[str, Any]) -> None:
    if isinstance(part, list):
        part = {str(place): item for place, item in enumerate(cast("list[object]", part))}
    if not isinstance(part, dict):
        flat[path] = part
        return
    items = cast("dict[str, Any]", part)
    if "array" in items:
        start, shape, _ = cast("tuple[int, list[int], str]", items["array"])
        flat[path] = numbers[start : start + int(np.prod(shape))]
        return
    for name, item in items.items():
        _flatten(f"{path}/{name}", item, numbers, flat)
