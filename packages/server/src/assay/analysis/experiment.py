"""From an experiment's events to its result document."""

from collections.abc import Sequence

from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis import aggregate, units
from assay.analysis.conclude import conclude
from assay.analysis.document import Document
from assay.analysis.plan import ArmPlan, Kind, MetricPlan, Plan
from assay.experiments.schemas import ExperimentOut
from assay.metrics.definition import Mean, Proportion, quantities
from assay.metrics.schemas import MetricOut


def plan_of(experiment: ExperimentOut, metrics: Sequence[MetricOut]) -> Plan:
    """What an experiment's definition asks to be computed."""
    return Plan(
        unit="unit",
        control=experiment.control,
        arms=tuple(ArmPlan(arm.key, arm.weight) for arm in experiment.arms),
        metrics=tuple(_metric_plan(metric) for metric in metrics),
    )


def analyze_events(engine: Backend, events: Table, plan: Plan, metrics: Sequence[MetricOut]) -> Document:
    """The result of an experiment.

    Args:
        engine: Where `events` is.
        events: Columns `kind`, `name`, `unit`, `at`, `variant`, `value`.
        metrics: The definitions behind the plan's metrics, in the same order.
    """
    columns = {
        column: quantity
        for metric in metrics
        for column, quantity in zip(_raw_columns(metric), quantities(metric.definition), strict=True)
    }
    sample = units.from_events(events, columns=columns, arms=[arm.key for arm in plan.arms])
    rows = engine.create_table("units", _as_measured(sample.table, metrics), temp=True)
    rows = units.with_caps(rows, _caps(metrics))
    return conclude(plan, aggregate.collect(rows, plan.metrics), sample.excluded)


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
    raw = _raw_columns(metric)
    return tuple(f"{column}:capped" for column in raw) if _cap(metric) is not None else raw


def _raw_columns(metric: MetricOut) -> tuple[str, ...]:
    return tuple(f"{metric.key}:{part}" for part, _ in enumerate(quantities(metric.definition)))


def _caps(metrics: Sequence[MetricOut]) -> dict[str, tuple[str, float]]:
    return {
        f"{column}:capped": (column, cap)
        for metric in metrics
        if (cap := _cap(metric)) is not None
        for column in _raw_columns(metric)
    }


def _cap(metric: MetricOut) -> float | None:
    return metric.definition.cap_quantile if isinstance(metric.definition, Mean) else None


def _as_measured(table: Table, metrics: Sequence[MetricOut]) -> Table:
    shares = [
        column
        for metric in metrics
        if isinstance(metric.definition, Proportion)
        for column in _raw_columns(metric)
    ]
    return table.mutate(**{column: table[column] > 0 for column in shares}) if shares else table
