"""Whether effects differ between segments: one test per dimension, goal and arm, and estimates that shrink.

Many cuts find something by chance alone. So each dimension is asked one question (Cochran's Q), the answers
are corrected together, and what a segment is believed to do is drawn towards the mean of all (DerSimonian
and Laird). No segment has a claim of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.analysis import compare
from assay.analysis.asking import role_of
from assay.analysis.collected import MISSING, Collected, Segment, SegmentKind, kind_of, value_of
from assay.analysis.conclude import evidence_of
from assay.analysis.decision_words import NAMELESS, Names, called, signed
from assay.analysis.differing import Heterogeneity, SegmentEffect
from assay.analysis.methods import Role
from assay.analysis.plan import MetricPlan, Plan
from assay.shared.numbers import probability
from assay_stats.adjustment import pair_difference
from assay_stats.frequentist import difference
from assay_stats.heterogeneity import Heterogeneity as Scattered
from assay_stats.heterogeneity import segment_heterogeneity
from assay_stats.multiplicity import holm
from assay_stats.results import Estimate

Basis = Literal["plain", "adjusted"]


FEWEST_SEGMENTS = 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: is the effect of an arm on a goal the same in all segments of a dimension?"""

    dimension: str
    metric: MetricPlan
    arm: str
    basis: Basis
    segments: Sequence[Segment]
    effects: Sequence[Estimate]
    scattered: Scattered


def heterogeneity(plan: Plan, collected: Collected, names: Names = NAMELESS) -> list[Heterogeneity]:
    """The answers for every dimension, goal and arm that is not the control.

    Args:
        names: What sentences call the arms.
    """
    asked = [
        _asked(plan, metric, arm.key, dimension.key, collected.segments)
        for dimension in plan.segments
        for metric in plan.metrics
        if role_of(metric, plan) is Role.GOAL and metric.key not in collected.failures
        for arm in plan.arms
        if arm.key != plan.control
    ]
    adjusted = holm([float(each.scattered.p_value) for each in asked])
    return [_answer(plan, each, float(p_value), names) for each, p_value in zip(asked, adjusted, strict=True)]


def uncut(plan: Plan, segments: Sequence[Segment], *, carried: Sequence[str] | None) -> list[str]:
    """A sentence for every dimension of which no unit has a value.

    Args:
        carried: The properties that exposures do carry; None where they come from a table without events.
    """
    return [
        f"No unit has a value of {each.key!r}, so the result cannot be cut by it{_instead(carried)}."
        for each in plan.segments
        if _is_empty(each.key, segments)
    ]


def _is_empty(dimension: str, segments: Sequence[Segment]) -> bool:
    return {each.label for each in segments if each.dimension == dimension} == {MISSING}


def _instead(carried: Sequence[str] | None) -> str:
    if carried is None:
        return ""
    return f"; exposures carry {', '.join(carried)}" if carried else "; exposures carry no properties"


def _asked(plan: Plan, metric: MetricPlan, arm: str, dimension: str, segments: Sequence[Segment]) -> _Asked:
    own = [segment for segment in segments if segment.dimension == dimension]
    found = [_effect(plan, metric, arm, segment) for segment in own]
    effects = [each for each, _ in found]
    large = [_is_large(plan, arm, segment) for segment in own]
    values = np.array([float(each.value) for each in effects])
    errors = np.array([float(each.standard_error) for each in effects])
    scattered = segment_heterogeneity(
        np.where(large, values, np.nan) if own else [np.nan],
        np.where(large, errors**2, np.nan) if own else [np.nan],
        level=1 - plan.alpha,
    )
    is_adjusted = any(basis == "adjusted" for _, basis in found)
    return _Asked(dimension, metric, arm, "adjusted" if is_adjusted else "plain", own, effects, scattered)


def _effect(plan: Plan, metric: MetricPlan, arm: str, segment: Segment) -> tuple[Estimate, Basis]:
    control, treatment = (evidence_of(metric, key, segment.cut, ()) for key in (plan.control, arm))
    pair = compare.adjusted_pair(metric, control, treatment)
    level = 1 - plan.alpha
    if pair is not None:
        return pair_difference(pair[1], level=level), "adjusted"
    base, other, covariance = compare.arm_means(metric.kind, control, treatment)
    return difference(base, other, covariance=covariance, level=level), "plain"


