"""What may make an effect differ from what it will be: how long units have known it, and other experiments.

One walk over the events of the goals' metrics gives both. Only goals are looked at: what nobody decides by
needs no second look, and every further one would blunt the others.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from duckdb import InterruptException
from ibis.expr.types import Table

from assay.analysis import aggregate, assignment, daily, units
from assay.analysis.activity import DAY, activity
from assay.analysis.asking import role_of
from assay.analysis.assignment import ARM, UNIT
from assay.analysis.collected import Ages, ByMetric, Cut, Disturbances, Met, QuantileFound
from assay.analysis.effects_over_time import HORIZONS, MOST_MET
from assay.analysis.methods import Role
from assay.analysis.plan import Kind, Measure, MetricPlan, Overlapping, Plan
from assay.analysis.properties import dialect_of
from assay.analysis.quantiles import quantiles_of
from assay.analysis.reading import keep, records
from assay_stats.moments import JointMoments

AGED = {Kind.PROPORTION, Kind.MEAN, Kind.COUNT, Kind.RATIO}
ENTRY, OTHER_ARM = "entry", "other_arm"

Tables = Mapping[str | None, Table]


@dataclass(frozen=True, slots=True)
class Walked:
    """Who was exposed, and what each day added to each of them, as `daily.unit_days` makes it."""

    members: Table
    days: Table


def disturbances_of(tables: Tables, plan: Plan, others: Table | None) -> Disturbances:
    """What is known of the goals by age of units and by arm of other experiments.

    Args:
        tables: As for `computing.collect`.
        plan: Names the overlapping experiments.
        others: Exposures of these experiments, None when they are not at hand.
    """
    return _looked_at(plan, lambda goals, kept: _collected(_walked(tables, goals, kept), goals, others, kept))


def disturbances_of_days(walked: Walked, plan: Plan, others: Table | None) -> Disturbances:
    """The same of days that are stored."""
    return _looked_at(plan, lambda goals, kept: _collected(walked, goals, others, kept))


def _looked_at(plan: Plan, collected: Callable[[Plan, ExitStack], Disturbances]) -> Disturbances:
    goals = _goals_alone(plan)
    # Units of a cluster are alike, and these intervals take them for independent; of a bandit they take arms
    # for groups that were split alike all the time.
    if not goals.metrics or plan.clustering is not None or plan.batching is not None:
        return Disturbances()
    try:
        with ExitStack() as kept:
            return collected(goals, kept)
    except InterruptException:
        raise
    except Exception as error:  # noqa: BLE001 — engines share no class of errors; the result stands without
        return Disturbances(failure=str(error).strip().partition("\n")[0] or type(error).__name__)


def is_aged(metric: MetricPlan, measures: Sequence[Measure]) -> bool:
    """Whether what a unit did is a sum over its days, and every unit counts on each of them."""
    own = [measure for measure in measures if measure.column in metric.columns]
    return metric.kind in AGED and all(measure.counted_by is None for measure in own)


def _goals_alone(plan: Plan) -> Plan:
    goals = [metric for metric in plan.metrics if role_of(metric, plan) is Role.GOAL]
    return replace(plan, segments=()).of(tuple(replace(goal, covariates=()) for goal in goals))


def _walked(tables: Tables, plan: Plan, kept: ExitStack) -> Walked:
    dialect = dialect_of(tables[None])
    first = assignment.first_exposures(tables[None], plan, dialect=dialect)
    members = keep(assignment.assigned(first, plan), kept)
    active = [
        activity(units.events_of(tables, source), members, wanted, by_day=True, dialect=dialect)
        for source, wanted in units.by_source(plan.numbers).items()
    ]
    return Walked(members, keep(daily.unit_days(members, active, plan.numbers), kept))


def _collected(walked: Walked, plan: Plan, others: Table | None, kept: ExitStack) -> Disturbances:
    members, days = walked.members, walked.days
    table = units.of_days(days, members, plan.numbers)
    limits = units.limits_of(table, plan.measures)
    found = Disturbances(ages=_ages(days, plan, limits, kept))
    if others is None or not plan.overlapping:
        return found
    shaped = units.with_measures(table, plan.measures, limits)
    return _with_met(found, keep(shaped, kept), others, plan)


def _ages(days: Table, plan: Plan, limits: Mapping[str, units.Limits], kept: ExitStack) -> list[Ages]:
    aged = [metric for metric in plan.metrics if is_aged(metric, plan.measures)]
    if not aged:
        return []
    measures = [each for each in plan.measures if any(each.column in metric.columns for metric in aged)]
    (span,) = records(days.aggregate(first=days[DAY].min(), last=days[DAY].max()))
    if span["last"] is None:
        return []
    return [
        _aged(days, aged, measures, limits, span["last"], horizon, kept)
        for horizon in HORIZONS
        if span["last"] - span["first"] >= horizon[0] * horizon[1] - 1
    ]


def _aged(
    days: Table,
    metrics: Sequence[MetricPlan],
    measures: Sequence[Measure],
    limits: Mapping[str, units.Limits],
    last: int,
    horizon: tuple[int, int],
    kept: ExitStack,
) -> Ages:
    length, periods = horizon
    entered = days.filter((days[daily.ENTERS] == 1) & (days[DAY] <= last - length * periods + 1))
    entered = entered.select(entered_unit=entered[UNIT], entry=entered[DAY])
    rows = days.join(entered, days[UNIT] == entered["entered_unit"])
    period = (rows[DAY] - rows[ENTRY]) // length
    table = rows.group_by(UNIT, ARM).aggregate(
        **{
            _of_period(measure.number, at): rows[measure.number].sum(where=period == at).fill_null(0.0)
            for measure in measures
            for at in range(periods)
        }
    )
    shaped = table.select(
        ARM,
        **{
            _of_period(measure.column, at): units.shaped(
                measure, table[_of_period(measure.number, at)], None, limits[measure.column]
            )
            for measure in measures
            for at in range(periods)
        },
    )
    return Ages(length, periods, _moments_of_periods(keep(shaped, kept), metrics, periods))


def _of_period(column: str, period: int) -> str:
    return f"{column}@{period}"


def _moments_of_periods(
    table: Table, metrics: Sequence[MetricPlan], periods: int
) -> dict[str, dict[str, JointMoments]]:
    blocks = [
        aggregate.Block(
            metric.key,
            tuple(_of_period(column, at) for at in range(periods) for column in metric.columns),
        )
        for metric in metrics
    ]
    complete = {column for block in blocks for column in block.columns}
    groups = aggregate.collect(table, blocks, complete=complete)
    return {block.key: {group.by[0]: group.moments[block.key] for group in groups} for block in blocks}


def _with_met(found: Disturbances, table: Table, others: Table, plan: Plan) -> Disturbances:
    """The cells of the experiments with the most units in common; not who was in several arms there."""
    seen = others.group_by("name", UNIT).aggregate(
        lowest=others["variant"].min(), highest=others["variant"].max()
    )
    seen = seen.filter(seen["lowest"] == seen["highest"])
    seen = seen.select("name", met_unit=seen[UNIT], **{OTHER_ARM: seen["lowest"]})
    both = table.join(seen, table[UNIT] == seen["met_unit"])
    shared = _shared(both, plan)
    most = sorted(shared, key=lambda key: (-shared[key], key))
    chosen = [other for other in plan.overlapping if other.key in most[:MOST_MET]]
    return replace(
        found,
        met=[Met(other.key, _cells(both, other, plan)) for other in chosen],
        others={key: shared[key] for key in most[MOST_MET:]},
    )


def _shared(both: Table, plan: Plan) -> dict[str, int]:
    arms = {other.key: {other.control, *other.arms} for other in plan.overlapping}
    shared: dict[str, int] = {}
    for row in records(both.group_by("name", OTHER_ARM).aggregate(units=both.count())):
        if row[OTHER_ARM] in arms.get(row["name"], ()):
            shared[row["name"]] = shared.get(row["name"], 0) + row["units"]
    return shared


def _cells(both: Table, other: Overlapping, plan: Plan) -> dict[str, Cut]:
    table = both.filter(
        (both["name"] == other.key) & both[OTHER_ARM].isin([other.control, *other.arms])
    ).select(OTHER_ARM, ARM, *(measure.column for measure in plan.measures))
    groups = aggregate.collect(table, aggregate.blocks_of(plan.metrics), by=(OTHER_ARM, ARM))
    found = quantiles_of(table, plan.metrics, (OTHER_ARM, ARM), [group.by for group in groups])
    return {
        arm: _cut([group for group in groups if group.by[0] == arm], found.get((arm,), {}))
        for arm in sorted({group.by[0] for group in groups})
    }


def _cut(groups: Sequence[aggregate.Group], quantiles: ByMetric[QuantileFound]) -> Cut:
    return Cut(
        units={group.by[1]: group.units for group in groups},
        moments={
            key: {group.by[1]: group.moments[key] for group in groups}
            for key in sorted({key for group in groups for key in group.moments})
        },
        quantiles=quantiles,
    )
