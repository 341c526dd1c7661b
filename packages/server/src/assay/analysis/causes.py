"""What a disturbed split most often means, in words that tell where to look."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.analysis.decision_words import NAMELESS, Names, called
from assay.analysis.methods import CauseKind
from assay.shared.numbers import percent


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Cells whose split is not the planned one.

    Attributes:
        dimension: Of a segment; None for all units.
        value: Of the dimension.
        since: The first disturbed period; None from the start.
        until: The first period that is as planned again; None to the end.
        units: Units per arm in these cells.
    """

    dimension: str | None = None
    value: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    units: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """A likely cause of a mismatch.

    Attributes:
        arm: The arm that has too many units, for bots, or too few, for everything else.
        share: Its share of the disturbed units.
        planned_share: What was planned.
        probability: Among the causes considered; they are not all there are.
        sentence: Where to look, for people.
    """

    kind: CauseKind
    dimension: str | None
    value: str | None
    since: datetime | None
    until: datetime | None
    arm: str
    share: float
    planned_share: float
    sentence: str
    probability: float = 0.0


def cause_of(
    found: Disturbance, arms: Sequence[str], weights: Sequence[float], names: Names = NAMELESS
) -> Cause:
    """The cause that a disturbance speaks for.

    Args:
        names: What its sentence calls the arms.
    """
    kind = _kind(found)
    place, share, planned = _most_affected(found.units, weights, is_excess=kind is CauseKind.BOTS)
    arm = called(arms[place], names)
    seen = f"{arm} has {percent(share)} of the units instead of {percent(planned)}"
    return Cause(
        kind=kind,
        dimension=found.dimension,
        value=found.value,
        since=found.since,
        until=found.until,
        arm=arms[place],
        share=share,
        planned_share=planned,
        sentence=_sentence(kind, found, arm, seen),
    )


def _kind(found: Disturbance) -> CauseKind:
    if found.dimension is None:
        if found.until is not None:
            return CauseKind.LATE_START
        return CauseKind.LOSS if found.since is None else CauseKind.CHANGE
    words = set(re.split(r"[^a-z]+", f"{found.dimension} {found.value}".lower()))
    if words & {"bot", "bots", "robot", "crawler", "spider", "headless", "headlesschrome", "monitoring"}:
        return CauseKind.BOTS
    if words & {"version", "release", "build", "app_version", "deploy"}:
        return CauseKind.VERSION
    return CauseKind.RULE if words & {"rule", "reason"} else CauseKind.SEGMENT


def _most_affected(
    units: Sequence[int], weights: Sequence[float], *, is_excess: bool
) -> tuple[int, float, float]:
    """The arm furthest above or below its plan, with both shares."""
    total, weight = max(sum(units), 1), sum(weights)
    ratios = {
        place: (count / total) / (planned / weight)
        for place, (count, planned) in enumerate(zip(units, weights, strict=True))
        if planned > 0
    }
    place = max(ratios, key=lambda arm: ratios[arm] if is_excess else -ratios[arm])
    return place, units[place] / total, weights[place] / weight


def _sentence(kind: CauseKind, found: Disturbance, arm: str, seen: str) -> str:
    return _SENTENCES[kind].format(
        where=f"{found.dimension} = {found.value}",
        since="" if found.since is None else f" since {_moment(found.since)}",
        until="" if found.until is None else _moment(found.until),
        arm=arm,
        seen=seen,
    )


_SENTENCES = {
    CauseKind.BOTS: (
        "Bots: among {where}{since} {seen}, elsewhere the split is as planned; leave these units out in "
        "every arm."
    ),
    CauseKind.VERSION: (
        "A version: among {where}{since} {seen}, elsewhere the split is as planned; that version probably "
        "fails before or while it reports {arm}."
    ),
    CauseKind.RULE: (
        "A rule: among {where}{since} {seen}, elsewhere the split is as planned; that rule probably assigns "
        "by other weights or before the split."
    ),
    CauseKind.SEGMENT: (
        "A segment: among {where}{since} {seen}, elsewhere the split is as planned; look what is special "
        "about {arm} there."
    ),
    CauseKind.LOSS: (
        "A loss: {seen} in all segments and from the start; something loses units of {arm} after they were "
        "assigned, such as a redirect, a crash or a page that loads more slowly."
    ),
    CauseKind.CHANGE: (
        "A change: {seen}{since}, before that the split was as planned; look what was deployed or configured "
        "then."
    ),
    CauseKind.LATE_START: (
        "A late start: until {until} {seen}, since then the split is as planned; {arm} was probably deployed "
        "or switched on later than the others. Begin the analysis then."
    ),
}


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
