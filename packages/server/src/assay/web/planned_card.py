"""What the page says of a plan: what is assigned, what decides, how it is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.assignments.keeping import path_name
from assay.experiments.plan import Goal, GroupSequential, Guardrail, Plan
from assay.experiments.schemas import ExperimentOut
from assay.metrics.schemas import MetricOut
from assay.shared.numbers import number
from assay.web.phrases import Moment, counted, moment

METHODS = {
    "fixed": "one look at the end",
    "group_sequential": "a few planned looks",
    "always_valid": "valid at every look",
    "bayesian": "Bayesian",
}
UNIT = "targetingKey"


@dataclass(frozen=True, slots=True)
class Planned:
    """Where a planned experiment stands, and by which plan.

    Attributes:
        assigned: What gets an arm, and whether it keeps it.
        goals: Each with the smallest effect worth finding.
        guardrails: Each with its margin.
        began: When the phase did; None before the start.
        departures: What was changed after the start, as sentences.
    """

    state: str
    outcome: str | None
    hypothesis: str
    flag: str
    assigned: str
    method: str
    goals: Sequence[str]
    guardrails: Sequence[str]
    phase: int | None
    began: Moment | None
    coverage: str
    plan_hash: str | None
    departures: Sequence[str]


def planned_card(experiment: ExperimentOut, metrics: Sequence[MetricOut], *, now: datetime) -> Planned | None:
    """The plan as the page shows it; None of an observed experiment.

    Args:
        metrics: The experiment's metrics as they are defined now.
    """
    plan, phase = experiment.plan, experiment.phase
    if plan is None or experiment.state is None:
        return None
    names = {metric.key: metric.name for metric in metrics}
    return Planned(
        state=experiment.state,
        outcome=None if experiment.outcome is None else experiment.outcome.replace("_", " ").lower(),
        hypothesis=plan.hypothesis,
        flag=plan.flag or "none yet",
        assigned=_assigned(plan),
        method=_method(plan),
        goals=[_goal(goal, names) for goal in plan.goals],
        guardrails=[_guardrail(rail, names) for rail in plan.guardrails],
        phase=None if phase is None else phase.number,
        began=None if phase is None else moment(phase.started_at, now=now),
        coverage=_percent(plan.coverage if phase is None else phase.coverage),
        plan_hash=None if phase is None else phase.plan_hash,
        departures=list(_departures(experiment)),
    )


def _assigned(plan: Plan) -> str:
    unit = path_name(plan.unit_path)
    what = f"each {'unit' if unit == UNIT else unit} by itself"
    if plan.switchback is not None:
        windows = plan.switchback
        what = (
            f"each {unit} anew in every {windows.window_minutes:,} minutes, "
            f"of which the first {windows.burn_in_minutes:,} are left out"
        )
    elif plan.analysis_unit is not None:
        what = f"each {unit} as a whole; its units are what is analysed"
    return f"{what}, which keeps the arm it met first" if plan.sticky else what


def _goal(goal: Goal, names: Mapping[str, str]) -> str:
    name = names.get(goal.metric, goal.metric)
    if goal.smallest_effect is None:
        return name
    return f"{name} (smallest effect worth finding {_size(goal.smallest_effect, is_share=goal.relative)})"


def _guardrail(rail: Guardrail, names: Mapping[str, str]) -> str:
    name = names.get(rail.metric, rail.metric)
    return f"{name} (margin {_size(rail.margin, is_share=rail.relative)})"


def _size(value: float, *, is_share: bool) -> str:
    return f"{_percent(value)} of the control" if is_share else number(value)


def _method(plan: Plan) -> str:
    method = plan.method
    how = f"{method.looks} planned looks" if isinstance(method, GroupSequential) else METHODS[method.kind]
    return how if plan.duration_days is None else f"{how}, over {counted(plan.duration_days, 'day')}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _departures(experiment: ExperimentOut) -> Iterator[str]:
    departure = experiment.departure
    if departure is None or not departure.fields:
        return
    yield f"The plan was changed after the start: {', '.join(departure.fields)}"
    if departure.is_exploratory:
        yield "All results are exploratory"
    elif departure.metrics:
        yield f"Exploratory: {', '.join(departure.metrics)}"
