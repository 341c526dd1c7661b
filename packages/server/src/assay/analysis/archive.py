"""The archive of a project: experiments with what they found, and metrics with what all found together."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from assay.analysis import repository
from assay.analysis.archive_schemas import (
    ArchivedOut,
    ArchiveSummaryOut,
    EffectOut,
    MetricSummaryOut,
    PastEffectOut,
    PastEffectsOut,
    PriorOut,
    RateOut,
    TogetherOut,
)
from assay.analysis.document import Document
from assay.analysis.methods import Finding, Role
from assay.analysis.models import PastEffect
from assay.core.database import ReadSession, WriteSession
from assay.experiments import archive as past
from assay.experiments import service as experiments
from assay.experiments.archive import Archived, Sought
from assay.experiments.schemas import SuggestedPrior
from assay.metrics import service as metrics
from assay.projects import service as projects

if TYPE_CHECKING:
    from assay.analysis.effects import Rate, Together


async def keep(tx: WriteSession, project: str, experiment: str, document: Document, *, now: datetime) -> None:
    """Puts what a new result found into the archive, in place of what the one before found."""
    # Statistics are loaded where results are computed, not by every start.
    from dataclasses import asdict  # noqa: PLC0415

    from assay.analysis.effects import effects_of  # noqa: PLC0415 — as above

    identifier = await experiments.identify(tx, project, experiment)
    place = (await projects.get(tx, project)).id
    common = {"experiment_id": identifier, "project_id": place, "computed_at": now}
    rows = [asdict(effect) | common for effect in effects_of(document)]
    await repository.replace_effects(tx, identifier, rows)


async def page(
    tx: ReadSession, project: str, sought: Sought, *, cursor: str | None, limit: int
) -> tuple[list[ArchivedOut], str | None]:
    """A page of the experiments that are over, newest first, with what they found."""
    found, following = await past.archive(tx, project, sought, cursor=cursor, limit=limit)
    effects = await repository.effects_of(tx, [each.id for each in found], metric=sought.metric)
    return [_archived(each, effects) for each in found], following


async def of_metric(tx: ReadSession, project: str, metric: str) -> PastEffectsOut:
    """All effects on a metric, together and one by one.

    Raises:
        ProjectNotFound, MetricNotFound: There is no such project, or it has no such metric.
    """
    await metrics.get(tx, project, metric)
    over = {each.id: each for each in await past.concluded(tx, project)}
    rows = await repository.effects_on(tx, await _id(tx, project), metric)
    return _past(metric, [(over[row.experiment_id], row) for row in rows if row.experiment_id in over])


async def priors(tx: ReadSession, project: str, experiment: str) -> list[SuggestedPrior]:
    """What past effects let one believe of an experiment's goals, for those with enough of them."""
    plan = (await experiments.get(tx, project, experiment)).plan
    goals = [] if plan is None else [goal.metric for goal in plan.goals]
    found = [await of_metric(tx, project, metric) for metric in goals]
    return [_suggested(each, each.prior) for each in found if each.prior is not None]


async def summary(tx: ReadSession, project: str) -> ArchiveSummaryOut:
    """How often experiments ship, and each metric's effects in a line."""
    over = {each.id: each for each in await past.concluded(tx, project)}
    rows = await repository.effects_on(tx, await _id(tx, project), None)
    by_metric: dict[str, list[tuple[Archived, PastEffect]]] = {}
    for row in rows:
        if row.experiment_id in over:
            by_metric.setdefault(row.metric, []).append((over[row.experiment_id], row))
    planned = [each for each in over.values() if each.outcome is not None]
    return ArchiveSummaryOut(
        experiments=len(over),
        shipped=_rate_of(sum(each.outcome == "SHIPPED" for each in planned), len(planned)),
        metrics=[_summary(_past(metric, known)) for metric, known in sorted(by_metric.items())],
    )


