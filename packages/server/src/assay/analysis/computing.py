"""From events to everything a document is made from: each table of events is read once."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import ibis
from duckdb import InterruptException
from ibis import to_sql
from ibis.expr.types import Table, Value

from assay.analysis import aggregate, assignment, batched, clustered, daily, switching, units
from assay.analysis.activity import activity
from assay.analysis.assignment import ARM, UNIT, dimension_column
from assay.analysis.collected import Collected, Cut, Excluded, Looks, QuantileFound, Segment
from assay.analysis.plan import Plan
from assay.analysis.properties import dialect_of
from assay.analysis.quantiles import quantiles_of
from assay.analysis.reading import keep, records

Tables = Mapping[str | None, Table]
"""Tables of events by the key of their source; None is the built-in one, which has the exposures."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The unit table, ready to be summed.

    Attributes:
        limits: Where each measure is cut off.
        days: What each day added to each unit, where looks are wanted.
        arms: Where units name their arm by its place among these; None where they name it themselves.
    """

    table: Table
    limits: Mapping[str, units.Limits]
    days: Table | None = None
    arms: Sequence[str] | None = None


def collect(tables: Tables, plan: Plan, *, shows_sql: bool = True) -> Collected:
    """Everything a plan asks for; a metric that the engine refuses is left out with what it said.

    Args:
        tables: Columns `kind`, `name`, `unit`, `at`, `variant`, `value` and `properties` (JSON text).
        plan: What to compute.
        shows_sql: Whether the query of each metric is written down too.
    """
    dialect = dialect_of(tables[None])
    tables, whole = switching.keyed(tables, plan.clustering), plan
    failures = {**clustered.unmeasurable(plan), **batched.unmeasurable(plan)}
    plan = plan.without(failures)
    with ExitStack() as kept:
        first = keep(assignment.first_exposures(tables[None], plan, dialect=dialect), kept)
        counts, excluded = assignment.counted(first, plan)
        members = assignment.with_labels(assignment.assigned(first, plan), plan.segments)
        members = keep(members, kept) if plan.segments else members
        base = Collected(Cut(counts), excluded, failures=failures)
        if plan.batching is not None:
            labelled = batched.labelled(members, plan.batching)
            base = replace(base, whole=Cut(labelled.units))
            found = _collected(tables, labelled.members, plan, base, dialect=dialect, shows_sql=shows_sql)
            return batched.folded(found, whole)
        if plan.clustering is None:
            return _collected(tables, members, plan, base, dialect=dialect, shows_sql=shows_sql)
        parts = clustered.divided(members, plan.clustering)
        base = replace(base, whole=Cut(parts.units))
        found = _collected(tables, parts.members, plan, base, dialect=dialect, shows_sql=shows_sql)
        return clustered.folded(found, whole, parts.error_unit)


def _collected(
    tables: Tables, members: Table, plan: Plan, base: Collected, *, dialect: str, shows_sql: bool
) -> Collected:
    try:
        return _measured(tables, members, plan, base, dialect=dialect, shows_sql=shows_sql)
    except InterruptException:
        raise
    except Exception:
        if not plan.metrics:
            raise
    return _one_by_one(tables, members, plan, base, dialect=dialect, shows_sql=shows_sql)


def collect_rows(
    table: Table, plan: Plan, excluded: Excluded, *, complete: Collection[str] = ()
) -> Collected:
    """The same from a table that has one row per unit already.

    Args:
        complete: Columns in which no unit lacks a value.
    """
    table = assignment.with_labels(table, plan.segments)
    complete = {*complete, *(each.column for each in plan.measures if each.number in complete)}
    sample = Sample(table, units.limits_of(table, plan.measures))
    return _summed(sample, plan, Collected(Cut({}), excluded), complete=complete)


def statement(tables: Tables, plan: Plan, limits: Mapping[str, units.Limits], *, dialect: str) -> Table:
    """All sums of a plan as one expression over the tables, for people to read and engines to compile."""
    first = assignment.first_exposures(tables[None], plan, dialect=dialect)
    members = assignment.assigned(first, plan)
    table = units.of_events(tables, members, plan.numbers, dialect=dialect)
    table = units.with_measures(table, plan.measures, limits)
    blocks = aggregate.blocks_of(plan.metrics)
    none = dict.fromkeys((column for block in blocks for column in block.columns), 0.0)
    return aggregate.sums(table, blocks, by=(ARM,), complete=_complete(plan), shifts=none)


def sql_of(tables: Tables, plan: Plan, limits: Mapping[str, units.Limits], *, dialect: str) -> dict[str, str]:
    """The query of each metric alone."""
    return {
        metric.key: to_sql(statement(tables, plan.only(metric), limits, dialect=dialect), dialect=dialect)
        for metric in plan.metrics
    }


def _measured(
    tables: Tables, members: Table, plan: Plan, base: Collected, *, dialect: str, shows_sql: bool
) -> Collected:
    with ExitStack() as kept:
        if plan.days_tell_all:
            days = keep(_days(tables, members, plan, dialect=dialect), kept)
            limits = units.limits_of(days, plan.measures)
            found = _telescoped(days, members, plan, base, limits, kept)
        else:
            sample = _sample(tables, members, plan, kept, dialect=dialect)
            limits = sample.limits
            found = _summed(sample, plan, base, complete=_complete(plan))
    return replace(found, sql=sql_of(tables, plan, limits, dialect=dialect) if shows_sql else {})


def _telescoped(
    days: Table,
    members: Table,
    plan: Plan,
    base: Collected,
    limits: Mapping[str, units.Limits],
    kept: ExitStack,
) -> Collected:
    """From days alone: the latest look is the whole, and no table of all units is needed for it."""
    pilot = keep(members.limit(aggregate.PILOT_UNITS), kept)
    few = units.of_days(days.semi_join(pilot, UNIT), pilot, plan.numbers)
    blocks = aggregate.blocks_of(plan.metrics)
    shifts = aggregate.pilot_shifts(units.with_measures(few, plan.measures, limits), blocks)
    sums = daily.daily_sums(days, blocks, plan.measures, limits=limits, shifts=shifts)
    looks = daily.looks_of(records(sums), blocks, shifts)
    whole = replace(base.whole, moments=daily.latest(looks))
    return replace(base, whole=whole, looks={metric.key: looks for metric in plan.metrics})


def _one_by_one(
    tables: Tables, members: Table, plan: Plan, base: Collected, *, dialect: str, shows_sql: bool
) -> Collected:
    # Who fails must not take the others along; they are measured again alone, which only a failure costs.
    together = base
    for metric in plan.metrics:
        try:
            alone = plan.only(metric)
            found = _measured(tables, members, alone, base, dialect=dialect, shows_sql=shows_sql)
        except InterruptException:
            raise
        except Exception as error:  # noqa: BLE001 — engines share no class of errors
            together = replace(together, failures={**together.failures, metric.key: _sentence(error)})
        else:
            together = _joined(together, found)
    return together


def _joined(first: Collected, second: Collected) -> Collected:
    known = {(segment.dimension, segment.label): segment.cut for segment in first.segments}
    return replace(
        first,
        whole=_joined_cuts(first.whole, second.whole),
        segments=[
            replace(
                segment,
                cut=_joined_cuts(known.get((segment.dimension, segment.label), segment.cut), segment.cut),
            )
            for segment in second.segments
        ],
        looks={**first.looks, **second.looks},
        sql={**first.sql, **second.sql},
    )


def _joined_cuts(first: Cut, second: Cut) -> Cut:
    return Cut(
        second.units,
        {**first.moments, **second.moments},
        {**first.quantiles, **second.quantiles},
    )


def _sample(tables: Tables, members: Table, plan: Plan, kept: ExitStack, *, dialect: str) -> Sample:
    days = keep(_days(tables, members, plan, dialect=dialect), kept) if plan.has_looks else None
    if days is None:
        table = units.of_events(tables, members, plan.numbers, dialect=dialect)
    else:
        table = units.of_days(days, members, plan.numbers)
    # Who the units are has done its work, and names take more room than numbers.
    arms = None if plan.clustering or plan.batching else [arm.key for arm in plan.arms]
    dimensions = [dimension_column(each.key) for each in plan.segments]
    named = table[ARM] if arms is None else _places(table, arms)
    narrow = table.select(*dimensions, *(number.column for number in plan.numbers), **{ARM: named})
    table = keep(narrow, kept)
    return Sample(table, units.limits_of(table, plan.measures), days, arms)


def _places(table: Table, arms: Sequence[str]) -> Value:
    return ibis.cases(*((table[ARM] == arm, place) for place, arm in enumerate(arms))).cast("int16")


def _days(tables: Tables, members: Table, plan: Plan, *, dialect: str) -> Table:
    active = [
        activity(units.events_of(tables, source), members, wanted, by_day=True, dialect=dialect)
        for source, wanted in units.by_source(plan.numbers).items()
    ]
    return daily.unit_days(members, active, plan.numbers)


def _complete(plan: Plan) -> frozenset[str]:
    return frozenset(measure.column for measure in plan.measures if measure.counted_by is None)


def _summed(sample: Sample, plan: Plan, base: Collected, *, complete: Collection[str]) -> Collected:
    table = units.with_measures(sample.table, plan.measures, sample.limits)
    blocks = aggregate.blocks_of(plan.metrics)
    shifts = aggregate.pilot_shifts(table, blocks)

    def cut(by: Sequence[str]) -> Mapping[tuple[str, ...], Cut]:
        groups = aggregate.collect(table, blocks, by=(*by, ARM), complete=complete, shifts=shifts)
        quantiles = quantiles_of(table, plan.metrics, (*by, ARM), [group.by for group in groups])
        return _cuts(groups, quantiles, sample.arms)

    whole = cut(()).get((), Cut({}))
    segments = [
        Segment(each.key, label, found)
        for each in plan.segments
        for (label,), found in sorted(cut((dimension_column(each.key),)).items(), key=_by_size)
    ]
    return replace(
        base,
        whole=replace(whole, units={**base.whole.units, **whole.units}),
        segments=segments,
        looks={} if sample.days is None else _looks(sample.days, plan, blocks, sample.limits, shifts),
    )


def _looks(
    days: Table,
    plan: Plan,
    blocks: Sequence[aggregate.Block],
    limits: Mapping[str, units.Limits],
    shifts: Mapping[str, float],
) -> Mapping[str, Looks]:
    sums = daily.daily_sums(days, blocks, plan.measures, limits=limits, shifts=shifts)
    found = daily.looks_of(records(sums), blocks, shifts)
    return {metric.key: found for metric in plan.metrics}


def _by_size(item: tuple[tuple[str, ...], Cut]) -> tuple[int, str]:
    (label,), cut = item
    return -sum(cut.units.values()), label


def _cuts(
    groups: Sequence[aggregate.Group],
    quantiles: Mapping[tuple[str, ...], Mapping[str, Mapping[Any, QuantileFound]]],
    arms: Sequence[str] | None,
) -> dict[tuple[str, ...], Cut]:
    def name_of(arm: Any) -> str:  # noqa: ANN401 — a name or a place
        return str(arm if arms is None else arms[arm])

    cuts: dict[tuple[str, ...], Cut] = {}
    for group in groups:
        label, arm = tuple(group.by[:-1]), name_of(group.by[-1])
        own = {
            key: {name_of(each): found for each, found in by.items()}
            for key, by in quantiles.get(label, {}).items()
        }
        known = cuts.get(label) or Cut({}, {}, own)
        moments = {key: {**known.moments.get(key, {}), arm: found} for key, found in group.moments.items()}
        cuts[label] = replace(known, units={**known.units, arm: group.units}, moments=moments)
    return cuts


def _sentence(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return first or type(error).__name__
