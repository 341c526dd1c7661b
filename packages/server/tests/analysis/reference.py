"""Metrics computed slowly and obviously, unit by unit, to hold the engine's against."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from assay.metrics.definition import (
    AnyDefinition,
    Capped,
    Funnel,
    Proportion,
    Quantile,
    Quantity,
    Ratio,
    Retention,
    Winsorised,
    quantities,
)
from assay.metrics.filters import Comparison, Equality, Filter, Filtered, Membership, Presence, Windowed

from .measuring import Row

Events = pd.DataFrame


def exposed(rows: Sequence[Row]) -> pd.DataFrame:
    """Columns `unit`, `arm`, `first_at` of the units seen in one arm only."""
    seen = pd.DataFrame([row for row in rows if row["kind"] == "exposure"])
    units = list[dict[str, Any]]()
    for unit, own in seen.groupby("unit"):
        arms = set(own["variant"])
        if len(arms) == 1:
            units.append({"unit": unit, "arm": arms.pop(), "first_at": own["at"].min()})
    return pd.DataFrame(units, columns=["unit", "arm", "first_at"])


def values_of(rows: Sequence[Row], definition: AnyDefinition, *, before: bool = False) -> pd.DataFrame:
    """One row per exposed unit: its arm, and its numbers in the columns 0 and perhaps 1; NaN is left out."""
    units = exposed(rows)
    own: dict[str, list[Row]] = {}
    for row in rows:
        if row["kind"] == "event":
            own.setdefault(row["unit"], []).append(row)
    numbers = [
        _numbers(own.get(unit, []), definition, _bounds(definition, first_at, before=before))
        for unit, first_at in zip(units["unit"], units["first_at"], strict=True)
    ]
    table = pd.concat([units[["unit", "arm"]], pd.DataFrame(numbers, dtype=float)], axis=1)
    if before and isinstance(definition, Capped | Quantile):
        table = table.fillna(0.0)
    return _cut_off(table, definition)


def _bounds(definition: AnyDefinition, first_at: datetime, *, before: bool) -> tuple[datetime, datetime]:
    hours = _hours(definition, before=before)
    end = (
        datetime.max.replace(tzinfo=first_at.tzinfo)
        if hours[1] is None
        else first_at + timedelta(hours=hours[1])
    )
    return first_at + timedelta(hours=hours[0]), end


def _hours(definition: AnyDefinition, *, before: bool) -> tuple[float, float | None]:
    if before:
        assert isinstance(definition, Windowed)
        return -(definition.lookback_hours or 0), 0
    if isinstance(definition, Retention):
        return 24 * definition.from_day, 24 * (definition.to_day + 1)
    if isinstance(definition, Funnel):
        return 0, definition.conversion_hours
    return definition.delay_hours or 0, definition.conversion_hours


def _numbers(
    events: Sequence[Row], definition: AnyDefinition, bounds: tuple[datetime, datetime]
) -> dict[int, float]:
    inside = [row for row in events if bounds[0] <= row["at"] < bounds[1]]
    if isinstance(definition, Funnel):
        return {0: float(_takes_all(inside, definition.steps))}
    made = {number: _number(inside, quantity) for number, quantity in enumerate(quantities(definition))}
    if isinstance(definition, Proportion | Retention):
        return {0: float(made[0] > 0)}
    if _is_left_out(definition) and not any(_matches(row, quantities(definition)[0]) for row in inside):
        return {0: np.nan}
    return made


def _is_left_out(definition: AnyDefinition) -> bool:
    return isinstance(definition, Capped | Quantile) and definition.without_events == "left_out"


def _number(events: Sequence[Row], quantity: Quantity) -> float:
    matching = [row for row in events if _matches(row, quantity)]
    match quantity.aggregate:
        case "count":
            return float(len(matching))
        case "days":
            return float(len({row["at"].date() for row in matching}))
        case "distinct":
            found = {_text(row, quantity.property) for row in matching} - {None}
            return float(len(found))
        case "sum":
            parts = [_figure(row, quantity.property) for row in matching]
            return float(sum(part for part in parts if part is not None))


def _takes_all(events: Sequence[Row], steps: Sequence[Filtered]) -> bool:
    """By trying every way there is."""

    def possible(number: int, after: datetime | None, used: frozenset[int]) -> bool:
        if number == len(steps):
            return True
        names = {step.event for step in steps[:number]}
        return any(
            possible(number + 1, row["at"], used | {place})
            for place, row in enumerate(events)
            if _matches(row, steps[number])
            and (after is None or (row["at"] > after if steps[number].event in names else row["at"] >= after))
        )

    return possible(0, None, frozenset())


def _cut_off(table: pd.DataFrame, definition: AnyDefinition) -> pd.DataFrame:
    if not isinstance(definition, Winsorised):
        return table
    for column in [0, 1] if isinstance(definition, Ratio) else [0]:
        values = table[column]
        if isinstance(definition, Capped) and definition.cap_value is not None:
            values = values.clip(upper=definition.cap_value)
        known = values.dropna()
        low, high = (
            None if share is None or known.empty else float(known.quantile(share))
            for share in (definition.floor_quantile, definition.cap_quantile)
        )
        table[column] = values.clip(lower=low, upper=high)
    return table


def _matches(row: Row, wanted: Filtered) -> bool:
    return row["name"] == wanted.event and all(_holds(row, each) for each in wanted.filters)


def _holds(row: Row, condition: Filter) -> bool:
    text, number = _text(row, condition.property), _figure(row, condition.property)
    if isinstance(condition, Presence):
        return (text is not None) == (condition.operator == "present")
    if isinstance(condition, Comparison):
        return (
            number is not None
            and {
                "less": number < condition.value,
                "at_most": number <= condition.value,
                "greater": number > condition.value,
                "at_least": number >= condition.value,
            }[condition.operator]
        )
    if isinstance(condition, Equality | Membership):
        wanted = [condition.value] if isinstance(condition, Equality) else condition.values
        if text is None:
            return False
        return any(_is(text, number, value) for value in wanted) == (condition.operator in {"equals", "in"})
    found = text or ""
    return {
        "contains": condition.value in found,
        "starts_with": found.startswith(condition.value),
        "ends_with": found.endswith(condition.value),
    }[condition.operator]


def _is(text: str, number: float | None, value: Any) -> bool:
    if isinstance(value, bool):
        return text == str(value).lower()
    return text == value if isinstance(value, str) else number == value


def _property(row: Row, name: str | None) -> Any:
    if name is None:
        return row.get("value")
    properties: Mapping[str, Any] = json.loads(row["properties"] or "{}")
    return properties.get(name)


def _text(row: Row, name: str | None) -> str | None:
    value = _property(row, name)
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _figure(row: Row, name: str | None) -> float | None:
    value = _property(row, name)
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except ValueError:
        return None
