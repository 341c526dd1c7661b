"""What the page says about one metric: every arm, every comparison, and a verdict on each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.claimed import claimed_difference, claimed_lift, claimed_p_value
from assay.analysis.document import Claim, Comparison, Document, Estimate, MetricResult, View
from assay.analysis.methods import Finding
from assay.analysis.plan import Kind
from assay.experiments.design import KnownEffect
from assay.experiments.schemas import ExperimentOut
from assay.shared.numbers import number, percent
from assay.web import figures
from assay.web.figures import PERCENT, Figure, Range
from assay.web.phrases import counted
from assay.web.series_plot import Day, Series, series
from assay.web.verdict import Direction, Verdict, disagreement, early, verdict, within_margin

METHODS = {
    "welch": "Welch",
    "miettinen_nurminen": "Miettinen–Nurminen score",
    "ratio_delta": "delta method for ratios",
    "delta": "delta method",
    "fieller": "Fieller",
    "group_sequential": "repeated interval of a group-sequential design",
    "always_valid": "confidence sequence",
    "bayesian": "posterior of a normal prior",
    "cluster_cr2": "errors robust to clusters (CR2)",
    "cuped_per_arm": "CUPED",
    "cuped_ratio_per_arm": "CUPED for ratios",
    "post_stratified": "post-stratification",
    "post_stratified_cuped": "CUPED with post-stratification",
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
    notes: Sequence[str]
    sides: Sequence["Side"]
    series: Series | None
    view: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """The same difference as another method reads it, for one look and without a claim."""

    name: str
    difference: Interval
    lift: Interval
    p_value: Figure
    note: str


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
    no_series: str | None

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
            level=1 - document.alpha,
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
        no_series=metric.no_looks,
    )


def _comparison(
    comparison: Comparison,
    metric: MetricResult,
    *,
    arm: str,
    control: str,
    known: KnownEffect | None,
    level: float,
) -> ComparisonLine:
    scale = figures.scale_of(metric.kind)
    claim = comparison.claim
    shown, lift = claimed_difference(comparison), claimed_lift(comparison)
    is_early = claim is not None and claim.finding is Finding.EARLY
    return ComparisonLine(
        arm=arm,
        label=f"{arm} against {control}",
        difference=_interval(shown, scale),
        lift=_interval(lift, PERCENT),
        fieller=_interval(lift if is_early else comparison.lift_fieller, PERCENT),
        p_value=figures.p_value(claimed_p_value(comparison)),
        verdict=verdict_of(comparison, metric, arm=arm, control=control),
        warning=disagreement(shown, lift),
        known=None if known is None else _known(known.difference, shown, scale),
        notes=[] if claim is None else _notes(comparison, claim, scale, level=level),
        sides=_sides(comparison, claim, scale),
        series=_series(comparison, claim, scale, title=f"Difference of {arm} by day"),
        view=None if comparison.view is None else _view(comparison.view, scale),
    )


def _sides(comparison: Comparison, claim: Claim | None, scale: figures.Scale) -> list[Side]:
    """The plain and the adjusted estimate side by side, once the plan allows a reading."""
    adjusted = comparison.adjusted
    if adjusted is None or (claim is not None and claim.finding is Finding.EARLY):
        return []
    reduced = adjusted.variance_reduction
    note = f"{percent(reduced)} less variance" if reduced is not None and reduced > 0 else "no less variance"
    return [
        Side(
            "as seen",
            _interval(comparison.difference, scale),
            _interval(comparison.lift, PERCENT),
            figures.p_value(comparison.p_value),
            "",
        ),
        Side(
            "adjusted",
            _interval(adjusted.difference, scale),
            _interval(adjusted.lift, PERCENT),
            figures.p_value(adjusted.p_value),
            note,
        ),
    ]


def _series(
    comparison: Comparison, claim: Claim | None, scale: figures.Scale, *, title: str
) -> Series | None:
    """The claimed estimate at the end of every day inside the band that holds at all looks."""
    is_adjusted = claim is not None and claim.basis == "adjusted"
    days = [
        Day(look.day, look.adjusted_estimate if is_adjusted else look.estimate, look.low, look.high)
        for look in comparison.looks
    ]
    return series([("Difference", days)], title=title, write=lambda value: _on_axis(value, scale))


def _on_axis(value: float, scale: figures.Scale) -> str:
    return figures.signed(value, lambda size: number(abs(size) * scale.factor), scale)


def _view(view: View, scale: figures.Scale) -> str:
    if view.undefined is not None:
        return f"A Bayesian view cannot be had, because {view.undefined.sentence}."
    shown = Estimate(method="", estimate=view.estimate, low=view.low, high=view.high, undefined=None)
    losses = [figures.plain(loss).text for loss in (view.loss_if_shipped, view.loss_if_kept)]
    return (
        f"A Bayesian view, no claim: {_in_words(shown, scale)} with probability {100 * view.level:.4g} %, "
        f"better with probability {percent(view.chance_to_beat)}; expected loss {losses[0]} if it is "
        f"shipped, {losses[1]} if it is not. The prior of the lift has mean {percent(view.prior_mean)} and "
        f"standard deviation {'infinity' if view.prior_sd is None else percent(view.prior_sd)}."
    )


def verdict_of(comparison: Comparison, metric: MetricResult, *, arm: str, control: str) -> Verdict:
    """What may be concluded from the one interval of a comparison."""
    shown, scale = claimed_difference(comparison), figures.scale_of(metric.kind)
    return _verdict(
        shown, comparison.claim, arm=arm, control=control, direction=metric.direction, scale=scale
    )


def _verdict(
    shown: Estimate,
    claim: Claim | None,
    *,
    arm: str,
    control: str,
    direction: Direction,
    scale: figures.Scale,
) -> Verdict:
    if claim is not None and claim.finding is Finding.EARLY:
        return early()
    if claim is not None and claim.finding is Finding.WITHIN_MARGIN:
        return within_margin(shown, arm=arm, scale=scale)
    return verdict(shown, arm=arm, control=control, direction=direction, scale=scale)


def _notes(comparison: Comparison, claim: Claim, scale: figures.Scale, *, level: float) -> list[str]:
    """What belongs beside the interval: other estimates of the same, time, doubts."""
    notes = [] if claim.doubt is None else [claim.doubt]
    if not math.isclose(claim.level, level):
        notes.append(
            f"The interval covers with {100 * claim.level:.4g} %, as several comparisons share alpha."
        )
    if claim.finding is not Finding.EARLY and (claim.method != "fixed" or claim.basis == "adjusted"):
        notes.append(f"Without a claim, as one plain test of now: {_in_words(comparison.difference, scale)}.")
    if claim.unbiased is not None:
        found = claim.unbiased
        ended = Estimate(method="", estimate=found.estimate, low=found.low, high=found.high, undefined=None)
        notes.append(f"Without the optimism of stopping early: {_in_words(ended, scale)}.")
    if claim.belief is not None and claim.belief.chance_to_beat is not None:
        notes.append(f"Probability of being better: {percent(claim.belief.chance_to_beat)}.")
    if claim.days_to_plan is not None:
        notes.append(f"{counted(claim.days_to_plan, 'day is', 'days are')} left to the planned units.")
    if claim.days_to_power is not None:
        notes.append(
            f"{counted(claim.days_to_power, 'day', 'days')} until the smallest effect worth finding would be "
            "found with the planned power."
        )
    if claim.is_exploratory:
        notes.append("Exploratory: it was not planned like this before the start.")
    return notes


def _in_words(found: Estimate, scale: figures.Scale) -> str:
    shown = figures.interval(found, scale)
    return f"{shown.estimate.text} ({shown.low.text} to {shown.high.text})"


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
