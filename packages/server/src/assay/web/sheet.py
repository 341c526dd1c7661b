"""A report as one sheet that can leave the server: everything it says, frozen, without a link or a script.

The same model is drawn as HTML, as PDF and as a picture, so that all of them say the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.analysis.document import Document
from assay.analysis.errors import NoSubject
from assay.analysis.holdout_schemas import UnderOut
from assay.analysis.schemas import FrozenReportOut, ResultOut, Subject
from assay.experiments.plan import Plan
from assay.experiments.schemas import ExperimentOut
from assay.web.interval_plot import Mark, Tick
from assay.web.metric_card import ComparisonLine, MetricCard
from assay.web.phrases import counted, utc
from assay.web.planned_card import METHODS
from assay.web.results import Results, finished
from assay.web.under import effects_of, outcome_of


@dataclass(frozen=True, slots=True)
class DecisionBlock:
    """What to do about an arm."""

    arm: str
    tone: str
    sentence: str


@dataclass(frozen=True, slots=True)
class UnitsLine:
    """An arm and its units."""

    arm: str
    is_control: bool
    units: str
    share: str
    planned: str


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One arm on one metric, with the place of its interval on the common scale."""

    metric: str
    role: str
    about: str
    arm: str
    control_value: str
    arm_value: str
    difference: str
    lift: str
    bounds: str
    p_value: str
    tone: str
    word: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class UnderRow:
    """An experiment under a holdout."""

    experiment: str
    outcome: str
    began: str
    ended: str
    effects: str


@dataclass(frozen=True, slots=True)
class Fact:
    """How the sheet came to be: a name and a value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything a sheet says.

    Attributes:
        is_approved: Whether somebody has put a name to it.
        ticks: Of the scale that all intervals share.
        under: What had run under a holdout when it was reported.
        beside: What else to know of a holdout, as sentences.
        problems: Metrics without a result, and words that the drawn lift does not bear, as sentences.
    """

    title: str
    note: str
    experiment: str
    about: str
    hypothesis: str
    status: str
    is_approved: bool
    decisions: Sequence[DecisionBlock]
    is_split_suspicious: bool
    split: str
    causes: Sequence[str]
    alarms: Sequence[str]
    units: Sequence[UnitsLine]
    excluded: Sequence[str]
    level: str
    control: str
    ticks: Sequence[Tick]
    metrics: Sequence[MetricLine]
    under: Sequence[UnderRow]
    beside: Sequence[str]
    problems: Sequence[str]
    facts: Sequence[Fact]
    made: str
    made_at: int


def sheet(frozen: FrozenReportOut) -> Sheet:
    """The sheet of a report; the same report gives the same sheet.

    Raises:
        NoSubject: The report did not keep what it is about.
    """
    report, document, subject = frozen.report, frozen.document, _subject(frozen)
    experiment = subject.experiment
    labels = {arm.key: arm.name or arm.key for arm in experiment.arms}
    results = finished(
        ResultOut(task=subject.task, document=document), experiment, [], labels, now=report.made_at
    )
    return Sheet(
        title=report.title,
        note=report.note,
        experiment=experiment.name,
        about=experiment.description,
        hypothesis="" if experiment.plan is None else experiment.plan.hypothesis,
        status=_status(frozen),
        is_approved=report.approved_at is not None,
        decisions=[DecisionBlock(each.label, each.tone, each.sentence) for each in results.decisions],
        is_split_suspicious=results.split.suspicious,
        split=results.split.sentence,
        causes=results.split.causes,
        alarms=results.alarms,
        units=[
            UnitsLine(arm.label, arm.is_control, f"{arm.units:,}", arm.share, arm.planned)
            for arm in results.arms
        ],
        excluded=results.excluded,
        level=results.level,
        control=labels[document.control],
        ticks=[] if results.plot is None else results.plot.ticks,
        metrics=list(_lines(results, document)),
        under=[] if subject.beside is None else [_under(each) for each in subject.beside.experiments],
        beside=list(_beside(subject)),
        problems=[*_problems(document), *_warnings(results.metrics)],
        facts=list(_facts(frozen, experiment, results)),
        made=utc(report.made_at),
        made_at=int(report.made_at.timestamp()),
    )


