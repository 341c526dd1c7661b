"""Which running experiments meet the same units, and so may disturb one another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assay.experiments.design import FromExposures
from assay.experiments.plan import Plan
from assay.experiments.schemas import ExperimentOut


@dataclass(frozen=True, slots=True)
class Other:
    """Another experiment at work in the same environment."""

    key: str
    state: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Overlap:
    """What an experiment has in common with another.

    Attributes:
        excluded: They never share a unit, as one layer holds both.
        metrics: Metrics that both are read by.
    """

    experiment: str
    state: str
    same_flag: bool
    same_layer: bool
    same_unit: bool
    excluded: bool
    metrics: tuple[str, ...]


def overlaps(plan: Plan, others: Iterable[Other]) -> Iterator[Overlap]:
    """The experiments with the same unit, flag or layer, in the order given."""
    for other in others:
        found = _between(plan, other)
        if found.same_flag or found.same_layer or found.same_unit:
            yield found


def share_units(one: ExperimentOut, other: ExperimentOut) -> bool:
    """Whether two experiments may have had the same units at the same time.

    Of an observed experiment nobody has said when it ran and who its units are; its exposures tell.
    """
    if one.assignments.environment != other.assignments.environment:
        return False
    if not (isinstance(one.assignments, FromExposures) and isinstance(other.assignments, FromExposures)):
        return False
    if one.plan is None or other.plan is None:
        return True
    between = _between(one.plan, Other(other.key, "", other.plan))
    return between.same_unit and not between.excluded and _ran_together(one, other)


def _ran_together(one: ExperimentOut, other: ExperimentOut) -> bool:
    if one.phase is None or other.phase is None:
        return False
    ended_before = one.ended_at is not None and one.ended_at <= other.phase.started_at
    began_after = other.ended_at is not None and other.ended_at <= one.phase.started_at
    return not (ended_before or began_after)


def _between(plan: Plan, other: Other) -> Overlap:
    same_layer = plan.layer is not None and plan.layer == other.plan.layer
    theirs = set(other.plan.metrics())
    return Overlap(
        experiment=other.key,
        state=other.state,
        same_flag=plan.flag is not None and plan.flag == other.plan.flag,
        same_layer=same_layer,
        same_unit=plan.unit_path == other.plan.unit_path,
        excluded=same_layer,
        metrics=tuple(metric for metric in plan.metrics() if metric in theirs),
    )
