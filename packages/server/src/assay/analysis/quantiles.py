"""Quantiles of units' numbers, which no moments tell: the values themselves are read, per group of units."""

from collections.abc import Mapping, Sequence

import numpy as np
from ibis.expr.types import Table

from assay.analysis.collected import ByMetric, QuantileFound
from assay.analysis.plan import MetricPlan
from assay_stats.quantiles import quantile_of

Label = tuple[str, ...]


def quantiles_of(
    table: Table, metrics: Sequence[MetricPlan], by: Sequence[str], groups: Sequence[tuple[str, ...]]
) -> Mapping[Label, ByMetric[QuantileFound]]:
    """Per label, metric and arm; only metrics that are quantiles.

    Args:
        table: A unit table.
        metrics: Of the plan.
        by: Columns that make the groups, the arm last.
        groups: Their values in each group.
    """
    wanted = [metric for metric in metrics if metric.quantile is not None]
    found: dict[Label, dict[str, dict[str, QuantileFound]]] = {}
    for group in groups if wanted else ():
        rows = table.filter([table[column] == value for column, value in zip(by, group, strict=True)])
        *label, arm = group
        for metric in wanted:
            found.setdefault(tuple(label), {}).setdefault(metric.key, {})[arm] = _found(rows, metric)
    return found


def _found(rows: Table, metric: MetricPlan) -> QuantileFound:
    column = rows.select(value=rows[metric.columns[0]].cast("float64")).to_pyarrow()["value"]
    values = column.to_numpy()
    present = values[~np.isnan(values)]
    mean = quantile_of(present, metric.quantile or 0.5)
    return QuantileFound(mean, units=len(present), missing=len(values) - len(present))
