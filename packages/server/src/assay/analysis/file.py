"""From a CSV or Parquet file to its result document, without a server."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from assay.analysis import units
from assay.analysis.assignment import ARM, dimension_column
from assay.analysis.computing import collect_rows
from assay.analysis.document import Document
from assay.analysis.errors import UnknownArm
from assay.analysis.methods import Reading
from assay.analysis.plan import ArmPlan, Dimension, Kind, Measure, MetricPlan, Plan
from assay.analysis.reading import records
from assay.analysis.record import Record, concluded
from assay.shared.errors import Invalid
from assay.sources import service as sources

MAX_ARMS = 20


class InvalidRequest(Invalid):
    """The question about the file does not fit together."""

    code = "invalid_request"


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What to read from a file of one row per unit.

    Attributes:
        unit: Column that identifies the unit; None takes every row for another unit and does not look.
        metrics: Columns to compare.
        ratios: Names of ratio metrics, each with its numerator and denominator column.
        caps: Metrics that are also read capped, each with the pooled quantile of all units to cap at.
        weights: Planned weights per arm; empty means equal ones.
        segments: Columns the result is also cut by.
        covariates: Metrics, each with a column known before exposure that adjusts it.
        zero_fill: Count a unit without a value as 0 instead of leaving it out.
    """

    path: Path
    unit: str | None
    variant: str
    control: str
    metrics: Sequence[str] = ()
    ratios: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    caps: Mapping[str, float] = field(default_factory=dict[str, float])
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    alpha: float = 0.05
    segments: Sequence[str] = ()
    covariates: Mapping[str, str] = field(default_factory=dict[str, str])
    zero_fill: bool = False


def analyze_file(request: FileRequest) -> Document:
    """The result of the experiment in a file.

    Raises:
        UnreadableTable, UnknownColumn, UnusableColumn, RepeatedUnits, UnknownArm, InvalidRequest: With the
            value that is wrong and the way out.
    """
    return concluded(measure_file(request))


def measure_file(request: FileRequest) -> Record:
    """What the same is concluded from."""
    columns = _columns(request)
    engine = sources.local_engine()
    named = set(_named(request)) - set(columns)
    table = sources.open_file(engine, request.path, as_text=named)
    with sources.readable(request.path):
        return _measure(engine, table, request, columns)


def _measure(engine: Backend, table: Table, request: FileRequest, columns: Sequence[str]) -> Record:
    sources.require_columns(table, [*_named(request), *columns, *request.covariates.values()])
    for column in (*columns, *request.covariates.values()):
        sources.require_measurable(table, column)
    # The inner names carry a prefix, so that a metric column may be called `unit` or `arm`.
    names = {f"metric:{column}": column for column in columns}
    others = {_before(metric): column for metric, column in request.covariates.items()}
    others |= {dimension_column(column): column for column in request.segments}
    ranges = _ranges(table, list({**names, **others}.values()))
    sample = units.from_rows(table, unit=request.unit, arm=request.variant, columns=names | others, arms=None)
    rows = _zero_filled(sample.table, names) if request.zero_fill else sample.table
    rows = _as_text(rows, [dimension_column(column) for column in request.segments])
    if sample.excluded.in_several_arms:
        rows = engine.create_table("units", rows, temp=True)
    plan = _plan(request, rows, ranges)
    complete = {name for name, column in (names | others).items() if ranges[column].is_complete}
    complete |= set(names) if request.zero_fill else set()
    return Record(plan, collect_rows(rows, plan, sample.excluded, complete=complete))


def _named(request: FileRequest) -> list[str]:
    names = [request.variant, *request.segments]
    return names if request.unit is None else [request.unit, *names]


def _columns(request: FileRequest) -> list[str]:
    wanted = [*request.metrics, *(column for pair in request.ratios.values() for column in pair)]
    if not wanted:
        raise InvalidRequest("no metric given; name at least one column")
    _require_unique([*request.metrics, *map(_capped_key, request.caps), *request.ratios])
    # Both ends: so small an alpha that 1 - alpha is 1 asks for an interval that covers everything.
    if not (0 < request.alpha < 1 and 1 - request.alpha < 1):
        raise InvalidRequest(f"alpha must lie between 0 and 1, not {request.alpha}", value=request.alpha)
    for metric, quantile in request.caps.items():
        if metric not in request.metrics:
            raise InvalidRequest(f"cap for {metric!r}, which is not among the metrics", value=metric)
        if not 0 < quantile < 1:
            raise InvalidRequest(f"a cap is a quantile between 0 and 1, not {quantile}", value=quantile)
    for metric in request.covariates:
        if metric not in request.metrics:
            raise InvalidRequest(f"covariate of {metric!r}, which is not among the metrics", value=metric)
    for arm, weight in request.weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidRequest(f"weight of {arm!r} must be a number from 0 on, not {weight}", value=weight)
    return list(dict.fromkeys(wanted))


def _require_unique(keys: Sequence[str]) -> None:
    # DuckDB does not tell upper from lower case in names.
    seen = [key.casefold() for key in keys]
    if repeated := [key for key in keys if seen.count(key.casefold()) > 1]:
        raise InvalidRequest(
            f"two metrics would be called {repeated[-1]!r}; leave one out or give the ratio another name",
            value=repeated[-1],
        )


