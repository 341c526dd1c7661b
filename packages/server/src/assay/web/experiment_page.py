"""What the page of an experiment says, without a request or a database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.analysis.schemas import LooksOut, ReportOut, ResultOut
from assay.experiments.schemas import ExperimentOut
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.metrics.schemas import MetricOut
from assay.shared.numbers import percent
from assay.web.phrases import Moment, moment
from assay.web.record import Record
from assay.web.results import Results, finished
from assay.web.series_plot import Series
from assay.web.under import HoldoutPart
from assay.web.weights_plot import weights

# A run that nobody takes up for this long is worth a word about workers.
WAITING_TOO_LONG_SECONDS = 15
CANCELLED = "analysis_cancelled"
ENDINGS = {CANCELLED: "was cancelled", "analysis_timeout": "ran out of time"}
METHODS = {
    "fixed": "one look at the end",
    "group_sequential": "a few planned looks",
    "always_valid": "valid at every look",
    "bayesian": "Bayesian",
}


@dataclass(frozen=True, slots=True)
class Running:
    """An analysis that waits or is at work."""

    task: str
    progress: float
    note: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An analysis that ended without a result, after the results shown.

    Attributes:
        what: In a few words: failed, was cancelled, ran out of time.
        is_error: Whether something is wrong, other than that somebody cancelled it.
    """

    what: str
    is_error: bool
    error: str
    at: Moment


@dataclass(frozen=True, slots=True)
class Planned:
    """Where a planned experiment stands, and by which plan.

    Attributes:
        began: When the phase did; None before the start.
        departures: What was changed after the start, as sentences.
    """

    state: str
    outcome: str | None
    hypothesis: str
    flag: str
    method: str
    goals: Sequence[str]
    guardrails: Sequence[str]
    phase: int | None
    began: Moment | None
    coverage: str
    plan_hash: str | None
    departures: Sequence[str]


@dataclass(frozen=True, slots=True)
class Weighed:
    """How a bandit's weights have moved.

    Attributes:
        rule: What they follow, in a sentence.
        newest: The newest epoch, in a sentence.
    """

    rule: str
    newest: str
    plot: Series | None


@dataclass(frozen=True, slots=True)
class Reported:
    """The report that the page shows instead of the newest results."""

    id: str
    title: str
    note: str
    made_by: str
    made: Moment
    approved_by: str | None
    approved: Moment | None


@dataclass(frozen=True, slots=True)
class Recut:
    """Another reading that was asked for."""

    task: str
    state: str
    at: Moment


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """The page of an experiment."""

    project: str
    key: str
    name: str
    description: str
    control: str
    arms: Sequence[str]
    metrics: Sequence[str]
    metric_keys: Sequence[str]
    environment: str
    created: Moment
    planned: Planned | None
    weighed: Weighed | None
    results: Results | None
    running: Running | None
    failed: Failed | None
    report: Reported | None = None
    looks: LooksOut | None = None
    recuts: Sequence[Recut] = ()
    properties: Sequence[str] = ()
    record: Record | None = None
    holdout: HoldoutPart | None = None


def experiment_page(
    project: str,
    experiment: ExperimentOut,
    metrics: Sequence[MetricOut],
    *,
    result: ResultOut | None,
    newest: TaskOut | None,
    looks: LooksOut | None = None,
    recuts: Sequence[TaskOut] = (),
    now: datetime,
) -> ExperimentPage:
    """The page.

    Args:
        metrics: The experiment's metrics as they are defined now.
        result: The newest finished analysis.
        newest: The newest analysis, finished or not.
        looks: Who read which result when.
        recuts: Analyses that were asked for with options, newest first.
    """
    labels = {arm.key: arm.name or arm.key for arm in experiment.arms}
    return ExperimentPage(
        project=project,
        key=experiment.key,
        name=experiment.name,
        description=experiment.description,
        control=labels[experiment.control],
        arms=[labels[arm.key] for arm in experiment.arms],
        metrics=[metric.name for metric in metrics],
        metric_keys=[metric.key for metric in metrics],
        environment=experiment.assignments.environment,
        created=moment(experiment.created_at, now=now),
        planned=_planned(experiment, now=now),
        weighed=_weighed(experiment, labels, now=now),
        results=None if result is None else finished(result, experiment, metrics, labels, now=now),
        running=_running(newest, now=now),
        failed=_failed(newest, now=now),
        looks=looks,
        recuts=[Recut(str(task.id), _ended(task), moment(task.created_at, now=now)) for task in recuts],
        properties=[] if result is None else _properties(result),
    )


