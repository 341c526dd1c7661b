"""What the page of an experiment says, without a request or a database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.analysis.schemas import LooksOut, ReportOut, ResultOut, ShareLinkOut
from assay.experiments.schemas import ExperimentOut
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.metrics.schemas import MetricOut
from assay.shared.numbers import percent
from assay.web.phrases import Moment, moment
from assay.web.planned_card import Planned, planned_card
from assay.web.record import Record
from assay.web.results import Results, finished
from assay.web.series_plot import Series
from assay.web.under import HoldoutPart
from assay.web.weights_plot import weights

# A run that nobody takes up for this long is worth a word about workers.
WAITING_TOO_LONG_SECONDS = 15
CANCELLED = "analysis_cancelled"
ENDINGS = {CANCELLED: "was cancelled", "analysis_timeout": "ran out of time"}


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
class LinkLine:
    """A share link in a list; only one that is open can be revoked."""

    id: str
    name: str
    begins_with: str
    until: Moment
    state: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Sharing:
    """The links to a report, for whoever may make and revoke them.

    Attributes:
        made: The address of a link made just now, shown this once.
    """

    links: Sequence[LinkLine]
    made: str | None


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
    sharing: Sharing | None


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
    may_report: bool = False


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
        planned=planned_card(experiment, metrics, now=now),
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


def link_line(link: ShareLinkOut, *, now: datetime) -> LinkLine:
    """A share link as it stands in a list."""
    is_open = link.revoked_at is None and now < link.expires_at
    state = "revoked" if link.revoked_at is not None else "works until" if is_open else "expired"
    return LinkLine(
        id=str(link.id),
        name=link.name,
        begins_with=link.prefix,
        until=moment(link.revoked_at or link.expires_at, now=now),
        state=state,
        is_open=is_open,
    )


def reported(report: ReportOut, sharing: Sharing | None, *, now: datetime) -> Reported:
    """A report as the page shows it.

    Args:
        sharing: None for those who may not share it.
    """
    return Reported(
        id=str(report.id),
        title=report.title,
        note=report.note,
        made_by=report.made_by,
        made=moment(report.made_at, now=now),
        approved_by=report.approved_by,
        approved=None if report.approved_at is None else moment(report.approved_at, now=now),
        sharing=sharing,
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
