"""What the page of an experiment says: made from the result document, without a request or a database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.analysis.document import (
    ArmUnits,
    Comparison,
    Document,
    Estimate,
    Excluded,
    MetricResult,
    SampleRatio,
)
from assay.analysis.plan import Kind
from assay.analysis.schemas import ResultOut
from assay.experiments.design import KnownEffect
from assay.experiments.schemas import ExperimentOut
from assay.jobs.lifecycle import TaskState
from assay.jobs.schemas import TaskOut
from assay.metrics.schemas import MetricOut
from assay.shared.numbers import percent
from assay.web import figures
from assay.web.figures import PERCENT, Figure, Range
from assay.web.interval_plot import Line, Plot, plot
from assay.web.phrases import age, counted, utc
from assay.web.verdict import Verdict, disagreement, verdict

METHODS = {
    "welch": "Welch",
    "miettinen_nurminen": "Miettinen–Nurminen score",
    "ratio_delta": "delta method for ratios",
    "delta": "delta method",
    "fieller": "Fieller",
}
KINDS = {Kind.PROPORTION: "share of units", Kind.MEAN: "mean per unit", Kind.RATIO: "ratio of sums"}
# A run that nobody takes up for this long is worth a word about workers.
WAITING_TOO_LONG_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: for programs, for people in UTC, and how long ago."""

    iso: str
    text: str
    age: str


@dataclass(frozen=True, slots=True)
class ArmLine:
    """How many units an arm has, and how many were to be expected."""

    label: str
    key: str
    is_control: bool
    units: int
    weight: float
    share: str
    planned: str


@dataclass(frozen=True, slots=True)
class Split:
    """Whether the units are split as planned."""

    suspicious: bool
    sentence: str
    p_value: Figure


