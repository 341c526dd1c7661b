"""What the page says of effects that are not the same everywhere: segments, time, other experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.differing import Heterogeneity, Interaction, Novelty, SegmentEffect
from assay.analysis.document import Document, Estimate, MetricResult
from assay.analysis.undecided import undecided_interactions, undecided_trends
from assay.web import figures
from assay.web.figures import PERCENT, Figure, Range
from assay.web.phrases import counted
from assay.web.verdict import Tone

NAMES = {"other": "all other values", "missing": "no value"}
TONES = {
    "differs": Tone.WORSE,
    "fades": Tone.WORSE,
    "grows": Tone.WORSE,
    "chance": Tone.OPEN,
    "no_difference": Tone.OPEN,
    "steady": Tone.OPEN,
    "unknown": Tone.UNKNOWN,
}
WORDS = {
    "differs": "Differs",
    "fades": "Fades",
    "grows": "Grows",
    "chance": "Not beyond chance",
    "no_difference": "Not beyond chance",
    "steady": "Not beyond chance",
    "unknown": "Unknown",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding, whose word and tone follow from the same interval or test as its sentence."""

    tone: Tone
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """The effect in one segment, as seen and as believed."""

    name: str
    units: str
    seen: Range
    believed: Range | None


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """One dimension, goal and arm."""

    title: str
    finding: Finding
    lines: Sequence[SegmentLine]


@dataclass(frozen=True, slots=True)
class AgeLine:
    """The lift in one period after first exposure."""

    period: str
    lift: Figure


@dataclass(frozen=True, slots=True)
class NoveltyLine:
    """One goal, arm and horizon."""

    title: str
    units: str
    finding: Finding
    ages: Sequence[AgeLine]


@dataclass(frozen=True, slots=True)
class InteractionLine:
    """One goal, an arm here and an arm there."""

    title: str
    finding: Finding
    cells: Sequence[tuple[str, int, Figure]]


@dataclass(frozen=True, slots=True)
class Differing:
    """All of it.

    Attributes:
        uncut: Dimensions that no unit has, a sentence each.
        undecided: What cannot be said of which, in words.
        shared: Other experiments that had the same units, in words.
        problem: Why novelty and interactions were not looked for.
    """

    segments: Sequence[SegmentTable]
    uncut: Sequence[str]
    novelty: Sequence[NoveltyLine]
    interactions: Sequence[InteractionLine]
    undecided: Sequence[str]
    shared: Sequence[str]
    problem: str | None


def differing(document: Document, labels: Mapping[str, str]) -> Differing:
    """What a document says of it.

    Args:
        labels: What the arms are called, by key.
    """
    metrics = {metric.metric: metric for metric in document.metrics}
    return Differing(
        segments=[_segments(each, metrics[each.metric], labels) for each in document.heterogeneity],
        uncut=document.uncut,
        novelty=[
            _novelty(each, metrics[each.metric], labels) for each in document.novelty if each.problem is None
        ],
        interactions=[
            _interaction(each, metrics[each.metric], labels)
            for each in document.interactions
            if each.problem is None
        ],
        undecided=_undecided(document, metrics, labels),
        shared=[
            f"{counted(each.units, 'unit')} in common with {each.experiment}"
            + ("" if each.is_tested else ", which is not tested as others have more")
            for each in document.shared_units
        ],
        problem=document.disturbances_failure,
    )


def _undecided(
    document: Document, metrics: Mapping[str, MetricResult], labels: Mapping[str, str]
) -> list[str]:
    return [
        *undecided_trends(document.novelty, lambda each: _of_trend(each, metrics[each.metric], labels)),
        *undecided_interactions(
            document.interactions, lambda each: _of_interaction(each, metrics[each.metric], labels)
        ),
    ]


def _of_trend(found: Novelty, metric: MetricResult, labels: Mapping[str, str]) -> str:
    return f"{metric.name}, {labels.get(found.arm, found.arm)}"


def _of_interaction(found: Interaction, metric: MetricResult, labels: Mapping[str, str]) -> str:
    arm = labels.get(found.arm, found.arm)
    return f"{metric.name}, {arm} with {found.other_arm} of {found.experiment}"


def finding_of(found: Heterogeneity | Novelty | Interaction) -> Finding:
    """The finding as it is marked."""
    return Finding(TONES[found.finding], WORDS[found.finding], found.sentence)


def _segments(found: Heterogeneity, metric: MetricResult, labels: Mapping[str, str]) -> SegmentTable:
    scale = figures.scale_of(metric.kind)
    return SegmentTable(
        title=f"{metric.name} by {found.dimension}, {labels.get(found.arm, found.arm)}",
        finding=finding_of(found),
        lines=[_segment(each, scale) for each in found.segments],
    )


def _segment(found: SegmentEffect, scale: figures.Scale) -> SegmentLine:
    seen = _range(found.estimate, found.low, found.high, scale)
    believed = _range(found.shrunken, found.shrunken_low, found.shrunken_high, scale)
    return SegmentLine(
        name=found.value if found.kind == "value" and found.value is not None else NAMES[found.kind],
        units=f"{found.control_units:,} and {found.arm_units:,}",
        seen=seen,
        believed=None if found.shrunken is None else believed,
    )


def _range(middle: float | None, low: float | None, high: float | None, scale: figures.Scale) -> Range:
    shown = Estimate(method="", estimate=middle, low=low, high=high, undefined=None)
    return figures.interval(shown, scale)


def _novelty(found: Novelty, metric: MetricResult, labels: Mapping[str, str]) -> NoveltyLine:
    days = found.days_per_period * len(found.effects)
    units = counted(found.control_units + found.arm_units, "unit")
    return NoveltyLine(
        title=_of_trend(found, metric, labels),
        units=f"{units} followed for {days} days" if days else units,
        finding=finding_of(found),
        ages=[
            AgeLine(
                _period(each.from_day, each.to_day), figures.change(each.lift, each.standard_error, PERCENT)
            )
            for each in found.effects
        ],
    )


def _period(first: int, last: int) -> str:
    return f"day {first}" if first == last else f"days {first} to {last}"


def _interaction(found: Interaction, metric: MetricResult, labels: Mapping[str, str]) -> InteractionLine:
    return InteractionLine(
        title=_of_interaction(found, metric, labels),
        finding=finding_of(found),
        cells=[
            (
                f"{labels.get(cell.arm, cell.arm)} and {cell.other_arm}",
                cell.units,
                figures.value_of(cell.value, metric.kind, None),
            )
            for cell in found.cells
        ],
    )
