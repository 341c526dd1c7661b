"""A result document as tables for the terminal."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.text import Text

from assay.analysis.claimed import (
    claimed_difference,
    claimed_lift,
    claimed_p_value,
    split_p_value,
    watched_split,
)
from assay.analysis.differing import Heterogeneity, Interaction, Novelty
from assay.analysis.document import Adjusted, Comparison, Document, Estimate, MetricResult
from assay.analysis.undecided import undecided_interactions, undecided_trends
from assay.cli.console import table
from assay.shared.numbers import MISSING, number, percent, points, probability

Show = Callable[[float | None], str]


def report(document: Document) -> RenderableType:
    """Arms, warnings, and a table per metric."""
    return Group(
        *_exploration(document),
        _arms(document),
        *_warnings(document),
        *(_metric(metric, document) for metric in document.metrics),
        *(_segment(metric, document) for metric in document.metrics if document.segments),
        *(Text(sentence, "yellow") for sentence in document.uncut),
        *_differing(document),
        *_arrivals(document),
        *_conclusions(document),
    )


def _arms(document: Document) -> RenderableType:
    names = _names(document)
    rows = [
        [
            names[arm.arm] + (" (control)" if arm.arm == document.control else ""),
            arm.arm,
            f"{arm.units:,}",
            f"{arm.weight:g}",
        ]
        for arm in document.arms
    ]
    columns = ["arm", "key", "units", "weight"]
    if all(arm.name is None for arm in document.arms):
        rows, columns = [[row[0], *row[2:]] for row in rows], ["arm", "units", "weight"]
    return table(f"Units: {document.unit}", columns, rows)


def _names(document: Document) -> Mapping[str, str]:
    return {arm.arm: arm.name or arm.arm for arm in document.arms}


def _warnings(document: Document) -> list[Text]:
    ratio, excluded = document.sample_ratio, document.excluded
    style = "bold red" if ratio.suspicious else "dim"
    split = (
        f"Sample ratio: cannot be tested, because {ratio.undefined.sentence}"
        if ratio.undefined
        else f"Sample ratio: {_split_test(document)}"
        + (" — the split is not as planned; find the cause before reading on" if ratio.suspicious else "")
    )
    notes = [
        (excluded.in_several_arms, "units were seen in several arms and are left out"),
        (excluded.without_unit, "rows name no unit and are left out"),
        (excluded.without_arm, "rows name no arm and are left out"),
        (excluded.without_cluster, "units name no cluster and are left out"),
        *(
            (count, f"units are in arm {arm!r}, which is not one of the experiment's")
            for arm, count in excluded.unknown_arms.items()
        ),
    ]  # fmt: skip
    assigned = [] if document.clusters is None else document.clusters.notes
    assigned = assigned if document.rerandomised is None else [*assigned, document.rerandomised.sentence]
    told = [Text(split, style), *(Text(note, "dim") for note in assigned)]
    return [*told, *(Text(f"{count:,} {words}", "yellow") for count, words in notes if count)]


def _split_test(document: Document) -> str:
    p_value = f"p {probability(split_p_value(document))}"
    if watched_split(document) is not None:
        return f"{p_value}, by a test that holds whenever it is read"
    return f"chi-square {number(document.sample_ratio.statistic)}, {p_value}"


def _exploration(document: Document) -> list[Text]:
    if not document.exploration:
        return []
    return [
        Text(f"An exploration, not the planned reading: {'; '.join(document.exploration)}", "bold yellow")
    ]


def _differing(document: Document) -> list[RenderableType]:
    """Segments side by side with what is believed of them, then a line per trend and per other experiment."""
    kinds, names = {metric.metric: metric for metric in document.metrics}, _names(document)
    ringing = {"differs", "fades", "grows"}
    disturbances = (*document.novelty, *document.interactions)
    # What rings stands among the alarms below.
    quiet = [each for each in disturbances if each.finding not in ringing and each.problem is None]
    lines = [*document.heterogeneity, *quiet]
    named = [each.experiment for each in document.shared_units if not each.is_tested]
    failure = document.disturbances_failure
    return [
        *(_shrunken(each, kinds[each.metric], names) for each in document.heterogeneity),
        *(Text(each.sentence, "yellow" if each.finding in ringing else "dim") for each in lines),
        *(Text(each, "dim") for each in _undecided(document, kinds, names)),
        *([Text(f"Units in common, not tested: {', '.join(named)}", "dim")] if named else []),
        *([Text(f"Novelty and interactions were not looked for: {failure}", "yellow")] if failure else []),
    ]


def _undecided(
    document: Document, metrics: Mapping[str, MetricResult], names: Mapping[str, str]
) -> list[str]:
    def of(each: Novelty | Interaction) -> str:
        return f"{metrics[each.metric].name} in {names[each.arm]}"

    changes = undecided_interactions(
        document.interactions, lambda each: f"{of(each)} with {each.other_arm} of {each.experiment}"
    )
    return [*undecided_trends(document.novelty, of), *changes]


def _shrunken(found: Heterogeneity, metric: MetricResult, names: Mapping[str, str]) -> RenderableType:
    shown = points if metric.kind.is_share else number
    rows = [
        [
            each.value or each.kind,
            f"{each.control_units:,} and {each.arm_units:,}",
            f"{shown(each.estimate)} [{shown(each.low)}, {shown(each.high)}]",
            MISSING
            if each.shrunken is None
            else f"{shown(each.shrunken)} [{shown(each.shrunken_low)}, {shown(each.shrunken_high)}]",
        ]
        for each in found.segments
    ]
    columns = [found.dimension, "units", "as seen", "drawn towards the mean"]
    return table(f"{metric.name}, {names[found.arm]} by {found.dimension}", columns, rows)


def _arrivals(document: Document) -> list[RenderableType]:
    arrivals = document.arrivals
    if arrivals is None:
        return []
    rows = [
        [each.name, f"{each.events:,}", _minute(each.last_at), _minute(each.received_at), f"{each.late:,}"]
        for each in arrivals.events
    ]
    columns = ["events", "came", "newest happened", "last came in", "more than a day late"]
    lost = [f"Not one event {name!r} has come" for name in arrivals.silent]
    lost += [f"{count:,} refused events name {name!r}" for name, count in arrivals.rejected.items()]
    lost += [] if arrivals.problem is None else [f"Events are not sealed at the moment: {arrivals.problem}"]
    return [table("How events came in", columns, rows), *(Text(each, "yellow") for each in lost)]


def _minute(at: datetime | None) -> str:
    return MISSING if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _view(comparison: Comparison, arm: str, shown: Show) -> str:
    view = comparison.view
    if view is None:
        return ""
    return (
        f"{arm}, a Bayesian view and no claim: {shown(view.estimate)} "
        f"[{shown(view.low)}, {shown(view.high)}], better with probability {percent(view.chance_to_beat)}, "
        f"expected loss {number(view.loss_if_shipped)} if shipped, {number(view.loss_if_kept)} if not"
    )


def _conclusions(document: Document) -> list[Text]:
    """What needs somebody's attention, then what to do about each arm."""
    causes = [] if document.diagnosis is None else document.diagnosis.causes[:1]
    ringing = [] if document.diagnosis is None else document.diagnosis.segments
    names = _names(document)
    return [
        *(Text(alarm, "yellow") for alarm in document.alarms),
        *(Text(f"Most likely cause of the split: {cause.sentence}", "yellow") for cause in causes),
        *(
            Text(
                f"Not split as planned: {each.dimension} = {each.value}, p {probability(each.p_value)}",
                "yellow",
            )
            for each in ringing
        ),
        *(
            Text(f"Decision on {names[decided.arm]}: {decided.sentence}", "bold")
            for decided in document.decisions
        ),
    ]


