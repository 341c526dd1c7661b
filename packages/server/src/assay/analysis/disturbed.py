"""What a document says of novelty and of other experiments, from what was collected beside the claims."""

from collections.abc import Iterator, Sequence

import numpy as np

from assay.analysis import compare
from assay.analysis.asking import role_of
from assay.analysis.collected import Ages, Cut, Disturbances, Met
from assay.analysis.conclude import evidence_of
from assay.analysis.decision_words import NAMELESS, Names, called, signed
from assay.analysis.differing import AgeEffect, Cell, Interaction, Novelty, SharedUnits
from assay.analysis.effects_over_time import (
    DISTURBANCE_ALPHA,
    HORIZONS,
    MOST_MET,
    Aging,
    Change,
    Crossed,
    Trend,
    change,
    trend,
)
from assay.analysis.methods import Role
from assay.analysis.plan import Kind, MetricPlan, Overlapping, Plan
from assay.shared.numbers import percent
from assay_stats.estimands import ArmMean


def novelty(plan: Plan, found: Disturbances, names: Names = NAMELESS) -> list[Novelty]:
    """A trend per goal, arm and horizon of which there are units; all that may come share alpha.

    Args:
        names: What sentences call the arms.
    """
    goals = _goals(plan)
    alpha = DISTURBANCE_ALPHA / max(len(goals) * (len(plan.arms) - 1) * len(HORIZONS), 1)
    return [
        _novelty(plan, metric, arm.key, ages, alpha, names)
        for ages in found.ages
        for metric in goals
        for arm in plan.arms
        if arm.key != plan.control and {plan.control, arm.key} <= ages.moments.get(metric.key, {}).keys()
    ]


def interactions(plan: Plan, found: Disturbances, names: Names = NAMELESS) -> list[Interaction]:
    """An interaction per goal, arm here and arm there; alpha is shared by all pairs.

    Args:
        names: What sentences call the arms of this experiment.
    """
    known = {other.key: other for other in plan.overlapping}
    return [each for met in found.met for each in _interactions(plan, known[met.experiment], met, names)]


def shared_units(found: Disturbances) -> list[SharedUnits]:
    """The experiments that had units of this one, those with the most first."""
    tested = {met.experiment: sum(sum(cut.units.values()) for cut in met.cells.values()) for met in found.met}
    units = {**tested, **found.others}
    return [
        SharedUnits(experiment=key, units=units[key], is_tested=key in tested)
        for key in sorted(units, key=lambda key: (key not in tested, -units[key], key))
    ]


def alarms(trends: Sequence[Novelty], changes: Sequence[Interaction]) -> list[str]:
    """The sentences of those whose interval excludes 0."""
    ringing = [each.sentence for each in trends if each.finding in {"fades", "grows"}]
    return [*ringing, *(each.sentence for each in changes if each.finding == "differs")]


def _goals(plan: Plan) -> list[MetricPlan]:
    return [metric for metric in plan.metrics if role_of(metric, plan) is Role.GOAL]


def _novelty(plan: Plan, metric: MetricPlan, arm: str, ages: Ages, alpha: float, names: Names) -> Novelty:
    control, treatment = (ages.moments[metric.key][key] for key in (plan.control, arm))
    aging = Aging(ages.days, control, treatment, is_ratio=metric.kind is Kind.RATIO)
    found = trend(aging, alpha=alpha, minimum_units=plan.reading.minimum_units)
    interval = found.interval
    return Novelty(
        metric=metric.key,
        arm=arm,
        days_per_period=ages.days,
        control_units=int(control.n),
        arm_units=int(treatment.n),
        effects=list(_effects(found, ages.days)),
        slope=None if interval is None else compare.number(interval.value),
        low=None if interval is None else compare.number(interval.lower),
        high=None if interval is None else compare.number(interval.upper),
        level=1 - alpha,
        p_value=None if interval is None else compare.number(interval.p_value),
        finding=found.finding,
        sentence=_trend_sentence(found, metric, called(arm, names), ages),
        problem=found.problem,
    )


def _effects(found: Trend, days: int) -> Iterator[AgeEffect]:
    for at, (lift, error) in enumerate(found.lifts):
        yield AgeEffect(
            from_day=at * days,
            to_day=(at + 1) * days - 1,
            lift=compare.number(lift),
            standard_error=compare.number(error),
        )


