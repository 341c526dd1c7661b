"""Results of holdouts: how one is read, and what ran under it beside its estimate."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot

from assay.analysis import repository, service
from assay.analysis.archive import effect_out
from assay.analysis.effects import REACH
from assay.analysis.holdout_schemas import BesideOut, HoldoutReadingOut, SumOut, UnderOut
from assay.analysis.models import PastEffect
from assay.analysis.schemas import HoldoutResultOut
from assay.core.database import ReadSession
from assay.experiments import holding
from assay.experiments.holding import Under
from assay.experiments.holdouts import FromHoldout, Standing, standing_of
from assay.experiments.schemas import ExperimentOut
from assay_engine import HoldoutArm


@dataclass(frozen=True, slots=True)
class Part:
    """What a shipped experiment adds to a sum; None where it has no estimate.

    Attributes:
        error: Standard error of the lift.
    """

    experiment: str
    lift: float | None
    error: float | None = None


async def latest(tx: ReadSession, project: str, environment: str, key: str) -> HoldoutResultOut:
    """The newest finished analysis of a holdout, with what ran under it.

    Raises:
        HoldoutUnread: Nobody has said how it is read.
        NoResults: There is none yet.
    """
    found = await holding.get(tx, project, environment, key)
    result = await service.latest(tx, project, found.key)
    return HoldoutResultOut(
        task=result.task,
        document=result.document,
        holdout=await reading_out(tx, project, found),
        beside=await beside(tx, project, found),
    )


async def reading_out(tx: ReadSession, project: str, experiment: ExperimentOut) -> HoldoutReadingOut:
    """How a holdout is read.

    Raises:
        TypeError: It is no holdout.
    """
    assignments = experiment.assignments
    if not isinstance(assignments, FromHoldout) or experiment.started_at is None:
        raise TypeError(f"{experiment.key} is no holdout")
    standing = standing_of(await holding.revisions(tx, project, assignments))
    return HoldoutReadingOut(
        experiment=experiment.key,
        holdout=assignments.holdout,
        environment=assignments.environment,
        reading=assignments.reading,
        share=next(arm.weight for arm in experiment.arms if arm.key == HoldoutArm.HELD_OUT),
        started_at=experiment.started_at,
        ended_at=experiment.ended_at,
        notes=notes_of(standing),
    )


async def beside(tx: ReadSession, project: str, experiment: ExperimentOut) -> BesideOut:
    """The experiments under a holdout, and the plain sums of what was shipped."""
    found = await holding.under(tx, project, experiment)
    effects = await repository.effects_of(tx, [each.identifier for each in found], metric=None)
    return BesideOut(
        experiments=[
            _under_out(each, effects.get(each.identifier, []), experiment.metrics) for each in found
        ],
        sums=[
            sum_of(metric, parts)
            for metric in experiment.metrics
            if (parts := [_part(each, effects, metric) for each in found if each.shipped is not None])
        ],
    )


def sum_of(metric: str, parts: Sequence[Part]) -> SumOut:
    """The plain sum of lifts that were found one by one."""
    names = [part.experiment for part in parts]
    if missing := [part.experiment for part in parts if part.lift is None or part.error is None]:
        sentence = f"There is no sum: {missing[0]} was shipped and has no result on {metric}."
        return SumOut(metric=metric, experiments=names, lift=None, low=None, high=None, sentence=sentence)
    lift = sum(part.lift or 0.0 for part in parts)
    reach = REACH * hypot(*(part.error or 0.0 for part in parts))
    sentence = (
        f"One by one, what was shipped added up to {lift:+.2%} ({lift - reach:+.2%} to {lift + reach:+.2%}). "
        "That is a plain sum, no estimate of the whole: it knows nothing of units that were not targeted, of "
        "effects that wear off or disturb one another, nor that winners are picked for their luck."
    )
    return SumOut(
        metric=metric, experiments=names, lift=lift, low=lift - reach, high=lift + reach, sentence=sentence
    )


def notes_of(standing: Standing | None) -> list[str]:
    """What to know before reading the result of a holdout, a sentence each."""
    if standing is None:
        return ["The holdout is gone; what it was analysed from stays."]
    notes: list[str] = []
    if standing.is_redivided:
        notes.append(
            f"Since {standing.started_at:%Y-%m-%d %H:%M} UTC the holdout divides units otherwise than "
            "before: only exposures from then on count, each unit on its side of now. Who changed sides "
            "brings along what it had been through, which draws the effect towards 0 for a while."
        )
    if standing.ended_at is not None:
        notes.append(f"Released on {standing.ended_at:%Y-%m-%d %H:%M} UTC; nothing later is read.")
    return notes


def _part(each: Under, effects: Mapping[uuid.UUID, Sequence[PastEffect]], metric: str) -> Part:
    if each.shipped == each.experiment.control:
        return Part(each.experiment.key, 0.0, 0.0)
    for row in effects.get(each.identifier, []):
        if (row.metric, row.arm) == (metric, each.shipped):
            return Part(each.experiment.key, row.lift, row.error)
    return Part(each.experiment.key, None)


def _under_out(each: Under, effects: Sequence[PastEffect], metrics: Sequence[str]) -> UnderOut:
    experiment = each.experiment
    assert experiment.started_at is not None and experiment.state is not None  # noqa: S101, PT018 — it has run
    return UnderOut(
        key=experiment.key,
        name=experiment.name,
        state=experiment.state,
        outcome=experiment.outcome,
        shipped=each.shipped,
        started_at=experiment.started_at,
        ended_at=experiment.ended_at,
        effects=[effect_out(row) for row in effects if row.metric in metrics],
    )
