"""The moments of every day so far, from one walk over what each day added (docs/decisions/0013).

A unit's number on a look is the sum of its days, so a look's sums differ from those of the day before only
by the units active that day. Each row of a unit and a day contributes its square now less its square before;
added up by arm and day these are the looks, and a day's part never changes when later days come.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from itertools import combinations_with_replacement
from typing import Any

import ibis
import numpy as np
from ibis.expr.types import Table, Value

from assay.analysis.activity import DAY
from assay.analysis.aggregate import Block, shifted
from assay.analysis.assignment import ARM, UNIT
from assay.analysis.collected import Looks
from assay.analysis.conditions import FIRST_AT, day_of
from assay.analysis.plan import Measure, Number
from assay.analysis.units import Limits, shaped
from assay_stats.moments import JointMoments
from assay_stats.undefined import Floats

ENTERS = "enters"
UNIT_DAYS = "unit_days"
SO_FAR, BEFORE = ":so_far", ":before"


def unit_days(assigned: Table, active: Sequence[Table], numbers: Sequence[Number]) -> Table:
    """What each day added to each unit, beginning with a row of nothing on the day it was first exposed.

    Args:
        assigned: Units, arms and first exposures.
        active: What `activity(…, by_day=True)` gave, one per source of events.
        numbers: All numbers, of all sources.
    """
    columns = [number.column for number in numbers]
    nothing = ibis.literal(None, type="float64")
    days = {DAY: day_of(assigned[FIRST_AT]), ENTERS: ibis.literal(1)}
    rows = assigned.select(UNIT, ARM, **days, **dict.fromkeys(columns, nothing))
    for each in active:
        found = {name: each[name] if name in each.columns else nothing for name in columns}
        rows = rows.union(each.select(UNIT, ARM, DAY, **{ENTERS: ibis.literal(0)}, **found))
    return rows


def daily_sums(
    rows: Table,
    blocks: Sequence[Block],
    measures: Sequence[Measure],
    *,
    limits: Mapping[str, Limits],
    shifts: Mapping[str, float],
) -> Table:
    """What each day adds to the sums of each arm, as an expression.

    Args:
        rows: From `unit_days`.
        blocks: What to collect.
        measures: What becomes of the numbers.
        limits: Where each measure is cut off.
        shifts: What is subtracted from each column before it is squared.
    """
    walked = _walked(rows, measures)
    pairs = {
        measure.column: tuple(
            _shaped(walked, measure, limits, shifts.get(measure.column, 0.0), mark=mark)
            for mark in (SO_FAR, BEFORE)
        )
        for measure in measures
    }
    found: dict[str, Value] = {"units": walked[ENTERS].sum(), UNIT_DAYS: walked.count()}
    for number, block in enumerate(blocks):
        columns = [pairs[column] for column in block.columns]
        now, then = ([pair[side] for pair in columns] for side in (0, 1))
        was_there = walked[ENTERS] == 0
        gained, lost = _terms(now), _terms(then)
        for name, value in gained.items():
            change = value.fill_null(0.0) - ibis.ifelse(was_there, lost[name].fill_null(0.0), 0.0)
            found[f"b{number}:{name}"] = change.sum()
    return walked.group_by(ARM, DAY).aggregate(**found)


def looks_of(
    days: Sequence[Mapping[str, Any]], blocks: Sequence[Block], shifts: Mapping[str, float]
) -> Looks:
    """The looks that daily sums add up to."""
    calendar = sorted({record[DAY] for record in days})
    place = {day: number for number, day in enumerate(calendar)}
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for record in days:
        arms.setdefault(record[ARM], []).append(record)

    def series(arm: str, name: str) -> Floats:
        steps = np.zeros(len(calendar))
        for record in arms[arm]:
            steps[place[record[DAY]]] += record[name] or 0.0
        return np.cumsum(steps)

    units = {arm: series(arm, "units") for arm in arms}
    moments = {
        block.key: {
            arm: _moments(partial(series, arm), number, block.columns, units[arm], shifts) for arm in arms
        }
        for number, block in enumerate(blocks)
    }
    return Looks(calendar, units, moments)


def latest(looks: Looks) -> dict[str, dict[str, JointMoments]]:
    """The moments at the end of the last day, per block and arm."""
    return {key: {arm: found[-1] for arm, found in arms.items()} for key, arms in looks.moments.items()}


def _walked(rows: Table, measures: Sequence[Measure]) -> Table:
    names = {measure.number for measure in measures} | {
        measure.counted_by for measure in measures if measure.counted_by is not None
    }
    so_far = ibis.window(
        group_by=UNIT, order_by=[ibis.asc(DAY), ibis.desc(ENTERS)], preceding=None, following=0
    )
    totals = {f"{name}{SO_FAR}": rows[name].fill_null(0.0).sum().over(so_far) for name in sorted(names)}
    walked = rows.mutate(**totals)
    return walked.mutate(
        **{
            f"{name}{BEFORE}": walked[f"{name}{SO_FAR}"] - walked[name].fill_null(0.0)
            for name in sorted(names)
        }
    )


def _shaped(
    walked: Table, measure: Measure, limits: Mapping[str, Limits], shift: float, *, mark: str
) -> Value:
    counted = None if measure.counted_by is None else walked[f"{measure.counted_by}{mark}"]
    value = shaped(measure, walked[f"{measure.number}{mark}"], counted, limits[measure.column])
    return shifted(value, shift)


def _terms(values: Sequence[Value]) -> dict[str, Value]:
    """Count, sums and products of one row; null where a value is missing."""
    present = reduce(lambda left, right: left & right, [value.notnull() for value in values])
    # Not 1.0, which PostgreSQL takes for a decimal.
    terms: dict[str, Value] = {"n": ibis.ifelse(present, 1, 0).cast("float64")}
    for i, value in enumerate(values):
        terms[f"s{i}"] = ibis.ifelse(present, value, 0.0)
    for i, j in combinations_with_replacement(range(len(values)), 2):
        terms[f"p{i}{j}"] = ibis.ifelse(present, values[i] * values[j], 0.0)
    return terms


def _moments(
    series: Callable[[str], Floats],
    number: int,
    columns: Sequence[str],
    units: Floats,
    shifts: Mapping[str, float],
) -> JointMoments:
    size = range(len(columns))
    n = series(f"b{number}:n")
    products = [[series(f"b{number}:p{min(i, j)}{max(i, j)}") for j in size] for i in size]
    return JointMoments.from_shifted_sums(
        n=n,
        shift=np.array([shifts[column] for column in columns]),
        totals=np.stack([series(f"b{number}:s{i}") for i in size], axis=-1),
        products=np.moveaxis(np.array(products), -1, 0),
        missing=units - n,
    )