def _metric(metric: MetricResult, document: Document) -> RenderableType:
    is_share = metric.kind.is_share
    by_arm = {comparison.arm: comparison for comparison in metric.comparisons}
    names = _names(document)
    level = f"{1 - document.alpha:.4g}"
    shown = points if is_share else number
    rows: list[list[str]] = []
    for arm in metric.arms:
        compared = by_arm.get(arm.arm)
        value = percent(arm.mean) if is_share else number(arm.mean)
        rows.append([names[arm.arm], f"{arm.units:,}", value, *_claimed(compared, shown), _finding(compared)])
        if compared is not None and compared.adjusted is not None:
            rows.append([f"{names[arm.arm]}, adjusted", "", "", *_cells(compared.adjusted, shown), ""])
    difference = "difference, points" if is_share else "difference"
    columns = ["arm", "units", "value", difference, "lift", "p", "finding"]
    return Group(
        table(f"{metric.name} — {metric.kind}, intervals at {level}", columns, rows),
        *_notes(metric, names),
    )


def _segment(metric: MetricResult, document: Document) -> RenderableType:
    shown = points if metric.kind.is_share else number
    names = _names(document)
    rows = [
        [
            f"{segment.dimension}: {segment.value or segment.kind}",
            names[compared.arm],
            *_cells(compared, shown),
        ]
        for segment in document.segments
        for found in segment.metrics
        if found.metric == metric.metric
        for compared in found.comparisons
    ]
    columns = ["segment", "arm", "difference", "lift", "p"]
    return table(f"{metric.name} by segment; many cuts find something by chance alone", columns, rows)


def _claimed(comparison: Comparison | None, shown: Show) -> Sequence[str]:
    """The interval that the finding beside it follows from, by the plan's method."""
    if comparison is None:
        return ["", "", ""]
    return [
        _with_interval(claimed_difference(comparison), shown),
        _with_interval(claimed_lift(comparison), percent),
        probability(claimed_p_value(comparison)),
    ]


def _cells(comparison: Comparison | Adjusted | None, shown: Show) -> Sequence[str]:
    if comparison is None:
        return ["", "", ""]
    return [
        _with_interval(comparison.difference, shown),
        _with_interval(comparison.lift, percent),
        probability(comparison.p_value),
    ]


def _finding(comparison: Comparison | None) -> str:
    if comparison is None or comparison.claim is None:
        return ""
    return comparison.claim.finding.value.replace("_", " ")


def _with_interval(estimate: Estimate, shown: Show) -> str:
    if estimate.undefined is not None:
        return shown(estimate.estimate)
    return f"{shown(estimate.estimate)} [{shown(estimate.low)}, {shown(estimate.high)}]"


def _notes(metric: MetricResult, names: Mapping[str, str]) -> list[Text]:
    notes = [] if metric.failure is None else [f"cannot be computed: {metric.failure.sentence}"]
    notes += [
        f"{arm.missing:,} units of {names[arm.arm]} have no value and are left out"
        for arm in metric.arms
        if arm.missing
    ]
    if metric.no_looks is not None:
        notes.append(f"no curve over days: {metric.no_looks}")
    shown = points if metric.kind.is_share else number
    for comparison in metric.comparisons:
        notes += [_view(comparison, names[comparison.arm], shown)] if comparison.view is not None else []
        for what, estimate in (
            ("difference", claimed_difference(comparison)),
            ("lift", claimed_lift(comparison)),
        ):
            if estimate.undefined is not None:
                notes.append(
                    f"{what} of {names[comparison.arm]}: cannot be computed, "
                    f"because {estimate.undefined.sentence}"
                )
    return [Text(note, "yellow") for note in notes]
