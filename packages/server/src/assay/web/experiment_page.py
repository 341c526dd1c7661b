"""What the page of an experiment says, without a request or a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.analysis.schemas import ResultOut
from assay.experiments.schemas import ExperimentOut
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.metrics.schemas import MetricOut
from assay.web.phrases import Moment, moment
from assay.web.results import Results, finished

# A run that nobody takes up for this long is worth a word about workers.
WAITING_TOO_LONG_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Running:
    """An analysis that waits or is at work."""

    task: str
    progress: float
    note: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An analysis that ended without a result, after the results shown."""

    error: str
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
    environment: str
    created: Moment
    results: Results | None
    running: Running | None
    failed: Failed | None


def experiment_page(
    project: str,
    experiment: ExperimentOut,
    metrics: Sequence[MetricOut],
    *,
    result: ResultOut | None,
    newest: TaskOut | None,
    now: datetime,
) -> ExperimentPage:
    """The page.

    Args:
        metrics: The experiment's metrics as they are defined now.
        result: The newest finished analysis.
        newest: The newest analysis, finished or not.
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
        environment=experiment.assignments.environment,
        created=moment(experiment.created_at, now=now),
        results=None if result is None else finished(result, experiment, metrics, labels, now=now),
        running=_running(newest, now=now),
        failed=_failed(newest, now=now),
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
    return Failed(task.error or "it gave no reason", moment(task.finished_at or task.created_at, now=now))