def _ended(task: TaskOut) -> str:
    match task.state:
        case TaskState.COMPLETED:
            return "finished"
        case TaskState.FAILED:
            return ENDINGS.get(task.error_code or "", "failed")
        case TaskState.PENDING | TaskState.PROCESSING:
            return "under way"


def _properties(result: ResultOut) -> list[str]:
    """Dimensions that results have been cut by or the doctor has looked at, to be offered again."""
    document = result.document
    cut = [each.dimension for each in document.heterogeneity]
    rang = [] if document.diagnosis is None else [each.dimension for each in document.diagnosis.segments]
    return list(dict.fromkeys([*cut, *rang]))


def reported(report: ReportOut, *, now: datetime) -> Reported:
    """A report as the page shows it."""
    return Reported(
        id=str(report.id),
        title=report.title,
        note=report.note,
        made_by=report.made_by,
        made=moment(report.made_at, now=now),
        approved_by=report.approved_by,
        approved=None if report.approved_at is None else moment(report.approved_at, now=now),
    )


def _planned(experiment: ExperimentOut, *, now: datetime) -> Planned | None:
    plan, phase = experiment.plan, experiment.phase
    if plan is None or experiment.state is None:
        return None
    return Planned(
        state=experiment.state,
        outcome=None if experiment.outcome is None else experiment.outcome.replace("_", " ").lower(),
        hypothesis=plan.hypothesis,
        flag=plan.flag or "none yet",
        method=METHODS[plan.method.kind],
        goals=[goal.metric for goal in plan.goals],
        guardrails=[guardrail.metric for guardrail in plan.guardrails],
        phase=None if phase is None else phase.number,
        began=None if phase is None else moment(phase.started_at, now=now),
        coverage=f"{plan.coverage if phase is None else phase.coverage:.4g}",
        plan_hash=None if phase is None else phase.plan_hash,
        departures=list(_departures(experiment)),
    )


def _weighed(experiment: ExperimentOut, labels: Mapping[str, str], *, now: datetime) -> Weighed | None:
    plan, phase = experiment.plan, experiment.phase
    if plan is None or plan.bandit is None or phase is None or not phase.epochs:
        return None
    last = phase.epochs[-1]
    shares = ", ".join(f"{labels[arm]} {percent(share)}" for arm, share in last.weights.items())
    became = f"epoch {last.number}, by {last.reason}" if last.moved else f"they stayed: {last.reason}"
    rule = plan.bandit.rule.kind.replace("_", "-")
    return Weighed(
        rule=f"By {rule} every {plan.bandit.every_hours} hours; none falls below {plan.bandit.floor:.3g}.",
        newest=f"{shares} since {last.began_at:%-d %B %H:%M} UTC ({became}).",
        plot=weights(phase.epochs, labels, until=phase.ended_at or now),
    )


def _departures(experiment: ExperimentOut) -> Iterator[str]:
    departure = experiment.departure
    if departure is None or not departure.fields:
        return
    yield f"The plan was changed after the start: {', '.join(departure.fields)}"
    if departure.is_exploratory:
        yield "All results are exploratory"
    elif departure.metrics:
        yield f"Exploratory: {', '.join(departure.metrics)}"


def _running(task: TaskOut | None, *, now: datetime) -> Running | None:
    if task is None or task.state not in {TaskState.PENDING, TaskState.PROCESSING}:
        return None
    waited = (now - task.created_at).total_seconds()
    forgotten = task.state is TaskState.PENDING and waited > WAITING_TOO_LONG_SECONDS
    hint = "No worker has taken it up yet; `assay up` runs one unless ASSAY_WORKER_ENABLED is false."
    return Running(str(task.id), task.progress, task.note, hint if forgotten else None)


def _failed(task: TaskOut | None, *, now: datetime) -> Failed | None:
    if task is None or task.state is not TaskState.FAILED:
        return None
    what = ENDINGS.get(task.error_code or "", "failed")
    at = moment(task.finished_at or task.created_at, now=now)
    return Failed(what, task.error_code != CANCELLED, task.error or "it gave no reason", at)
