"""What a planned experiment says about its reading, in the words of the analysis."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from assay.analysis.methods import (
    AlwaysValid,
    Bayesian,
    Correction,
    Fixed,
    GroupSequential,
    Method,
    Reading,
    Role,
    Schedule,
    SpendingRule,
)
from assay.analysis.plan import BalancedBefore, Batch, Batching, Clustering, MarginPlan, MetricPlan, Switching
from assay.assignments.keeping import path_name
from assay.experiments import plan as planned
from assay.experiments.holdouts import FromHoldout, HoldoutReading
from assay.experiments.lifecycle import State
from assay.experiments.schemas import ExperimentOut
from assay.experiments.switching import from_json

DEFAULT_ALPHA = 0.05


def reading_of(
    experiment: ExperimentOut,
    *,
    now: datetime | None,
    alpha: float | None = None,
    method: Method | None = None,
) -> Reading:
    """How and when claims are made; an observed experiment is read once, with the data there is.

    Args:
        now: Decides whether the planned end has been reached; None is never.
        alpha: In place of the plan's; None as planned, 0.05 without a plan.
        method: In place of the plan's.
    """
    plan = experiment.plan
    if isinstance(experiment.assignments, FromHoldout):
        return _of_holdout(experiment, experiment.assignments.reading, now=now, alpha=alpha, method=method)
    if plan is None:
        return Reading(method=method or Fixed(), alpha=DEFAULT_ALPHA if alpha is None else alpha)
    return Reading(
        method=method or method_of(plan.method),
        alpha=_alpha(plan) if alpha is None else alpha,
        correction=Correction(plan.correction),
        is_final=_is_over(experiment, plan, now),
    )


def method_of(method: planned.Method) -> Method:
    """A planned method in the words of the analysis."""
    match method:
        case planned.Fixed():
            return Fixed()
        case planned.GroupSequential():
            return GroupSequential(
                spending=SpendingRule(method.spending.family),
                parameter=method.spending.parameter,
                looks=tuple(look / method.looks for look in range(1, method.looks + 1)),
            )
        case planned.AlwaysValid():
            return AlwaysValid(tuned_for=method.tuned_for)
        case planned.Bayesian():
            return Bayesian(prior_mean=method.prior.mean, prior_sd=method.prior.standard_deviation)
        case _:
            assert_never(method)


def alpha_of(experiment: ExperimentOut) -> float:
    """The alpha of plain intervals, beside the claims."""
    if isinstance(experiment.assignments, FromHoldout):
        return experiment.assignments.reading.alpha
    return DEFAULT_ALPHA if experiment.plan is None else experiment.plan.alpha


def _of_holdout(
    experiment: ExperimentOut,
    reading: HoldoutReading,
    *,
    now: datetime | None,
    alpha: float | None,
    method: Method | None,
) -> Reading:
    return Reading(
        method=method or method_of(reading.method),
        alpha=reading.alpha if alpha is None else alpha,
        correction=Correction(reading.correction),
        is_final=experiment.ended_at is not None and (now is None or now >= experiment.ended_at),
    )


def schedule_of(experiment: ExperimentOut) -> Schedule | None:
    """When the experiment began and how long it takes; None before its start."""
    if experiment.plan is None or experiment.started_at is None:
        return None
    started = experiment.started_at if experiment.phase is None else experiment.phase.started_at
    return Schedule(started, experiment.plan.duration_days)


def clustering_of(experiment: ExperimentOut, *, now: datetime) -> Clustering | None:
    """How whole clusters were assigned; None where units were, one by one.

    Args:
        now: Windows that are not over then are not read yet.
    """
    plan, phase = experiment.plan, experiment.phase
    if plan is None or phase is None:
        return None
    kind = path_name(plan.unit_path)
    if plan.switchback is not None and "windows" in phase.frozen:
        windows = from_json(phase.frozen["windows"])
        until = min(now, phase.ended_at or now)
        return Clustering(
            kind,
            Switching(windows.minutes, windows.anchor, windows.block, plan.switchback.burn_in_minutes, until),
        )
    return None if plan.analysis_unit is None else Clustering(kind)


def batching_of(experiment: ExperimentOut) -> Batching | None:
    """The batches of the running phase; None where its weights stay.

    Epochs in a row whose weights stayed are one batch.
    """
    phase = experiment.phase
    if phase is None or not phase.epochs:
        return None
    bandit = planned.Plan.model_validate(phase.frozen["plan"]).bandit
    if bandit is None:
        return None
    moved = [epoch for epoch in phase.epochs if epoch.moved]
    batches = tuple(
        Batch(each.number, each.began_at, tuple(each.weights[arm.key] for arm in experiment.arms))
        for each in moved
    )
    return Batching(batches, bandit.least_units)


def balanced_of(experiment: ExperimentOut) -> BalancedBefore | None:
    """How the salt of the running phase was searched for; None where it was left to chance."""
    if experiment.phase is None:
        return None
    salt = planned.Plan.model_validate(experiment.phase.frozen["plan"]).balanced_salt
    if salt is None:
        return None
    return BalancedBefore(salt.tried, salt.score, salt.threshold, tuple(salt.covariates))


def with_roles(metrics: Sequence[MetricPlan], experiment: ExperimentOut) -> list[MetricPlan]:
    """The metrics with what the plan wants of each; those it does not name explore."""
    plan = experiment.plan
    if plan is None:
        return list(metrics)
    goals = {goal.metric: goal for goal in plan.goals}
    rails = {rail.metric: rail for rail in plan.guardrails}
    departure = experiment.departure
    late: list[str] = [] if departure is None else departure.metrics
    is_late = departure is not None and departure.is_exploratory
    return [
        replace(
            _with_role(metric, goals.get(metric.key), rails.get(metric.key)),
            is_exploratory=is_late or metric.key in late,
        )
        for metric in metrics
    ]


def _with_role(metric: MetricPlan, goal: planned.Goal | None, rail: planned.Guardrail | None) -> MetricPlan:
    if rail is not None:
        return replace(metric, role=Role.GUARDRAIL, margin=MarginPlan(rail.margin, rail.relative))
    if goal is None:
        return replace(metric, role=Role.SECONDARY)
    return replace(
        metric,
        role=Role.GOAL,
        smallest_effect=goal.smallest_effect,
        is_effect_relative=goal.relative,
    )


def _is_over(experiment: ExperimentOut, plan: planned.Plan, now: datetime | None) -> bool:
    if experiment.state is State.COMPLETED:
        return now is None or experiment.ended_at is None or now >= experiment.ended_at
    schedule = schedule_of(experiment)
    if schedule is None or plan.duration_days is None or now is None:
        return False
    return now >= schedule.started_at + timedelta(days=plan.duration_days)


def _alpha(plan: planned.Plan) -> float:
    """Such that a credible interval lies above 0 exactly when the chance to beat exceeds its threshold."""
    return 2 * (1 - plan.method.ship_above) if isinstance(plan.method, planned.Bayesian) else plan.alpha
