"""From an experiment's events to its result document."""

from collections.abc import Sequence

import ibis
import pyarrow as pa

from assay.analysis import aggregate, units
from assay.analysis.conclude import conclude
from assay.analysis.document import Document
from assay.analysis.plan import ArmPlan, Kind, MetricPlan, Plan
from assay.experiments.schemas import ExperimentOut
from assay.metrics.definition import quantities
from assay.metrics.schemas import MetricOut
from assay.sources.service import local_engine


def plan_of(experiment: ExperimentOut, metrics: Sequence[MetricOut]) -> Plan:
    """What an experiment's definition asks to be computed."""
    return Plan(
        unit="unit",
        control=experiment.control,
        arms=tuple(ArmPlan(arm.key, arm.weight) for arm in experiment.arms),
        metrics=tuple(_metric_plan(metric) for metric in metrics),
    )


def analyze_events(events: pa.Table, plan: Plan, metrics: Sequence[MetricOut]) -> Document:
    """The result of an experiment.

    Args:
        events: Columns `kind`, `name`, `unit`, `at`, `variant`, `value`.
        metrics: The definitions behind the plan's metrics, in the same order.
    """
    columns = {
        column: quantity
        for metric in metrics
        for column, quantity in zip(_columns(metric), quantities(metric.definition), strict=True)
    }
    engine = local_engine()
    table = engine.create_table("events", ibis.memtable(events), temp=True)
    sample = units.from_events(table, columns=columns, arms=[arm.key for arm in plan.arms])
    table = engine.create_table("units", _as_measured(sample.table, plan), temp=True)
    return conclude(plan, aggregate.collect(table, plan.metrics), sample.excluded)


def _metric_plan(metric: MetricOut) -> MetricPlan:
    return MetricPlan(
        key=metric.key,
        name=metric.name,
        kind=Kind(metric.definition.kind),
        columns=_columns(metric),
        direction=metric.direction,
        version=metric.version,
    )


def _columns(metric: MetricOut) -> tuple[str, ...]:
    return tuple(f"{metric.key}:{part}" for part, _ in enumerate(quantities(metric.definition)))


def _as_measured(table: ibis.Table, plan: Plan) -> ibis.Table:
    shares = [
        column for metric in plan.metrics if metric.kind is Kind.PROPORTION for column in metric.columns
    ]
    return table.mutate(**{column: table[column] > 0 for column in shares}) if shares else table
