"""A frozen plan: its canonical form, its digest, and what was changed afterwards."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from assay.experiments.design import Arm
from assay.experiments.plan import Plan

# What is settled by the rule in the flag changes with a new phase only; the rest may be deviated from.
ASSIGNING = (
    "flag",
    "unit",
    "coverage",
    "ramp",
    "targeting",
    "above",
    "sticky",
    "analysis_unit",
    "switchback",
    "balanced_salt",
    "bandit",
    "layer",
    "holdouts",
)
JUDGING = ("goals", "secondary", "guardrails", "method", "alpha", "power", "correction", "duration_days")


@dataclass(frozen=True, slots=True)
class MetricVersion:
    """A metric as it was defined when the plan was frozen."""

    key: str
    version: int
    direction: str


@dataclass(frozen=True, slots=True)
class Departure:
    """How the plan that is followed differs from the frozen one.

    Attributes:
        fields: Parts of the plan that changed.
        metrics: Metrics that were not planned in the role they have now: what they show is exploratory.
        is_exploratory: Everything is, as the method or its error rates have changed.
    """

    fields: tuple[str, ...]
    metrics: tuple[str, ...]
    is_exploratory: bool


def document(
    experiment: str,
    environment: str,
    arms: Sequence[Arm],
    control: str,
    plan: Plan,
    metrics: Sequence[MetricVersion],
    settled: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All that a frozen plan says, as plain JSON.

    Args:
        settled: What a phase settles besides: `sticky`, the version first exposures are kept under and the
            one below which units are left out; `windows`, of a switchback.
    """
    return {
        **(settled or {}),
        "format": 1,
        "experiment": experiment,
        "environment": environment,
        "arms": [arm.model_dump(mode="json", include={"key", "weight"}) for arm in arms],
        "control": control,
        "plan": plan.model_dump(mode="json"),
        "metrics": [
            {"key": each.key, "version": each.version, "direction": each.direction} for each in metrics
        ],
    }


def digest(frozen: Mapping[str, Any]) -> str:
    """The SHA-256, in hexadecimal, of a document's canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(dict(frozen))).hexdigest()


def departure(frozen: Plan, followed: Plan) -> Departure:
    """What was changed after the start."""
    fields = tuple(name for name in JUDGING if getattr(frozen, name) != getattr(followed, name))
    planned = set(_roles(frozen))
    unplanned = {metric for metric, role in _roles(followed) if (metric, role) not in planned}
    metrics = tuple(metric for metric in followed.metrics() if metric in unplanned)
    decisive = {"method", "alpha", "correction", "duration_days"}
    return Departure(fields, metrics, not decisive.isdisjoint(fields))


def _roles(plan: Plan) -> Iterator[tuple[str, object]]:
    yield from ((goal.metric, goal) for goal in plan.goals)
    yield from ((metric, "secondary") for metric in plan.secondary)
    yield from ((guardrail.metric, guardrail) for guardrail in plan.guardrails)
