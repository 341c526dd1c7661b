"""What the page says about a finished analysis: made from the result document and what is asked now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.analysis.claimed import split_p_value
from assay.analysis.document import (
    ArmUnits,
    Clusters,
    Decided,
    Document,
    Excluded,
    Read,
    RingingSegment,
    SampleRatio,
)
from assay.analysis.methods import Finding, Role
from assay.analysis.schemas import ResultOut
from assay.experiments.schemas import ExperimentOut
from assay.metrics.schemas import MetricOut
from assay.shared.numbers import percent
from assay.web import figures
from assay.web.differing import Differing, differing
from assay.web.figures import Figure
from assay.web.interval_plot import Line, Plot, plot
from assay.web.metric_card import ComparisonLine, Known, MetricCard, metric_card
from assay.web.phrases import Moment, counted, moment, utc
from assay.web.verdict import Tone
from assay.web.watching import Watched, watched

MOST_CAUSES = 3
DECISION_TONES = {
    "ship": Tone.BETTER,
    "do_not_ship": Tone.WORSE,
    "keep_going": Tone.OPEN,
    "cannot_say": Tone.UNKNOWN,
}
READINGS = {
    "fixed": "for one look at a sample size fixed in advance",
    "group_sequential": "for the planned looks together",
    "always_valid": "for all looks together, however many",
    "bayesian": "holding the effect with this probability, given the prior",
}


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
    causes: Sequence[str]
    segments: Sequence[str]


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """What to do about an arm."""

    label: str
    tone: Tone
    sentence: str


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
    decisions: Sequence[DecisionLine]
    alarms: Sequence[str]
    reading: str
    excluded: Sequence[str]
    assignment: Sequence[str]
    plot: Plot | None
    metrics: Sequence[MetricCard]
    outdated: Sequence[str]
    watched: Watched
    differing: Differing
    exploration: Sequence[str]
    until: str | None
    assay_version: str
    schema_version: int


def finished(
    result: ResultOut,
    experiment: ExperimentOut,
    metrics: Sequence[MetricOut],
    labels: Mapping[str, str],
    *,
    now: datetime,
) -> Results:
    """A finished analysis beside the definitions of now.

    Args:
        metrics: The experiment's metrics as they are defined now.
        labels: What the arms are called, by key.
    """
    document, task = result.document, result.task
    cards = [metric_card(metric, document, experiment, labels) for metric in document.metrics]
    level = f"{100 * (1 - document.alpha):.4g}%"
    return Results(
        task=str(task.id),
        computed=moment(task.finished_at or task.created_at, now=now),
        began=moment(task.started_at or task.created_at, now=now),
        level=level,
        arms=_arms(document, labels),
        units=sum(arm.units for arm in document.arms),
        split=_split(document, labels),
        decisions=_decisions(document, labels),
        alarms=document.alarms,
        reading=_reading(document.read),
        excluded=_excluded(document.excluded),
        assignment=_assignment(document, labels),
        plot=_plot(cards, level),
        metrics=cards,
        outdated=[] if document.exploration else _outdated(document, experiment, metrics),
        watched=watched(document, labels, now=now),
        differing=differing(document, labels),
        exploration=document.exploration,
        until=None if document.until is None else utc(document.until),
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


def _decisions(document: Document, labels: Mapping[str, str]) -> list[DecisionLine]:
    return [
        DecisionLine(labels.get(each.arm, each.arm), _decision_tone(each, document), each.sentence)
        for each in document.decisions
        if each.verdict is not None
    ]


def _decision_tone(decided: Decided, document: Document) -> Tone:
    """A loss is marked only where an interval shows one; that nothing was found is none."""
    if decided.verdict is None:
        return Tone.UNKNOWN
    claims = [
        comparison.claim
        for metric in document.metrics
        for comparison in metric.comparisons
        if comparison.arm == decided.arm and comparison.claim is not None
    ]
    is_loss = any(claim.finding is Finding.WORSE and claim.role is not Role.SECONDARY for claim in claims)
    if decided.verdict == "do_not_ship" and not is_loss:
        return Tone.OPEN
    return DECISION_TONES[decided.verdict]


def _reading(read: Read | None) -> str:
    return READINGS["fixed" if read is None else read.method]


def _split(document: Document, labels: Mapping[str, str]) -> Split:
    ratio, diagnosis = document.sample_ratio, document.diagnosis
    causes = [] if diagnosis is None else [cause.sentence for cause in diagnosis.causes[:MOST_CAUSES]]
    ringing = [] if diagnosis is None else [_ringing(each, labels) for each in diagnosis.segments]
    return _judged_split(ratio, figures.p_value(split_p_value(document)), causes, ringing)


def _ringing(segment: RingingSegment, labels: Mapping[str, str]) -> str:
    units = ", ".join(f"{labels.get(arm, arm)} {count:,}" for arm, count in segment.units.items())
    p_value = figures.p_value(segment.p_value).text
    return f"{segment.dimension} = {segment.value}: {units} (p = {p_value}, corrected, valid at all looks)"


def _judged_split(
    ratio: SampleRatio, p_value: Figure, causes: Sequence[str], segments: Sequence[str]
) -> Split:
    if ratio.suspicious:
        found = "an arm of weight 0 has units" if p_value.value is None else f"p = {p_value.text}"
        sentence = (
            f"The units are not split as the weights say ({found}). "
            "Whatever broke the split may also have changed the metrics: find the cause before reading on."
        )
    elif ratio.undefined is not None:
        sentence = f"Whether the split is as planned cannot be computed, because {ratio.undefined.sentence}."
    else:
        sentence = f"The units are split as the weights say (p = {p_value.text})."
    return Split(ratio.suspicious, sentence, p_value, causes, segments)


def _assignment(document: Document, labels: Mapping[str, str]) -> list[str]:
    balanced, clusters = document.rerandomised, document.clusters
    return [
        *([] if clusters is None else [_clusters(clusters, labels), *clusters.notes]),
        *([] if document.bandit is None else document.bandit.notes),
        *([] if balanced is None else [balanced.sentence]),
    ]


def _clusters(clusters: Clusters, labels: Mapping[str, str]) -> str:
    counts = ", ".join(f"{labels.get(arm, arm)} {count:,}" for arm, count in clusters.counts.items())
    if clusters.window_minutes is not None:
        return f"Seen in each arm ({clusters.assigned}): {counts}. The split is tested on their windows."
    return f"Assigned as a whole, by arm ({clusters.assigned}): {counts}. The split is tested on these."


def _excluded(excluded: Excluded) -> list[str]:
    reasons = [
        (excluded.in_several_arms, "unit was", "units were", "seen in several arms"),
        (excluded.without_unit, "row names", "rows name", "no unit"),
        (excluded.without_arm, "row names", "rows name", "no arm"),
        (excluded.without_cluster, "unit names", "units name", "no cluster"),
        *(
            (count, "unit is", "units are", f"in arm “{arm}”, which the experiment does not have")
            for arm, count in excluded.unknown_arms.items()
        ),
    ]
    return [f"{counted(count, one, many)} {why}" for count, one, many, why in reasons if count]


def _plot(cards: Sequence[MetricCard], level: str) -> Plot | None:
    lines = [_line(card, comparison) for card in cards for comparison in card.comparisons]
    return plot(lines, title=f"Lift of each metric with its {level} interval")


def _line(card: MetricCard, comparison: ComparisonLine) -> Line:
    lift = comparison.lift.range
    return Line(
        metric=card.name,
        arm=comparison.arm,
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