def _subject(frozen: FrozenReportOut) -> Subject:
    if frozen.subject is None:
        raise NoSubject(
            f"report {frozen.report.id} kept no experiment; report its result again",
            value=str(frozen.report.id),
        )
    return frozen.subject


def _under(each: UnderOut) -> UnderRow:
    return UnderRow(
        experiment=each.name,
        outcome=outcome_of(each),
        began=utc(each.started_at),
        ended="running" if each.ended_at is None else utc(each.ended_at),
        effects="; ".join(effects_of(each)) or "no result",
    )


def _beside(subject: Subject) -> Iterator[str]:
    if subject.beside is not None:
        yield from (f"{each.metric}: {each.sentence}" for each in subject.beside.sums)
    if subject.holdout is not None:
        yield from subject.holdout.notes


def _status(frozen: FrozenReportOut) -> str:
    report = frozen.report
    if report.approved_at is None:
        return "Not approved"
    return f"Approved by {report.approved_by} on {utc(report.approved_at)}"


def _lines(results: Results, document: Document) -> Iterator[MetricLine]:
    compared = [(card, line) for card in results.metrics for line in card.comparisons]
    plot, roles = results.plot, _roles(document)
    marks = [None] * len(compared) if plot is None else [row.mark for row in plot.rows]
    for (card, line), mark in zip(compared, marks, strict=True):
        yield _line(card, line, roles.get((card.key, line.arm), ""), mark)


def _line(card: MetricCard, line: ComparisonLine, role: str, mark: Mark | None) -> MetricLine:
    control = next(arm for arm in card.arms if arm.comparison is None)
    own = next(arm for arm in card.arms if arm.comparison is line)
    lift = line.lift.range
    return MetricLine(
        metric=card.name,
        role=role,
        about=card.kind,
        arm=own.label,
        control_value=control.value.text,
        arm_value=own.value.text,
        difference=line.difference.range.estimate.text,
        lift=lift.estimate.text,
        bounds=line.lift.problem or f"{lift.low.text} to {lift.high.text}",
        p_value=line.p_value.text,
        tone=line.verdict.tone,
        word=line.verdict.word,
        mark=mark,
    )


def _roles(document: Document) -> dict[tuple[str, str], str]:
    return {
        (metric.metric, each.arm): each.claim.role.value
        for metric in document.metrics
        for each in metric.comparisons
        if each.claim is not None
    }


def _problems(document: Document) -> Iterator[str]:
    for metric in document.metrics:
        if metric.failure is not None:
            yield f"{metric.name} could not be computed: {metric.failure.sentence}"


def _warnings(cards: Sequence[MetricCard]) -> Iterator[str]:
    """Where the drawn lift says something else of 0 than the word beside it."""
    for card in cards:
        for line in card.comparisons:
            if line.warning is not None:
                yield f"{card.name}, {line.label}. {line.warning}"


def _facts(frozen: FrozenReportOut, experiment: ExperimentOut, results: Results) -> Iterator[Fact]:
    report, document = frozen.report, frozen.document
    yield Fact("Experiment", f"{experiment.key}, {_state(experiment)}")
    yield Fact("Read by", _method(experiment.plan, results))
    yield Fact("Units", f"{counted(results.units, 'unit')}; compared with the control {document.control}")
    yield Fact("Computed", f"{results.computed.text} by Assay {document.assay_version}")
    yield Fact("Frozen", f"{utc(report.made_at)} by {report.made_by}")
    yield Fact("Plan hash", "no plan was frozen" if experiment.phase is None else experiment.phase.plan_hash)
    yield Fact("Content hash", document.content_hash or "computed by a version without one")


def _state(experiment: ExperimentOut) -> str:
    if experiment.state is None:
        return "observed"
    outcome = "" if experiment.outcome is None else f", {experiment.outcome.replace('_', ' ').lower()}"
    phase = "" if experiment.phase is None else f", phase {experiment.phase.number}"
    return f"{experiment.state.lower()}{outcome}{phase}"


def _method(plan: Plan | None, results: Results) -> str:
    method = "all data at once" if plan is None else METHODS[plan.method.kind]
    return f"{method}; intervals {results.level}, two-sided, {results.reading}"
