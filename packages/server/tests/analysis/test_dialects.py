"""The same plan in the words of every engine, beside what it was before: a change of SQL is seen, not met."""

from pathlib import Path

import ibis
import pytest
from ibis.expr.types import Table

from assay.analysis import aggregate, assignment, daily
from assay.analysis.activity import activity
from assay.analysis.computing import statement
from assay.analysis.experiment import Options
from assay.analysis.plan import Dimension, DoubleExposure, Plan
from assay.analysis.units import Limits

from .measuring import a_metric, a_plan

FOLDER = Path(__file__).parent / "sql"
DIALECTS = ["duckdb", "postgres", "databricks", "snowflake", "bigquery", "clickhouse", "trino"]
EVENTS = {
    "event_id": "string",
    "kind": "string",
    "name": "string",
    "unit": "string",
    "units": "string",
    "at": "timestamp",
    "variant": "string",
    "value": "float64",
    "properties": "string",
}
METRICS = [
    a_metric(
        "spent", kind="mean", event="order", lookback_hours=48, cap_value=500.0, without_events="left_out"
    ),
    a_metric(
        "per_session",
        kind="ratio",
        numerator={"event": "order", "aggregate": "sum", "property": "net"},
        denominator={"event": "view", "aggregate": "distinct", "property": "session id"},
        conversion_hours=168,
    ),
    a_metric("funnel", kind="funnel", steps=[{"event": "view"}, {"event": "order"}], conversion_hours=24),
]


def a_wide_plan() -> Plan:
    options = Options(
        segments=(Dimension("country"),), double_exposure=DoubleExposure.FIRST_ARM, has_looks=True
    )
    return a_plan(*METRICS, options=options)


def query(dialect: str) -> str:
    """All sums of the plan, and the daily ones."""
    plan, events = a_wide_plan(), ibis.table(EVENTS, name="events")
    limits = {measure.column: Limits(high=measure.cap_value) for measure in plan.measures}
    whole = statement({None: events}, plan, limits, dialect=dialect)
    looks = looks_statement(events, plan.only(plan.metrics[0]), limits, dialect)
    return "\n\n".join(ibis.to_sql(each, dialect=dialect) for each in (whole, looks)) + "\n"


def looks_statement(events: Table, plan: Plan, limits: dict[str, Limits], dialect: str) -> Table:
    members = assignment.assigned(assignment.first_exposures(events, plan, dialect=dialect), plan)
    active = activity(events, members, plan.numbers, by_day=True, dialect=dialect)
    blocks = aggregate.blocks_of(plan.metrics)
    shifts = dict.fromkeys((column for block in blocks for column in block.columns), 1.5)
    rows = daily.unit_days(members, [active], plan.numbers)
    return daily.daily_sums(rows, blocks, plan.measures, limits=limits, shifts=shifts)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_plan_compiles_for_every_engine_as_it_did(dialect: str) -> None:
    known = (FOLDER / f"{dialect}.sql").read_text(encoding="utf-8")

    # What changed on purpose is written anew by `write` below, and read before it is committed.
    assert query(dialect) == known


def write() -> None:
    """Writes the files anew, to be read before they are committed."""
    FOLDER.mkdir(exist_ok=True)
    for dialect in DIALECTS:
        (FOLDER / f"{dialect}.sql").write_text(query(dialect), encoding="utf-8")