def _is_large(plan: Plan, arm: str, segment: Segment) -> bool:
    smaller = min(segment.cut.units.get(key, 0) for key in (plan.control, arm))
    return smaller >= plan.reading.minimum_units


def _answer(plan: Plan, asked: _Asked, adjusted: float, names: Names) -> Heterogeneity:
    scattered = asked.scattered
    differs = bool(adjusted < plan.alpha)
    finding: Literal["differs", "chance", "unknown"] = (
        "unknown" if scattered.reason is not None else "differs" if differs else "chance"
    )
    return Heterogeneity(
        dimension=asked.dimension,
        metric=asked.metric.key,
        arm=asked.arm,
        basis=asked.basis,
        segments=[_segment(plan, asked, at) for at in range(len(asked.segments))],
        statistic=compare.number(scattered.statistic),
        degrees_of_freedom=compare.number(scattered.degrees_of_freedom),
        p_value=compare.number(scattered.p_value),
        adjusted_p_value=compare.number(adjusted),
        finding=finding,
        sentence=_sentence(plan, asked, finding, adjusted, names),
        problem=None if scattered.reason is None else _problem(plan, asked),
    )


def _segment(plan: Plan, asked: _Asked, at: int) -> SegmentEffect:
    segment, effect, scattered = asked.segments[at], asked.effects[at], asked.scattered
    return SegmentEffect(
        kind=kind_of(segment.label),
        value=value_of(segment.label),
        control_units=segment.cut.units.get(plan.control, 0),
        arm_units=segment.cut.units.get(asked.arm, 0),
        estimate=compare.number(effect.value),
        low=compare.number(effect.lower),
        high=compare.number(effect.upper),
        shrunken=compare.number(scattered.shrunk[at]),
        shrunken_low=compare.number(scattered.shrunk_lower[at]),
        shrunken_high=compare.number(scattered.shrunk_upper[at]),
    )


def _sentence(plan: Plan, asked: _Asked, finding: str, adjusted: float, names: Names) -> str:
    what = f"The effect of {called(asked.arm, names)} on {asked.metric.name}"
    if finding == "unknown":
        return (
            f"Whether {what[0].lower()}{what[1:]} differs by {asked.dimension} cannot be said: "
            f"{_problem(plan, asked)}."
        )
    p_value = f"p = {probability(adjusted)}"
    if finding == "chance":
        return f"{what} does not differ by {asked.dimension} more than by chance ({p_value})."
    least, most = _extremes(asked)
    return f"{what} differs by {asked.dimension} ({p_value}): least in {least}, most in {most}."


def _problem(plan: Plan, asked: _Asked) -> str:
    large = [at for at, segment in enumerate(asked.segments) if _is_large(plan, asked.arm, segment)]
    reasons = [asked.effects[at].reason for at in large]
    unclear = next((reason for reason in reasons if reason is not None), None)
    if _is_empty(asked.dimension, asked.segments):
        return "no unit has a value of it"
    if len(large) < FEWEST_SEGMENTS or unclear is None:
        return f"fewer than two segments have {plan.reading.minimum_units} units in both arms"
    return unclear.sentence


def _extremes(asked: _Asked) -> tuple[str, str]:
    shrunk = asked.scattered.shrunk
    return _named(asked, int(np.nanargmin(shrunk))), _named(asked, int(np.nanargmax(shrunk)))


def _named(asked: _Asked, at: int) -> str:
    label = asked.segments[at].label
    name = value_of(label) or NAMES[kind_of(label)]
    is_share = asked.metric.kind.is_share
    unit = " points" if is_share else ""
    return f"{name} ({signed(float(asked.scattered.shrunk[at]), is_share=is_share)}{unit})"


NAMES: Mapping[SegmentKind, str] = {"other": "all other values", "missing": "units without a value"}