def effect_out(row: PastEffect) -> EffectOut:
    """An effect with the interval that its finding follows from."""
    claimed = (row.claimed_lift, row.claimed_low, row.claimed_high)
    lift, low, high = (row.lift, row.low, row.high) if row.method is None else claimed
    return EffectOut(
        metric=row.metric,
        arm=row.arm,
        role=row.role,
        finding=row.finding,
        method=row.method,
        lift=lift,
        low=low,
        high=high,
    )


def _past(metric: str, known: Sequence[tuple[Archived, PastEffect]]) -> PastEffectsOut:
    from assay.analysis.effects import FEWEST_FOR_A_PRIOR, prior_of, together, win_rate  # noqa: PLC0415 — as above

    measured = [(each, row) for each, row in known if row.lift is not None and row.error]
    found = together([row.lift or 0.0 for _, row in measured], [row.error or 0.0 for _, row in measured])
    goals = [Finding(row.finding) for _, row in known if row.role == Role.GOAL]
    prior = prior_of(found, len(measured))
    return PastEffectsOut(
        metric=metric,
        effects=[_effect_out(each, row, found, at) for at, (each, row) in enumerate(measured)],
        win_rate=None if (won := win_rate(goals)) is None else RateOut.model_validate(won),
        together=None if found is None else TogetherOut.model_validate(found),
        prior=None if prior is None else PriorOut.model_validate(prior),
        sentence=_sentence(len(measured), found, fewest=FEWEST_FOR_A_PRIOR),
    )


def _suggested(found: PastEffectsOut, prior: PriorOut) -> SuggestedPrior:
    return SuggestedPrior(
        metric=found.metric,
        mean=prior.mean,
        standard_deviation=prior.standard_deviation,
        effects=len(found.effects),
        sentence=f"{found.metric}: {len(found.effects)} past effects suggest a prior of {prior.mean:+.2%} "
        f"± {prior.standard_deviation:.2%} for a Bayesian plan.",
    )


def _effect_out(each: Archived, row: PastEffect, found: "Together | None", at: int) -> PastEffectOut:
    shrunk, shown = None if found is None else found.shrunk[at], effect_out(row)
    return PastEffectOut(
        experiment=each.key,
        name=each.name,
        ended_at=each.ended_at,
        arm=row.arm,
        role=Role(row.role).value,
        finding=row.finding,
        method=shown.method,
        lift=shown.lift,
        low=shown.low,
        high=shown.high,
        shrunk=None if shrunk is None else shrunk.lift,
        shrunk_low=None if shrunk is None else shrunk.low,
        shrunk_high=None if shrunk is None else shrunk.high,
    )


def _sentence(count: int, found: "Together | None", *, fewest: int) -> str:
    if found is None:
        return f"{count} measured so far; two are needed to say anything of them together."
    said = (
        f"On average {found.pooled:+.2%} ({found.pooled_low:+.2%} to {found.pooled_high:+.2%}) over {count} "
        f"effects; true effects scatter by {found.spread:.2%}, {found.i_squared:.0%} of what is seen. "
        "The largest found were partly luck: their shrunken values are what to expect again."
    )
    return said if count >= fewest else f"{said} A prior needs {fewest}."


def _summary(past: PastEffectsOut) -> MetricSummaryOut:
    return MetricSummaryOut(
        metric=past.metric,
        effects=len(past.effects),
        win_rate=past.win_rate,
        together=past.together,
        prior=past.prior,
    )


def _archived(each: Archived, effects: Mapping[uuid.UUID, Sequence[PastEffect]]) -> ArchivedOut:
    found = [effect_out(row) for row in effects.get(each.id, [])]
    return ArchivedOut(
        key=each.key,
        name=each.name,
        hypothesis=each.hypothesis,
        learnings=each.learnings,
        tags=list(each.tags),
        outcome=each.outcome,
        started_at=each.started_at,
        ended_at=each.ended_at,
        effects=found,
    )


def _rate_of(wins: int, trials: int) -> RateOut | None:
    from assay.analysis.effects import rate  # noqa: PLC0415 — as above

    found: Rate | None = rate(wins, trials) if trials else None
    return None if found is None else RateOut.model_validate(found)


async def _id(tx: ReadSession, project: str) -> uuid.UUID:
    return (await projects.get(tx, project)).id
