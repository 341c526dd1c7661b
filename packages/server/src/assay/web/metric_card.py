"""What the page says about one metric: every arm, every comparison, and a verdict on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.document import Comparison, Document, Estimate, MetricResult
from assay.analysis.plan import Kind
from assay.experiments.design import KnownEffect
from assay.experiments.schemas import ExperimentOut
from assay.web import figures
from assay.web.figures import PERCENT, Figure, Range
from assay.web.verdict import Verdict, disagreement, verdict

METHODS = {
    "welch": "Welch",
    "miettinen_nurminen": "Miettinen–Nurminen score",
    "ratio_delta": "delta method for ratios",
    "delta": "delta method",
    "fieller": "Fieller",
    "quantile_outer": "outer interval of order statistics",
}
KINDS = {
    Kind.PROPORTION: "share of units",
    Kind.MEAN: "mean per unit",
    Kind.COUNT: "events per unit",
    Kind.DISTINCT: "different ones per unit",
    Kind.RATIO: "ratio of sums",
    Kind.QUANTILE: "quantile of units",
    Kind.RETENTION: "share of units that came back",
    Kind.FUNNEL: "share of units that took all steps",
}


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

    arm: str
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


def metric_card(
    metric: MetricResult, document: Document, experiment: ExperimentOut, labels: Mapping[str, str]
) -> MetricCard:
    """The card of a metric.

    Args:
        labels: What the arms are called, by key.
    """
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
    beside = metric.comparisons[0].difference if metric.comparisons else None
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
                value=figures.value_of(arm.mean, metric.kind, beside),
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
        arm=arm,
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