def _as_text(table: Table, columns: Sequence[str]) -> Table:
    return table.mutate(**{column: table[column].cast("string") for column in columns}) if columns else table


def _zero_filled(table: Table, names: Mapping[str, str]) -> Table:
    return table.mutate(**{name: table[name].cast("float64").fill_null(0.0) for name in names})


def _plan(request: FileRequest, rows: Table, ranges: Mapping[str, "_Range"]) -> Plan:
    arms = _arms(rows)
    if request.control not in arms:
        raise UnknownArm(
            f"control {request.control!r} does not occur in column {request.variant!r}; "
            f"it has {', '.join(arms) or 'no value'}",
            value=request.control,
        )
    if strange := sorted(set(request.weights) - set(arms)):
        raise UnknownArm(f"weight for {strange[0]!r}, which does not occur in column {request.variant!r}")
    ordered = [request.control, *(arm for arm in arms if arm != request.control)]
    return Plan(
        unit=request.unit or "row",
        control=request.control,
        arms=tuple(ArmPlan(arm, request.weights.get(arm, 1.0)) for arm in ordered),
        metrics=_metrics(request, rows, ranges),
        measures=tuple(
            Measure(_capped(metric), f"metric:{metric}", cap_quantile=quantile)
            for metric, quantile in request.caps.items()
        ),
        alpha=request.alpha,
        segments=tuple(Dimension(column) for column in request.segments),
        reading=Reading(alpha=request.alpha),
    )


def _arms(rows: Table) -> list[str]:
    found = records(rows.select(ARM).distinct().order_by(ARM).limit(MAX_ARMS + 1))
    arms = [row[ARM] for row in found]
    if len(arms) > MAX_ARMS:
        raise InvalidRequest(
            f"the variant column has more than {MAX_ARMS} different values, the first being {arms[0]!r}; "
            "is it the right column?"
        )
    return arms


def _metrics(request: FileRequest, rows: Table, ranges: Mapping[str, "_Range"]) -> tuple[MetricPlan, ...]:
    answers = _answers(rows, request.metrics, ranges)
    single = [
        MetricPlan(
            key=column,
            name=column,
            kind=Kind.PROPORTION if column in answers else Kind.MEAN,
            columns=(f"metric:{column}",),
            covariates=(_before(column),) if column in request.covariates else (),
        )
        for column in request.metrics
    ]
    capped = [
        MetricPlan(
            key=_capped_key(column),
            name=f"{column} capped at quantile {quantile:g}",
            kind=Kind.MEAN,
            columns=(_capped(column),),
        )
        for column, quantile in request.caps.items()
    ]
    ratios = [
        MetricPlan(
            key=name, name=name, kind=Kind.RATIO, columns=(f"metric:{numerator}", f"metric:{denominator}")
        )
        for name, (numerator, denominator) in request.ratios.items()
    ]
    return (*single, *capped, *ratios)


def _capped_key(metric: str) -> str:
    return f"{metric}_capped"


def _before(metric: str) -> str:
    return f"before:{metric}"


def _capped(metric: str) -> str:
    return f"capped:{metric}"


@dataclass(frozen=True, slots=True)
class _Range:
    """What a file's own figures say of a column: its ends, and whether every row has a value."""

    low: float | None
    high: float | None
    is_complete: bool


def _ranges(table: Table, columns: Sequence[str]) -> dict[str, _Range]:
    # Counts and ends stand in a Parquet file's footer: none of its rows is read for them.
    wanted = {f"known:{column}": table[column].count() for column in columns}
    for column in columns:
        if table[column].type().is_numeric():
            wanted |= {f"low:{column}": table[column].min(), f"high:{column}": table[column].max()}
    (found,) = records(table.aggregate(rows=table.count(), **wanted))
    return {
        column: _Range(
            found.get(f"low:{column}"),
            found.get(f"high:{column}"),
            is_complete=found[f"known:{column}"] == found["rows"],
        )
        for column in columns
    }


def _answers(rows: Table, columns: Sequence[str], ranges: Mapping[str, _Range]) -> frozenset[str]:
    """The columns of TRUE/FALSE, or of numbers that are only ever 0 or 1: answers to a yes-or-no question."""
    kinds = {column: rows[f"metric:{column}"].type() for column in columns}
    unit_ends = {
        column for column in columns if ranges[column].low in {0, 1} and ranges[column].high in {0, 1}
    }
    certain = {column for column in columns if kinds[column].is_boolean()}
    certain |= {column for column in unit_ends if kinds[column].is_integer()}
    return frozenset(certain) | _only_zero_or_one(rows, sorted(unit_ends - certain))


def _only_zero_or_one(rows: Table, columns: Sequence[str]) -> frozenset[str]:
    if not columns:
        return frozenset()
    others = {
        column: ((rows[f"metric:{column}"] != 0) & (rows[f"metric:{column}"] != 1)).sum().fill_null(0)
        for column in columns
    }
    (found,) = records(rows.aggregate(**others))
    return frozenset(column for column in columns if found[column] == 0)
