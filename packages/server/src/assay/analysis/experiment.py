"""From an experiment's events to its result document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import ibis
from ibis.expr.types import Table

from assay.analysis.collected import Arrivals
from assay.analysis.computing import Tables, collect
from assay.analysis.disturbances import disturbances_of
from assay.analysis.document import Document
from assay.analysis.measures import measured_by
from assay.analysis.methods import Bayesian, Method
from assay.analysis.plan import ArmPlan, Dimension, DoubleExposure, Overlapping, Plan
from assay.analysis.planned import (
    alpha_of,
    balanced_of,
    batching_of,
    clustering_of,
    reading_of,
    schedule_of,
    with_roles,
)
from assay.analysis.record import Record, concluded
from assay.analysis.traffic import traffic_of
from assay.experiments.schemas import ExperimentOut
from assay.metrics.schemas import MetricOut

OPTIONAL = {
    "event_id": "string",
    "properties": "string",
    "units": "string",
    "received_at": "timestamp('UTC')",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of an analysis beside the experiment's definition.

    Attributes:
        alpha: In place of the plan's; None as planned, 0.05 without a plan.
        method: In place of the plan's.
        segments: Dimensions to cut by.
        strata: One of them, to compare within.
        covariates: Keys of metrics, each with the key of the one whose lookback adjusts it.
        attribution_hours: Until when events count for metrics that do not say so.
        until: The end of what is read.
        view: The prior of a Bayesian view beside the claims.
        exploration: How this departs from what was planned, as sentences.
    """

    alpha: float | None = None
    method: Method | None = None
    segments: Sequence[Dimension] = ()
    strata: str | None = None
    covariates: Mapping[str, str] = field(default_factory=dict[str, str])
    is_adjusted: bool = True
    attribution_hours: int | None = None
    double_exposure: DoubleExposure = DoubleExposure.LEAVE_OUT
    has_looks: bool = True
    until: datetime | None = None
    view: Bayesian | None = None
    exploration: tuple[str, ...] = ()


DEFAULT = Options()
DEFAULT_POWER = 0.8


def plan_of(
    experiment: ExperimentOut,
    metrics: Sequence[MetricOut],
    options: Options = DEFAULT,
    *,
    overlapping: Sequence[ExperimentOut] = (),
    now: datetime | None = None,
) -> Plan:
    """What an experiment's definition and the options ask to be computed.

    Args:
        metrics: Those to read.
        overlapping: Other experiments on the same units.
        now: Decides whether a planned end has been reached; None is never, so only a completed plan is over.
    """
    # A switchback's windows are over by the clock; who does not say the time has all of them.
    clustering = clustering_of(experiment, now=now or datetime.max.replace(tzinfo=UTC))
    batching = batching_of(experiment)
    is_one_split = clustering is None and batching is None
    measured = measured_by(
        metrics,
        attribution_hours=options.attribution_hours,
        covariates=options.covariates,
        is_adjusted=options.is_adjusted and is_one_split,
    )
    reading = reading_of(
        experiment, alpha=options.alpha, method=options.method, now=_earlier(now, options.until)
    )
    return Plan(
        unit="unit",
        control=experiment.control,
        arms=tuple(ArmPlan(arm.key, arm.weight) for arm in experiment.arms),
        metrics=tuple(with_roles(measured.metrics, experiment)),
        alpha=_alpha(experiment, options),
        experiment=experiment.key,
        numbers=tuple(measured.numbers),
        measures=tuple(measured.measures),
        segments=tuple(options.segments),
        strata=options.strata if is_one_split else None,
        double_exposure=options.double_exposure,
        has_looks=options.has_looks,
        reading=reading,
        schedule=schedule_of(experiment),
        power=DEFAULT_POWER if experiment.plan is None else experiment.plan.power,
        until=options.until,
        overlapping=tuple(_overlapping(other) for other in overlapping),
        view=options.view,
        exploration=options.exploration,
        clustering=clustering,
        balanced=balanced_of(experiment),
        batching=batching,
    )


def _alpha(experiment: ExperimentOut, options: Options) -> float:
    if options.alpha is not None:
        return options.alpha
    return alpha_of(experiment)


def _earlier(now: datetime | None, until: datetime | None) -> datetime | None:
    return now if until is None else until if now is None else min(now, until)


def _overlapping(other: ExperimentOut) -> Overlapping:
    return Overlapping(
        other.key, other.control, tuple(arm.key for arm in other.arms if arm.key != other.control)
    )


def analyze_events(tables: Tables, plan: Plan, *, shows_sql: bool = True) -> Document:
    """The result of an experiment over tables of events, wherever they are.

    Args:
        tables: By the key of their source; None is the built-in one, which has the exposures. Every event
            once: who may have it twice calls `distinct_events` first.
        plan: What to compute.
        shows_sql: Whether the query of each metric is written down too, which takes a moment for each.
    """
    return concluded(measure_events(tables, plan, shows_sql=shows_sql))


def measure_events(tables: Tables, plan: Plan, *, shows_sql: bool = True) -> Record:
    """What the same is concluded from."""
    completed = {key: complete(table) for key, table in tables.items()}
    return Record(plan, collect(completed, plan, shows_sql=shows_sql))


def watch_events(tables: Tables, plan: Plan) -> Document:
    """The result of an experiment with the doctor's look at its split; see `analyze_events`."""
    return concluded(observe_events(tables, plan))


def observe_events(
    tables: Tables,
    plan: Plan,
    unread: Mapping[str, str] | None = None,
    *,
    others: Table | None = None,
    arrivals: Arrivals | None = None,
) -> Record:
    """What the same is concluded from.

    Args:
        unread: Sources that could not be read, each with what was said; their metrics alone are left out.
        others: Exposures of the overlapping experiments.
        arrivals: How the events came in.
    """
    completed = {key: complete(table) for key, table in tables.items()}
    failures = _failures(plan, unread or {})
    readable = plan.without(failures)
    collected = collect(completed, readable)
    collected = replace(collected, failures={**collected.failures, **failures})
    traffic = traffic_of(completed[None], plan)
    disturbances = disturbances_of(completed, plan.without(collected.failures), others)
    return Record(plan, collected, traffic, disturbances, arrivals)


def _failures(plan: Plan, unread: Mapping[str, str]) -> dict[str, str]:
    return {
        metric.key: unread[source]
        for metric in plan.metrics
        for source in sorted(plan.only(metric).sources & unread.keys())
    }


def complete(table: Table) -> Table:
    """The table with nulls for the columns of events that it lacks."""
    lacking = {
        name: ibis.literal(None, type=kind) for name, kind in OPTIONAL.items() if name not in table.columns
    }
    return table.mutate(**lacking) if lacking else table


def distinct_events(table: Table) -> Table:
    """The table with one row per `event_id`, whichever came first in time and then by content."""
    order = ibis.window(group_by="event_id", order_by=["at", "unit", "name", "value"])
    numbered = table.mutate(repeats=ibis.row_number().over(order))
    return numbered.filter(numbered["repeats"] == 0).drop("repeats")
