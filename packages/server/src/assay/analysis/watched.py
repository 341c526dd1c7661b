"""How units and events came in, as the document says it."""

from collections.abc import Iterator
from datetime import date

from assay.analysis.collected import Arrivals as Arrived
from assay.analysis.doctor import Traffic
from assay.analysis.document import Arrivals, ArrivedEvents, Exposed
from assay.analysis.plan import Plan
from assay.metrics.definition import Quantity


def exposures(traffic: Traffic) -> list[Exposed]:
    """New units of every day from the first to the last, days without any among them."""
    days: dict[date, dict[str, int]] = {}
    for at, counts in zip(traffic.periods, traffic.counts, strict=True):
        day = days.setdefault(at.date(), dict.fromkeys(traffic.arms, 0))
        for arm, count in zip(traffic.arms, counts, strict=True):
            day[arm] += int(count)
    return [Exposed(day=day, units=units) for day, units in days.items()]


def arrivals(found: Arrived, plan: Plan) -> Arrivals:
    """How events came in, and which of those that metrics are made of did not come at all."""
    seen = {each.name for each in found.arrived if each.kind == "event"}
    return Arrivals(
        events=[ArrivedEvents.model_validate(each) for each in found.arrived],
        silent=sorted(set(_wanted(plan)) - seen),
        rejected=dict(found.rejected),
        rejected_reason=found.rejected_reason,
        lag_seconds=found.lag_seconds,
        problem=found.problem,
    )


def _wanted(plan: Plan) -> Iterator[str]:
    for number in plan.numbers:
        if number.source is None:
            parts = (number.made_of,) if isinstance(number.made_of, Quantity) else number.made_of
            yield from (part.event for part in parts)
