"""What the page says of how units and events came in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from assay.analysis.document import Arrivals, ArrivedEvents, Document
from assay.shared.numbers import number, percent
from assay.web.phrases import Moment, counted, moment
from assay.web.series_plot import Day, Series, series


@dataclass(frozen=True, slots=True)
class ArrivedLine:
    """Events of one name."""

    name: str
    events: int
    last: Moment | None
    received: Moment | None
    late: str


@dataclass(frozen=True, slots=True)
class Watched:
    """How units and events came in, when the result was computed.

    Attributes:
        double: Share of units seen in several arms, in words.
        losses: What did not come in, as sentences.
    """

    exposures: Series | None
    double: str
    arrived: list[ArrivedLine]
    losses: list[str]


def watched(document: Document, labels: Mapping[str, str], *, now: datetime) -> Watched:
    """What a document says of it."""
    arms = [arm.arm for arm in document.arms]
    curves = [
        (labels.get(arm, arm), [Day(day.day, day.units.get(arm, 0)) for day in document.exposures])
        for arm in arms
    ]
    arrivals = document.arrivals
    return Watched(
        exposures=series(curves, title="New units of every day by arm", write=number) if curves else None,
        double=_double(document),
        arrived=[] if arrivals is None else [_arrived(each, now=now) for each in arrivals.events],
        losses=[] if arrivals is None else list(_losses(arrivals)),
    )


def _double(document: Document) -> str:
    double, units = document.excluded.in_several_arms, sum(arm.units for arm in document.arms)
    if double + units == 0:
        return "No unit has come in yet."
    share = percent(double / (double + units))
    return f"{share} of the units were seen in several arms ({double:,} of {double + units:,})."


def _arrived(found: ArrivedEvents, *, now: datetime) -> ArrivedLine:
    return ArrivedLine(
        name=f"exposures to {found.name}" if found.kind == "exposure" else found.name,
        events=found.events,
        last=None if found.last_at is None else moment(found.last_at, now=now),
        received=None if found.received_at is None else moment(found.received_at, now=now),
        late=f"{found.late:,} ({percent(found.late / found.events)})" if found.events else "0",
    )


def _losses(arrivals: Arrivals) -> Iterator[str]:
    for name in arrivals.silent:
        yield f"Not one event “{name}” has come."
    for name, count in arrivals.rejected.items():
        yield f"{counted(count, 'refused event names', 'refused events name')} “{name}”."
    if arrivals.rejected_reason is not None:
        yield (
            f"The newest of them was refused because: {arrivals.rejected_reason}. All of them, with reasons: "
            "assay events rejected list."
        )
    if arrivals.problem is not None:
        yield f"Events are not sealed at the moment: {arrivals.problem}"
