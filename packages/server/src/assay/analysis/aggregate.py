"""One pass over the unit table: shifted sums per arm for all metrics, turned into moments."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ibis.expr.types import Table

from assay.analysis.plan import MetricPlan
from assay.analysis.units import ARM
from assay_stats.moments import JointMoments

PILOT_UNITS = 2048
# Below this distance from zero a shift gains no digit and would make exact cents inexact.
SHIFT_FROM_SD = 3.0
WHOLE_SHIFT_FROM_SD = 0.1


@dataclass(frozen=True, slots=True)
class Collected:
    """What the data said: units per arm, and the moments of each metric per arm."""

    units: Mapping[str, int]
    moments: Mapping[str, Mapping[str, JointMoments]]


def collect(table: Table, metrics: Sequence[MetricPlan]) -> Collected:
    """Moments of every metric in every arm; a unit without a value is left out and counted."""
    columns = sorted({column for metric in metrics for column in metric.columns})
    floats = table.select(ARM, **{column: table[column].cast("float64") for column in columns})
    shifts = _pilot_shifts(floats, columns)
    sums: dict[str, Any] = {"units": floats.count()}
    for metric in metrics:
        sums |= _sums(floats, metric, shifts)
    records = floats.group_by(ARM).aggregate(**sums).to_pyarrow().to_pylist()
    return Collected(
        units={record[ARM]: record["units"] for record in records},
        moments={
            metric.key: {record[ARM]: _moments(record, metric, shifts) for record in records}
            for metric in metrics
        },
    )


def _pilot_shifts(table: Table, columns: Sequence[str]) -> dict[str, float]:
    if not columns:
        return {}
    pilot = table.limit(PILOT_UNITS)
    (record,) = (
        pilot.aggregate(
            **{f"mean:{column}": pilot[column].mean() for column in columns},
            **{f"sd:{column}": pilot[column].std() for column in columns},
        )
        .to_pyarrow()
        .to_pylist()
    )
    return {column: _shift(record[f"mean:{column}"], record[f"sd:{column}"]) for column in columns}


def _shift(mean: float | None, sd: float | None) -> float:
    if mean is None or sd is None or not math.isfinite(mean) or abs(mean) <= SHIFT_FROM_SD * sd:
        return 0.0
    # A whole shift keeps the sums of whole numbers exact.
    return float(round(mean)) if sd >= WHOLE_SHIFT_FROM_SD else mean


def _sums(table: Table, metric: MetricPlan, shifts: Mapping[str, float]) -> dict[str, Any]:
    present = table[metric.columns[0]].notnull()
    for column in metric.columns[1:]:
        present &= table[column].notnull()
    shifted = [table[column] - shifts[column] for column in metric.columns]
    sums: dict[str, Any] = {f"{metric.key}:n": present.sum()}
    for i, value in enumerate(shifted):
        sums[f"{metric.key}:s{i}"] = value.sum(where=present)
    for i, j in combinations_with_replacement(range(len(shifted)), 2):
        sums[f"{metric.key}:p{i}{j}"] = (shifted[i] * shifted[j]).sum(where=present)
    return sums


def _moments(record: Mapping[str, Any], metric: MetricPlan, shifts: Mapping[str, float]) -> JointMoments:
    size = len(metric.columns)

    def number(name: str) -> float:
        return record[f"{metric.key}:{name}"] or 0.0

    products = [[number(f"p{min(i, j)}{max(i, j)}") for j in range(size)] for i in range(size)]
    return JointMoments.from_shifted_sums(
        n=number("n"),
        shift=np.array([shifts[column] for column in metric.columns]),
        totals=np.array([number(f"s{i}") for i in range(size)]),
        products=np.array(products),
        missing=record["units"] - number("n"),
    )