@dataclass(frozen=True, slots=True)
class Known:
    """An effect known in advance beside the interval that looked for it."""

    difference: Figure
    sentence: str


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval, how it was made, and why a part of it is missing."""

    range: Range
    method: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """An arm against the control."""

    label: str
    difference: Interval
    lift: Interval
    fieller: Interval
    p_value: Figure
    verdict: Verdict
    warning: str | None
    known: Known | None


@dataclass(frozen=True, slots=True)
class ArmValue:
    """What an arm scored on a metric, with its comparison unless it is the control."""

    label: str
    key: str
    units: int
    missing: int
    value: Figure
    standard_deviation: Figure
    comparison: ComparisonLine | None


@dataclass(frozen=True, slots=True)
class MetricCard:
    """A metric with every arm."""

    key: str
    name: str
    kind: str
    wanted: str
    version: int | None
    arms: Sequence[ArmValue]

    @property
    def comparisons(self) -> list[ComparisonLine]:
        """The arms that are compared."""
        return [arm.comparison for arm in self.arms if arm.comparison is not None]


@dataclass(frozen=True, slots=True)
class Results:
    """A finished analysis."""

    task: str
    computed: Moment
    began: Moment
    level: str
    arms: Sequence[ArmLine]
    units: int
    split: Split
    excluded: Sequence[str]
    plot: Plot | None
    metrics: Sequence[MetricCard]
    outdated: Sequence[str]
    assay_version: str
    schema_version: int


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
        results=None if result is None else _results(result, experiment, metrics, labels, now=now),
        running=_running(newest, now=now),
        failed=_failed(newest, now=now),
    )


def moment(at: datetime, *, now: datetime) -> Moment:
    """A time as the pages show it."""
    return Moment(iso=at.isoformat(), text=utc(at), age=age(at, now=now))


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


def _results(
    result: ResultOut,
    experiment: ExperimentOut,
    metrics: Sequence[MetricOut],
    labels: Mapping[str, str],
    *,
    now: datetime,
) -> Results:
    document, task = result.document, result.task
    cards = [_card(metric, document, experiment, labels) for metric in document.metrics]
    level = f"{100 * (1 - document.alpha):.4g}%"
    return Results(
        task=str(task.id),
        computed=moment(task.finished_at or task.created_at, now=now),
        began=moment(task.started_at or task.created_at, now=now),
        level=level,
        arms=_arms(document, labels),
        units=sum(arm.units for arm in document.arms),
        split=_split(document.sample_ratio),
        excluded=_excluded(document.excluded),
        plot=_plot(cards, level),
        metrics=cards,
        outdated=_outdated(document, experiment, metrics),
        assay_version=document.assay_version,
        schema_version=document.schema_version,
    )


def _arms(document: Document, labels: Mapping[str, str]) -> list[ArmLine]:
    units, weights = _totals(document.arms)
    return [
        ArmLine(
            label=labels.get(arm.arm, arm.arm),
            key=arm.arm,
            is_control=arm.arm == document.control,
            units=arm.units,
            weight=arm.weight,
            share=percent(arm.units / units if units else None),
            planned=percent(arm.weight / weights if weights else None),
        )
        for arm in document.arms
    ]


def _totals(arms: Sequence[ArmUnits]) -> tuple[int, float]:
    return sum(arm.units for arm in arms), sum(arm.weight for arm in arms)


def _split(ratio: SampleRatio) -> Split:
    p_value = figures.p_value(ratio.p_value)
    if ratio.suspicious:
        sentence = (
            f"The units are not split as the weights say (p = {p_value.text}). "
            "Whatever broke the split may also have changed the metrics: find the cause before reading on."
        )
    elif ratio.undefined is not None:
        sentence = f"Whether the split is as planned cannot be computed, because {ratio.undefined.sentence}."
    else:
        sentence = f"The units are split as the weights say (p = {p_value.text})."
    return Split(ratio.suspicious, sentence, p_value)


def _excluded(excluded: Excluded) -> list[str]:
    reasons = [
        (excluded.in_several_arms, "unit was", "units were", "seen in several arms"),
        (excluded.without_unit, "row names", "rows name", "no unit"),
        (excluded.without_arm, "row names", "rows name", "no arm"),
        *(
            (count, "unit is", "units are", f"in arm “{arm}”, which the experiment does not have")
            for arm, count in excluded.unknown_arms.items()
        ),
    ]
    return [f"{counted(count, one, many)} {why}" for count, one, many, why in reasons if count]


def _card(
    metric: MetricResult, document: Document, experiment: ExperimentOut, labels: Mapping[str, str]
) -> MetricCard:
    comparisons = {
        comparison.arm: _comparison(
            comparison,
            metric,
            arm=labels.get(comparison.arm, comparison.arm),
            control=labels.get(document.control, document.control),
            known=_known_effect(experiment, metric.metric, comparison.arm),
        )
        for comparison in metric.comparisons
    }
    return MetricCard(
        key=metric.metric,
        name=metric.name,
        kind=KINDS[metric.kind],
        wanted="higher is better" if metric.direction == "increase" else "lower is better",
        version=metric.version,
        arms=[
            ArmValue(
                label=labels.get(arm.arm, arm.arm),
                key=arm.arm,
                units=arm.units,
                missing=arm.missing,
                value=figures.value_of(arm.mean, metric.kind),
                standard_deviation=figures.plain(arm.standard_deviation),
                comparison=comparisons.get(arm.arm),
            )
            for arm in metric.arms
        ],
    )


def _comparison(
    comparison: Comparison, metric: MetricResult, *, arm: str, control: str, known: KnownEffect | None
) -> ComparisonLine:
    scale = figures.scale_of(metric.kind)
    return ComparisonLine(
        label=f"{arm} against {control}",
        difference=_interval(comparison.difference, scale),
        lift=_interval(comparison.lift, PERCENT),
        fieller=_interval(comparison.lift_fieller, PERCENT),
        p_value=figures.p_value(comparison.p_value),
        verdict=verdict(
            comparison.difference, arm=arm, control=control, direction=metric.direction, scale=scale
        ),
        warning=disagreement(comparison.difference, comparison.lift),
        known=None if known is None else _known(known.difference, comparison.difference, scale),
    )


def _interval(estimate: Estimate, scale: figures.Scale) -> Interval:
    problem = None if estimate.undefined is None else estimate.undefined.sentence
    return Interval(figures.interval(estimate, scale), METHODS.get(estimate.method, estimate.method), problem)


def _known_effect(experiment: ExperimentOut, metric: str, arm: str) -> KnownEffect | None:
    return next((effect for effect in experiment.known_effects.get(metric, []) if effect.arm == arm), None)


def _known(difference: float, found: Estimate, scale: figures.Scale) -> Known:
    shown = figures.signed(difference, figures.writer(found.low, found.high, scale), scale)
    if found.undefined is not None:
        where = "there is no interval to hold it against"
    elif _covers(found, difference):
        where = "the interval covers it"
    else:
        where = "the interval misses it"
    return Known(Figure(difference, shown), where)


def _covers(found: Estimate, value: float) -> bool:
    return (found.low is None or found.low <= value) and (found.high is None or value <= found.high)


def _plot(cards: Sequence[MetricCard], level: str) -> Plot | None:
    lines = [_line(card, comparison) for card in cards for comparison in card.comparisons]
    return plot(lines, title=f"Lift of each metric with its {level} interval")


def _line(card: MetricCard, comparison: ComparisonLine) -> Line:
    lift = comparison.lift.range
    return Line(
        title=card.name,
        arm=comparison.label,
        tone=comparison.verdict.tone,
        estimate=lift.estimate.value,
        low=lift.low.value,
        high=lift.high.value,
        known=_known_lift(comparison.known, card),
        numbers=f"{lift.estimate.text} ({lift.low.text} to {lift.high.text})",
        problem=comparison.lift.problem,
    )


def _known_lift(known: Known | None, card: MetricCard) -> float | None:
    control = next(arm.value.value for arm in card.arms if arm.comparison is None)
    if known is None or known.difference.value is None or not control:
        return None
    return known.difference.value / abs(control)


def _outdated(document: Document, experiment: ExperimentOut, metrics: Sequence[MetricOut]) -> list[str]:
    computed = {metric.metric: metric.version for metric in document.metrics}
    added = [f"{metric.name} is not in these results yet" for metric in metrics if metric.key not in computed]
    removed = [
        f"{metric.name} is no longer a metric of the experiment"
        for metric in document.metrics
        if metric.metric not in experiment.metrics
    ]
    changed = [
        f"{metric.name} was computed by version {computed[metric.key]} of its definition, "
        f"which now has version {metric.version}"
        for metric in metrics
        if computed.get(metric.key) not in {None, metric.version}
    ]
    return [*added, *removed, *changed]
