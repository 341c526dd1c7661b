"""Who was exposed to what, when first, and what was known of them then."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from assay.analysis.collected import MISSING, OTHER, VALUE_MARK, Excluded
from assay.analysis.conditions import FIRST_AT, property_text
from assay.analysis.plan import Dimension, DoubleExposure, Plan
from assay.analysis.reading import records
from assay.analysis.switching import BLOCK, CLUSTER

UNIT, ARM = "unit", "arm"
IN_SEVERAL = "in_several"
MOST_UNKNOWN_ARMS = 20


def dimension_column(key: str) -> str:
    """The column of the unit table in which a dimension stands."""
    return f"by:{key}"


def first_exposures(events: Table, plan: Plan, *, dialect: str) -> Table:
    """One row per exposed unit: its arm, first exposure, dimensions, and whether it was in several arms.

    Args:
        events: Exposures among other events.
        plan: Names the experiment, the dimensions, and what becomes of units in several arms.
        dialect: Of the table's engine.
    """
    is_exposure = (events["kind"] == "exposure") & events["variant"].notnull()
    if plan.experiment is not None:
        is_exposure &= events["name"] == plan.experiment
    exposures = events.filter(is_exposure)
    owners = [] if plan.clustering is None else [name for name in (CLUSTER, BLOCK) if name in events.columns]
    first = exposures.group_by(UNIT).aggregate(
        lowest=exposures["variant"].min(),
        highest=exposures["variant"].max(),
        first_at=exposures["at"].min(),
        **{name: exposures[name].min() for name in owners},
    )
    in_several = first["lowest"] != first["highest"]
    keeps_first = plan.double_exposure is DoubleExposure.FIRST_ARM
    if not (plan.segments or keeps_first):
        return first.select(UNIT, FIRST_AT, *owners, **{ARM: first["lowest"], IN_SEVERAL: in_several})
    known = _known_then(exposures, first, plan, dialect=dialect)
    joined = first.left_join(known, first[UNIT] == known["known_unit"])
    return joined.select(
        UNIT,
        FIRST_AT,
        *owners,
        **{
            ARM: joined["first_arm"] if keeps_first else joined["lowest"],
            IN_SEVERAL: joined["lowest"] != joined["highest"],
            **{dimension_column(each.key): joined[dimension_column(each.key)] for each in plan.segments},
        },
    )


def _known_then(exposures: Table, first: Table, plan: Plan, *, dialect: str) -> Table:
    # Of several exposures at the same moment the smallest value is taken, so that no order of rows matters.
    moments = first.select(moment_unit=first[UNIT], moment=first[FIRST_AT])
    at_first = exposures.join(
        moments, [exposures[UNIT] == moments["moment_unit"], exposures["at"] == moments["moment"]]
    )
    dimensions = {
        dimension_column(each.key): property_text(at_first, each.key, dialect=dialect).min()
        for each in plan.segments
    }
    return at_first.group_by(known_unit=at_first[UNIT]).aggregate(
        first_arm=at_first["variant"].min(), **dimensions
    )


def assigned(first: Table, plan: Plan) -> Table:
    """The units that count: in an arm of the experiment, and in no other unless the plan keeps the first."""
    kept = first[ARM].isin([arm.key for arm in plan.arms])
    if plan.double_exposure is DoubleExposure.LEAVE_OUT:
        kept &= ~first[IN_SEVERAL]
    if plan.clustering is not None:
        kept &= first[CLUSTER].notnull()
    return first.filter(kept).drop(IN_SEVERAL)


def counted(first: Table, plan: Plan) -> tuple[dict[str, int], Excluded]:
    """Units per arm of the experiment, and what does not count."""
    units, excluded = counts_of(records(first.group_by(ARM, IN_SEVERAL).aggregate(units=first.count())), plan)
    if plan.clustering is None:
        return units, excluded
    (lost,) = records(first.aggregate(units=first[CLUSTER].isnull().sum().fill_null(0)))
    return units, replace(excluded, without_cluster=lost["units"])


def counts_of(groups: Sequence[Mapping[str, Any]], plan: Plan) -> tuple[dict[str, int], Excluded]:
    """The same from `units` by arm and whether they were in several."""
    units: Counter[str] = Counter()
    in_several = 0
    for row in groups:
        in_several += row["units"] if row[IN_SEVERAL] else 0
        if not row[IN_SEVERAL] or plan.double_exposure is DoubleExposure.FIRST_ARM:
            units[row[ARM]] += row["units"]
    arms = {arm.key for arm in plan.arms}
    counts = {arm: count for arm, count in units.items() if count}
    unknown = Counter({arm: count for arm, count in counts.items() if arm not in arms})
    return (
        {arm: count for arm, count in counts.items() if arm in arms},
        Excluded(in_several_arms=in_several, unknown_arms=dict(unknown.most_common(MOST_UNKNOWN_ARMS))),
    )


def with_labels(table: Table, segments: Sequence[Dimension]) -> Table:
    """The unit table with each dimension's values replaced by labels: the frequent ones, `other`, `missing`.

    A label that stands for a value begins with `=`, so that a value called `other` is not mistaken.
    """
    if not segments:
        return table
    labels = {dimension_column(each.key): _label(table, each) for each in segments}
    return table.mutate(**labels)


def _label(table: Table, dimension: Dimension) -> Value:
    column = table[dimension_column(dimension.key)]
    known = table.select(value=column)
    known = known.filter(known["value"].notnull())
    counts = known.group_by("value").aggregate(units=known.count())
    top = [row["value"] for row in records(counts.order_by(ibis.desc("units"), "value").limit(dimension.top))]
    others = ibis.ifelse(column.isin(top), ibis.literal(VALUE_MARK) + column, OTHER) if top else OTHER
    return ibis.ifelse(column.isnull(), MISSING, others)
