"""The page of a project's archive: what is over, what it found, past effects on a metric in one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from assay.analysis import archive
from assay.analysis.archive_schemas import (
    ArchivedOut,
    ArchiveSummaryOut,
    PastEffectOut,
    PastEffectsOut,
    RateOut,
)
from assay.analysis.methods import Finding
from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.core.parameters import Cursor
from assay.experiments.archive import Sought
from assay.experiments.routing import ProjectKey
from assay.shared.ids import Key
from assay.shared.schema import Name
from assay.web import figures
from assay.web.figures import PERCENT
from assay.web.interval_plot import Line, Plot, plot
from assay.web.metric_card import METHODS
from assay.web.phrases import Moment, moment
from assay.web.rendering import render
from assay.web.verdict import Tone

PER_PAGE = 50
TONES = {
    Finding.BETTER: Tone.BETTER,
    Finding.WORSE: Tone.WORSE,
    Finding.WITHIN_MARGIN: Tone.WITHIN,
    Finding.OPEN: Tone.OPEN,
    Finding.EARLY: Tone.EARLY,
    Finding.UNKNOWN: Tone.UNKNOWN,
}

router = APIRouter(route_class=RetryingRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ArchivedLine:
    """An experiment that is over."""

    key: str
    name: str
    outcome: str
    ended: Moment | None
    learnings: str
    findings: Sequence[str]


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A metric's past in a line."""

    key: str
    effects: int
    win_rate: str
    mean: str


@dataclass(frozen=True, slots=True)
class MetricPast:
    """All effects on a metric: the picture, and what it says."""

    key: str
    win_rate: str
    sentence: str
    prior: str | None
    plot: Plot | None


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """The archive of a project."""

    project: str
    search: str
    experiments: Sequence[ArchivedLine]
    next_cursor: str | None
    count: int
    shipped: str
    metrics: Sequence[MetricLine]
    past: MetricPast | None


@router.get("/projects/{project}/archive", name="archive")
async def archive_page(
    project: ProjectKey,
    request: Request,
    tx: Reads,
    now: Now,
    search: Annotated[Name | None, Query(description="Beginnings of words.")] = None,
    metric: Annotated[Key | None, Query(description="Whose past effects are drawn.")] = None,
    cursor: Cursor = None,
) -> HTMLResponse:
    """Shows what a project's experiments have found."""
    sought = Sought(search=search, metric=metric)
    items, following = await archive.page(tx, project, sought, cursor=cursor, limit=PER_PAGE)
    summary = await archive.summary(tx, project)
    past = None if metric is None else await archive.of_metric(tx, project, metric)
    page = _page(project, search or "", items, following, summary, past, now=now)
    return render(request, "archive.html", page=page)


def _page(
    project: str,
    search: str,
    items: Sequence[ArchivedOut],
    following: str | None,
    summary: ArchiveSummaryOut,
    past: PastEffectsOut | None,
    *,
    now: datetime,
) -> ArchivePage:
    return ArchivePage(
        project=project,
        search=search,
        experiments=[_line(each, now=now) for each in items],
        next_cursor=following,
        count=summary.experiments,
        shipped=_rate(summary.shipped),
        metrics=[
            MetricLine(
                each.metric,
                each.effects,
                _rate(each.win_rate),
                "—"
                if each.together is None
                else _interval(each.together.pooled, each.together.pooled_low, each.together.pooled_high),
            )
            for each in summary.metrics
        ],
        past=None if past is None else _past(past),
    )


def _line(each: ArchivedOut, *, now: datetime) -> ArchivedLine:
    return ArchivedLine(
        key=each.key,
        name=each.name,
        outcome=(each.outcome or "observed").replace("_", " ").lower(),
        ended=None if each.ended_at is None else moment(each.ended_at, now=now),
        learnings=each.learnings,
        findings=[
            f"{effect.metric} in {effect.arm}: {_interval(effect.lift, effect.low, effect.high)}"
            f"{_read_by(effect.method)}"
            for effect in each.effects
        ],
    )


def _past(found: PastEffectsOut) -> MetricPast:
    lines = [_forest_line(each) for each in found.effects]
    if found.together is not None:
        pooled = found.together
        lines.append(
            Line(
                metric="All together",
                arm="",
                tone=Tone.OPEN,
                estimate=pooled.pooled,
                low=pooled.pooled_low,
                high=pooled.pooled_high,
                known=None,
                numbers=_interval(pooled.pooled, pooled.pooled_low, pooled.pooled_high),
            )
        )
    prior = found.prior
    return MetricPast(
        key=found.metric,
        win_rate=_rate(found.win_rate),
        sentence=found.sentence,
        prior=None if prior is None else f"{prior.mean:+.2%} ± {prior.standard_deviation:.2%}",
        plot=plot(lines, title=f"Past effects on {found.metric}") if lines else None,
    )


def _forest_line(each: PastEffectOut) -> Line:
    # The diamond is the shrunken effect: what to expect again, without the winner's luck.
    return Line(
        metric=f"{each.experiment}, {each.arm}",
        arm=each.arm,
        tone=TONES[Finding(each.finding)],
        estimate=each.lift,
        low=each.low,
        high=each.high,
        known=each.shrunk,
        numbers=f"{_interval(each.lift, each.low, each.high)}{_read_by(each.method)}",
    )


def _read_by(method: str | None) -> str:
    """How the interval is to be read, where that is not the usual one look."""
    if method == "fixed":
        return ""
    return ", one plain test" if method is None else f", {METHODS[method]}"


def _interval(middle: float | None, low: float | None, high: float | None) -> str:
    if middle is None:
        return "not computed"
    write = figures.writer(low, high, PERCENT)
    ends = ["∞" if end is None else figures.signed(end, write, PERCENT) for end in (low, high)]
    return f"{figures.signed(middle, write, PERCENT)} ({ends[0]} to {ends[1]})"


def _rate(found: RateOut | None) -> str:
    if found is None:
        return "nothing to count yet"
    return f"{found.wins} of {found.trials} ({found.low:.0%} to {found.high:.0%})"
