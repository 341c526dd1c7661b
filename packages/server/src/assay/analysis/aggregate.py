"""One pass over the unit table: shifted sums per arm for all metrics, turned into moments."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ibis.expr.types import Table, Value

from assay.analysis.assignment import ARM
from assay.analysis.collected import ADJUSTED
from assay.analysis.plan import MetricPlan
from assay.analysis.reading import records
from assay_stats.moments import JointMoments

PILOT_UNITS = 2048
# Below this distance from zero a shift gains no digit and would make exact cents inexact.
SHIFT_FROM_SD = 3.0
WHOLE_SHIFT_FROM_SD = 0.1


@dataclass(frozen=True, slots=True)
class Block:
    """Columns whose moments are wanted together.

    Attributes:
        key: The metric's key, with a mark when its covariates are among the columns.
    """

    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What the data said about one group of units, such as an arm, or an arm within a segment."""

    by: tuple[Any, ...]
    units: int
    moments: Mapping[str, JointMoments]


def blocks_of(metrics: Sequence[MetricPlan]) -> list[Block]:
    """The moments the metrics are tested by: their own, and once more together with their covariates."""
    own = [Block(metric.key, metric.columns) for metric in metrics if metric.quantile is None]
    joint = [
        Block(metric.key + ADJUSTED, (*metric.columns, *metric.covariates))
        for metric in metrics
        if metric.covariates
    ]
    return [*own, *joint]


def collect(
    table: Table,
    blocks: Sequence[Block],
    *,
    by: Sequence[str] = (ARM,),
    complete: Collection[str] = (),
    shifts: Mapping[str, float] | None = None,
) -> list[Group]:
    """Moments of every block in every group; a unit without a value is left out of the block and counted.

    Args:
        table: A unit table.
        blocks: What to collect.
        by: Columns that make the groups.
        complete: Columns in which no unit lacks a value, which saves looking.
        shifts: What to subtract from each column; found in a first look at some units if not given.
    """
    shifts = pilot_shifts(table, blocks) if shifts is None else shifts
    found = records(sums(table, blocks, by=by, complete=complete, shifts=shifts))
    return [
        Group(
            by=tuple(record[column] for column in by),
            units=record["units"],
            moments={
                block.key: _moments(record, number, block.columns, shifts)
                for number, block in enumerate(blocks)
            },
        )
        for record in found
    ]


def sums(
    table: Table,
    blocks: Sequence[Block],
    *,
    by: Sequence[str],
    complete: Collection[str],
    shifts: Mapping[str, float],
) -> Table:
    """The expression of all sums, one row per group."""
    expressions: dict[str, Value] = {"units": table.count()}
    for number, block in enumerate(blocks):
        expressions |= _block_sums(table, number, block, complete=complete, shifts=shifts)
    return table.group_by(*by).aggregate(**expressions)


def pilot_shifts(table: Table, blocks: Sequence[Block]) -> dict[str, float]:
    """What to subtract from each column so that its squares keep their digits."""
    columns = sorted({column for block in blocks for column in block.columns})
    if not columns:
        return {}
    pilot = table.select(**{column: table[column].cast("float64") for column in columns}).limit(PILOT_UNITS)
    wanted = {f"mean:{column}": pilot[column].mean() for column in columns}
    wanted |= {f"sd:{column}": pilot[column].std() for column in columns}
    (record,) = records(pilot.aggregate(**wanted))
    return {column: _shift(record[f"mean:{column}"], record[f"sd:{column}"]) for column in columns}


def _shift(mean: float | None, sd: float | None) -> float:
    if mean is None or sd is None or not math.isfinite(mean) or abs(mean) <= SHIFT_FROM_SD * sd:
        return 0.0
    # A whole shift keeps the sums of whole numbers exact.
    return float(round(mean)) if sd >= WHOLE_SHIFT_FROM_SD else mean


def shifted(column: Value, shift: float) -> Value:
    """The column as a number less its shift."""
    value = column.cast("float64")
    return value - shift if shift else value


def _block_sums(
    table: Table, number: int, block: Block, *, complete: Collection[str], shifts: Mapping[str, float]
) -> dict[str, Value]:
    lacking = [column for column in block.columns if column not in complete]
    present = None
    for column in lacking:
        has_value = table[column].notnull()
        present = has_value if present is None else present & has_value
    # A column that alone may lack values leaves itself out of its own sums.
    where = present if len(block.columns) > 1 else None
    count = table.count() if present is None else present.cast("int64").sum()
    values = [shifted(table[column], shifts[column]) for column in block.columns]
    found: dict[str, Value] = {f"b{number}:n": count}
    for i, value in enumerate(values):
        found[f"b{number}:s{i}"] = value.sum(where=where)
    for i, j in combinations_with_replacement(range(len(values)), 2):
        found[f"b{number}:p{i}{j}"] = (values[i] * values[j]).sum(where=where)
    return found


def _moments(
    record: Mapping[str, Any], number: int, columns: Sequence[str], shifts: Mapping[str, float]
) -> JointMoments:
    size = len(columns)

    def figure(name: str) -> float:
        return record[f"b{number}:{name}"] or 0.0

    products = [[figure(f"p{min(i, j)}{max(i, j)}") for j in range(size)] for i in range(size)]
    return JointMoments.from_shifted_sums(
        n=figure("n"),
        shift=np.array([shifts[column] for column in columns]),
        totals=np.array([figure(f"s{i}") for i in range(size)]),
        products=np.array(products),
        missing=record["units"] - figure("n"),
    )