def _trend_sentence(found: Trend, metric: MetricPlan, arm: str, ages: Ages) -> str:
    over = f"over the first {ages.days * ages.periods} days of a unit"
    name = f"The lift of {metric.name} in {arm}"
    interval = found.interval
    if interval is None:
        return f"Whether {_lowered(name)} changes {over} cannot be said: {found.problem}."
    ends = f"{_share(interval.value)} a day, {_share(interval.lower)} to {_share(interval.upper)}"
    match found.finding:
        case "fades":
            return (
                f"{name} fades {over} ({ends}): a novelty that wears off, so the average so far overstates "
                "what stays."
            )
        case "grows":
            return f"{name} grows {over} ({ends}): units learn, so the average so far understates what stays."
        case _:
            return f"{name} does not change {over} by more than chance explains ({ends})."


def _interactions(plan: Plan, other: Overlapping, met: Met, names: Names) -> Iterator[Interaction]:
    goals, arms = _goals(plan), [arm.key for arm in plan.arms if arm.key != plan.control]
    # By the most experiments that are ever tested at a time, so that one more does not change the others.
    alpha = DISTURBANCE_ALPHA / max(MOST_MET * len(goals) * len(arms) * len(other.arms), 1)
    for metric in goals:
        for arm in arms:
            for other_arm in other.arms:
                yield _interaction(plan, metric, arm, other, other_arm, met, alpha, names)


def _interaction(
    plan: Plan,
    metric: MetricPlan,
    arm: str,
    other: Overlapping,
    other_arm: str,
    met: Met,
    alpha: float,
    names: Names,
) -> Interaction:
    places = [(here, there) for here in (plan.control, arm) for there in (other.control, other_arm)]
    cuts = [met.cells.get(there, Cut({})) for _, there in places]
    means = [
        compare.arm_mean(metric.kind, evidence_of(metric, here, cut, ()))
        for (here, _), cut in zip(places, cuts, strict=True)
    ]
    units = [cut.units.get(here, 0) for (here, _), cut in zip(places, cuts, strict=True)]
    crossed = Crossed(_crossed(means), np.array(units, dtype=np.float64).reshape(2, 2))
    found = change(crossed, alpha=alpha, minimum_units=plan.reading.minimum_units)
    interval = found.interval
    return Interaction(
        experiment=other.key,
        other_arm=other_arm,
        metric=metric.key,
        arm=arm,
        cells=[
            Cell(arm=here, other_arm=there, units=count, value=compare.number(mean.value))
            for (here, there), mean, count in zip(places, means, units, strict=True)
        ],
        change=None if interval is None else compare.number(interval.value),
        low=None if interval is None else compare.number(interval.lower),
        high=None if interval is None else compare.number(interval.upper),
        level=1 - alpha,
        p_value=None if interval is None else compare.number(interval.p_value),
        finding=found.finding,
        sentence=_change_sentence(found, metric, called(arm, names), other.key, other_arm),
        problem=found.problem,
    )


def _crossed(means: Sequence[ArmMean]) -> ArmMean:
    def square(values: Sequence[object]) -> np.ndarray:
        return np.array([np.asarray(value) for value in values]).reshape(2, 2)

    return ArmMean(
        value=square([mean.value for mean in means]),
        squared_error=square([mean.squared_error for mean in means]),
        own_error=square([mean.own_error for mean in means]),
        degrees_of_freedom=square([mean.degrees_of_freedom for mean in means]),
        codes=square([mean.codes for mean in means]),
    )


def _change_sentence(found: Change, metric: MetricPlan, arm: str, other: str, other_arm: str) -> str:
    where = f"with arm {other_arm} of {other}"
    interval = found.interval
    if interval is None:
        what = f"the effect of {arm} on {metric.name} differs {where}"
        return f"Whether {what} cannot be said: {found.problem}."
    unit = " points" if metric.kind.is_share else ""
    shown = [
        signed(float(end), is_share=metric.kind.is_share)
        for end in (interval.value, interval.lower, interval.upper)
    ]
    if found.finding == "differs":
        return (
            f"The effect of {arm} on {metric.name} differs {where}, which runs on the same units, by "
            f"{shown[0]}{unit} ({shown[1]} to {shown[2]}): "
            f"read it per arm of {other}, or run the two one after the other."
        )
    return (
        f"The effect of {arm} on {metric.name} differs {where} by no more than chance explains "
        f"({shown[0]}{unit}, {shown[1]} to {shown[2]})."
    )


def _share(value: float | np.ndarray) -> str:
    found = float(value)
    return f"{'−' if found < 0 else '+'}{percent(abs(found))}"


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]
