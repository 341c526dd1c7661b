"""What the page of a holdout says beside its result: which units it keeps out, and what ran under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.analysis import holdouts
from assay.analysis.holdout_schemas import BesideOut, HoldoutReadingOut, UnderOut
from assay.core.database import ReadSession
from assay.experiments.holdouts import FromHoldout
from assay.experiments.schemas import ExperimentOut
from assay.shared.numbers import percent
from assay.web.phrases import Moment, moment


@dataclass(frozen=True, slots=True)
class UnderLine:
    """An experiment under a holdout, with what it found by itself."""

    key: str
    name: str
    outcome: str
    began: Moment
    ended: Moment | None
    effects: Sequence[str]


@dataclass(frozen=True, slots=True)
class HoldoutPart:
    """A holdout on its page.

    Attributes:
        sums: The plain sums of what was shipped, a sentence each.
    """

    key: str
    share: str
    began: Moment
    ended: Moment | None
    notes: Sequence[str]
    experiments: Sequence[UnderLine]
    sums: Sequence[tuple[str, str]]


async def holdout_part(
    tx: ReadSession, project: str, experiment: ExperimentOut, *, now: datetime
) -> HoldoutPart | None:
    """What a page says of a holdout; None on the page of an experiment."""
    if not isinstance(experiment.assignments, FromHoldout):
        return None
    reading = await holdouts.reading_out(tx, project, experiment)
    return part_of(reading, await holdouts.beside(tx, project, experiment), now=now)


def part_of(reading: HoldoutReadingOut, beside: BesideOut, *, now: datetime) -> HoldoutPart:
    """The same of what is known already, of now or of a report's day."""
    return HoldoutPart(
        key=reading.holdout,
        share=percent(reading.share),
        began=moment(reading.started_at, now=now),
        ended=None if reading.ended_at is None else moment(reading.ended_at, now=now),
        notes=reading.notes,
        experiments=[_line(each, now=now) for each in beside.experiments],
        sums=[(each.metric, each.sentence) for each in beside.sums],
    )


def _line(each: UnderOut, *, now: datetime) -> UnderLine:
    return UnderLine(
        key=each.key,
        name=each.name,
        outcome=outcome_of(each),
        began=moment(each.started_at, now=now),
        ended=None if each.ended_at is None else moment(each.ended_at, now=now),
        effects=effects_of(each),
    )


def outcome_of(each: UnderOut) -> str:
    """How an experiment under a holdout ended, or where it stood."""
    outcome = (each.outcome or each.state).replace("_", " ").lower()
    return outcome if each.shipped is None else f"{outcome}: {each.shipped}"


def effects_of(each: UnderOut) -> list[str]:
    """What it found by itself."""
    return [f"{one.metric} {percent(one.lift)} in {one.arm}" for one in each.effects]
