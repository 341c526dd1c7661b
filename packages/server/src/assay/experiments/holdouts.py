"""Holdouts as something to analyse: which units, since when, until when, and what ran under them; pure.

The revisions of a holdout tell its history. Dividing units otherwise begins its analysis anew, since a unit
that changed sides would carry what it has been through into the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from assay.audit.schemas import AuditEntryOut
from assay.experiments.design import MAX_METRICS, Arm, FromExposures, FromTable
from assay.experiments.plan import Alpha, AlwaysValid, Correction, Fixed
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Instant
from assay_engine import HoldoutArm
from assay_engine.bucketing import BUCKETERS
from assay_engine.model import Holdout
from assay_engine.parsing import holdout_from_json

Looks = Annotated[AlwaysValid | Fixed, Field(discriminator="kind")]


class HoldoutReading(Incoming):
    """How a holdout is read: people look at it for months, so at any moment unless an end is fixed."""

    metrics: Annotated[list[Key], Field(min_length=1, max_length=MAX_METRICS)]
    method: Looks = AlwaysValid(kind="always_valid", tuned_for=None)
    alpha: Alpha = 0.05
    correction: Correction = "holm"
    starts_at: Instant | None = Field(
        None, description="Count exposures from then on; null: from the holdout's own begin."
    )
    ends_at: Instant | None = Field(
        None, description="Read nothing after it; null: until the holdout is released."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("a metric is listed more than once")
        if isinstance(self.method, Fixed) and self.ends_at is None:
            raise ValueError("one look at the end needs an end; give `ends_at`, or read by `always_valid`")
        if self.starts_at is not None and self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError("`ends_at` is not after `starts_at`")
        return self


class FromHoldout(Incoming):
    """Assignments are the exposures to a holdout; what is analysed is the holdout itself."""

    source: Literal["holdout"]
    environment: Key
    holdout: Key
    reading: HoldoutReading


DELETED = "holdout.deleted"
AnyAssignments = Annotated[FromExposures | FromTable | FromHoldout, Field(discriminator="source")]
"""All that an experiment may have; nobody but Assay makes one of a holdout."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What an environment served of a holdout from a moment on."""

    at: datetime
    holdout: Holdout


@dataclass(frozen=True, slots=True)
class Standing:
    """A holdout while it divides units in one way.

    Attributes:
        share: Of units that it keeps out.
        ended_at: When it was released; None while it keeps units out.
        is_redivided: Whether it divided them otherwise before.
    """

    share: float
    started_at: datetime
    ended_at: datetime | None = None
    is_redivided: bool = False


def revision_of(at: datetime, document: dict[str, Any]) -> Revision:
    """A revision as it was served."""
    return Revision(at, holdout_from_json(document))


def standing_of(revisions: Sequence[Revision]) -> Standing | None:
    """The newest standing of a holdout, None before it keeps units out of anything.

    Args:
        revisions: Oldest first.
    """
    found: Standing | None = None
    division: object = None
    for each in revisions:
        divided = (each.holdout.bucketing, each.holdout.range)
        if each.holdout.experiments == frozenset():
            if found is not None and found.ended_at is None:
                found = Standing(found.share, found.started_at, each.at, found.is_redivided)
        elif found is None or divided != division or found.ended_at is not None:
            is_redivided = found is not None and divided != division
            found = Standing(share_of(each.holdout), each.at, None, is_redivided)
            division = divided
    return found


def gone_at(entries: Sequence[AuditEntryOut]) -> datetime | None:
    """When a holdout that is gone stopped keeping units out: when it was released, or else deleted.

    Args:
        entries: Of its change log, newest first.
    """
    deleted: datetime | None = None
    for entry in entries:
        if entry.action == DELETED:
            if deleted is not None:
                break  # What is older is of an earlier holdout of this key.
            deleted = entry.at
            continue
        for change in entry.changes:
            if change.path == ["experiments"]:
                return entry.at if change.after == [] else deleted
    return deleted


def share_of(holdout: Holdout) -> float:
    """The share of units that a holdout keeps out, in [0, 1]."""
    bucketer = BUCKETERS[holdout.bucketing.bucketer]
    lowest, highest = bucketer.lowest, bucketer.highest(holdout.bucketing.total)
    # Of whole numbers a closed end is one more; of doubles it weighs nothing.
    high = holdout.range.high + (bucketer.is_integer and holdout.range.bounds == "closed")
    inside = min(high, highest) - max(holdout.range.low, lowest)
    return max(0.0, inside) / (highest - lowest)


def arms_of(share: float) -> list[Arm]:
    """The two sides of a holdout, which weigh as much as they hold."""
    return [
        Arm(key=HoldoutArm.HELD_OUT.value, name="Held out", weight=share),
        Arm(key=HoldoutArm.OPEN.value, name="Open", weight=1 - share),
    ]


def is_under(experiment: str, began: datetime, ended: datetime | None, revisions: Sequence[Revision]) -> bool:
    """Whether a holdout kept units out of an experiment, or of what it left behind, while that was served.

    Args:
        ended: When nothing of it was served any more.
        revisions: Oldest first.
    """
    return any(
        each.holdout.concerns(experiment)
        and (ended is None or each.at < ended)
        and (until is None or began < until)
        for each, until in _with_ends(revisions)
    )


def _with_ends(revisions: Sequence[Revision]) -> Iterable[tuple[Revision, datetime | None]]:
    yield from ((each, following.at) for each, following in pairwise(revisions))
    if revisions:
        yield revisions[-1], None
