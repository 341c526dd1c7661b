"""Results, experiments and runs as plain values."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Literal

from assay.analysis.document import (
    ArmSummary,
    ArmUnits,
    Comparison,
    Document,
    Estimate,
    Excluded,
    MetricResult,
    SampleRatio,
    Undefined,
)
from assay.analysis.plan import Kind
from assay.analysis.schemas import ResultOut
from assay.experiments.schemas import ExperimentOut
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.metrics.schemas import MetricOut

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def an_estimate(low: float | None = 0.5, high: float | None = 1.5, *, method: str = "welch") -> Estimate:
    middle = None if low is None or high is None else (low + high) / 2
    return Estimate(method=method, estimate=middle, low=low, high=high, undefined=None)


def undefined(sentence: str = "a variant has no units", *, estimate: float | None = None) -> Estimate:
    reason = Undefined(reason="some_reason", sentence=sentence)
    return Estimate(method="welch", estimate=estimate, low=None, high=None, undefined=reason)


def a_comparison(
    difference: Estimate | None = None, lift: Estimate | None = None, *, arm: str = "B", **parts: object
) -> Comparison:
    shown = lift or an_estimate(0.05, 0.15, method="delta")
    values: dict[str, object] = {
        "arm": arm,
        "difference": difference or an_estimate(),
        "p_value": 0.001,
        "lift": shown,
        "lift_fieller": shown,
    }
    return Comparison.model_validate(values | parts)


def a_metric_result(
    *comparisons: Comparison,
    metric: str = "revenue",
    kind: Kind = Kind.MEAN,
    direction: Literal["increase", "decrease"] = "increase",
    control: float | None = 10.0,
) -> MetricResult:
    compared = comparisons or (a_comparison(),)
    arms = [("A", control), *((comparison.arm, 11.0) for comparison in compared)]
    return MetricResult(
        metric=metric,
        name=metric.capitalize(),
        kind=kind,
        direction=direction,
        version=1,
        arms=[
            ArmSummary(arm=arm, units=100, missing=0, mean=mean, standard_deviation=2.0) for arm, mean in arms
        ],
        comparisons=list(compared),
        failure=None,
        sql=None,
    )


def a_sample_ratio(p_value: float | None = 0.5, **parts: object) -> SampleRatio:
    suspicious = p_value is not None and p_value < 0.01
    values: dict[str, object] = {
        "statistic": 1.0, "degrees_of_freedom": 1.0, "p_value": p_value,
        "suspicious": suspicious, "undefined": None,
    }  # fmt: skip
    return SampleRatio.model_validate(values | parts)


def a_document(*metrics: MetricResult, **parts: object) -> Document:
    values: dict[str, object] = {
        "assay_version": "1.2.3",
        "unit": "unit",
        "control": "A",
        "alpha": 0.05,
        "arms": [ArmUnits(arm="A", weight=1.0, units=1000), ArmUnits(arm="B", weight=1.0, units=1010)],
        "excluded": Excluded(in_several_arms=0, without_unit=0, without_arm=0, unknown_arms={}),
        "sample_ratio": a_sample_ratio(),
        "metrics": list(metrics or (a_metric_result(),)),
    }
    return Document.model_validate(values | parts)


def an_experiment(**parts: object) -> ExperimentOut:
    values: dict[str, object] = {
        "key": "checkout",
        "name": "Checkout",
        "description": "",
        "arms": [{"key": "A", "name": "Old"}, {"key": "B", "name": "New"}],
        "control": "A",
        "assignments": {"source": "exposures", "environment": "production"},
        "metrics": ["revenue"],
        "known_effects": {},
        "created_at": NOW - timedelta(days=3),
        "updated_at": NOW - timedelta(days=3),
    }
    return ExperimentOut.model_validate(values | parts)


def a_metric(key: str = "revenue", **parts: object) -> MetricOut:
    values: dict[str, object] = {
        "key": key,
        "name": key.capitalize(),
        "description": "",
        "direction": "increase",
        "definition": {"kind": "mean", "event": key},
        "version": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return MetricOut.model_validate(values | parts)


def a_task(state: TaskState = TaskState.COMPLETED, **parts: object) -> TaskOut:
    values: dict[str, object] = {
        "id": uuid.UUID(int=7),
        "kind": "results",
        "state": state,
        "progress": 1.0,
        "note": "done",
        "error": None,
        "error_code": None,
        "attempts": 1,
        "created_at": NOW - timedelta(minutes=6),
        "started_at": NOW - timedelta(minutes=6),
        "heartbeat_at": None,
        "finished_at": NOW - timedelta(minutes=5),
    }
    return TaskOut.model_validate(values | parts)


def a_result(document: Document | None = None) -> ResultOut:
    return ResultOut(task=a_task(), document=document or a_document())
