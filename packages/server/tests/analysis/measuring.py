"""Experiments made of plain rows: metrics, events, and the document they give."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
from pydantic import TypeAdapter

from assay.analysis.document import Document, MetricResult
from assay.analysis.experiment import Options, analyze_events, plan_of
from assay.analysis.plan import Plan
from assay.experiments.schemas import ExperimentOut
from assay.metrics.definition import Definition
from assay.metrics.schemas import MetricOut
from assay.sources.service import local_engine

START = datetime(2026, 3, 1, tzinfo=UTC)
DEFINITION: TypeAdapter[Any] = TypeAdapter(Definition)
Row = Mapping[str, Any]
EVENTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("unit", pa.string()),
        ("units", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("variant", pa.string()),
        ("value", pa.float64()),
        ("properties", pa.string()),
    ]
)


def after(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def exposure(unit: str, variant: str, hours: float = 0.0, **properties: Any) -> Row:
    return _row("exposure", "e", unit, hours, properties, variant=variant)


def event(name: str, unit: str, hours: float, value: float | None = None, **properties: Any) -> Row:
    return _row("event", name, unit, hours, properties, value=value)


def table_of(rows: Iterable[Row]) -> pa.Table:
    filled = [
        {name: row.get(name) for name in EVENTS.names} | {"event_id": row.get("event_id") or str(number)}
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, schema=EVENTS)


def a_metric(key: str, **parts: Any) -> MetricOut:
    """A metric; `direction` and `margin` are the metric's, the rest its definition's."""
    about = {name: parts.pop(name) for name in ("direction", "margin", "source") if name in parts}
    values = {
        "key": key,
        "name": key,
        "description": "",
        "direction": "increase",
        "definition": DEFINITION.validate_python(parts),
        "version": 1,
        "created_at": START,
        "updated_at": START,
    }
    return MetricOut.model_validate(values | about)


def an_experiment(*arms: str) -> ExperimentOut:
    return ExperimentOut.model_validate(
        {
            "key": "e",
            "name": "E",
            "description": "",
            "arms": [{"key": arm} for arm in arms],
            "control": arms[0],
            "assignments": {"source": "exposures"},
            "metrics": [],
            "known_effects": {},
            "created_at": START,
            "updated_at": START,
        }
    )


def a_plan(*metrics: MetricOut, arms: Sequence[str] = ("a", "b"), options: Options | None = None) -> Plan:
    return plan_of(an_experiment(*arms), metrics, options or Options())


def analyze(rows: Iterable[Row], *metrics: MetricOut, options: Options | None = None) -> Document:
    """The result over these rows."""
    engine = local_engine()
    table = engine.create_table("events", ibis.memtable(table_of(rows)), temp=True)
    return analyze_events({None: table}, a_plan(*metrics, options=options), shows_sql=False)


def means(document: Document, key: str) -> list[float | None]:
    return [arm.mean for arm in result(document, key).arms]


def result(document: Document, key: str) -> MetricResult:
    return next(metric for metric in document.metrics if metric.metric == key)


def _row(
    kind: str, name: str, unit: str, hours: float, properties: Mapping[str, Any], **parts: Any
) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "unit": unit,
        "at": after(hours),
        "properties": json.dumps(properties) if properties else None,
        **parts,
    }
