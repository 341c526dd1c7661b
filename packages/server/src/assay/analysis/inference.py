"""From looks to claims: one interval per comparison, chosen by the plan, from which every word follows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.analysis.corrections import Corrected, corrected, strictest_alpha
from assay.analysis.findings import finding
from assay.analysis.methods import Correction, Finding, Margin, Reading, Role
from assay.analysis.readers import BayesianReader, GroupSequentialReader, Look, Reader, reader
from assay_stats.estimands import ArmMean
from assay_stats.results import Direction, Estimate, Interval
from assay_stats.sequential import GroupSequentialPlan, StagewiseEstimate, stagewise_estimate
from assay_stats.undefined import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one metric in one arm.

    Attributes:
        name: What people call the metric.
        looks: In order of time.
        is_share: Whether the metric is a share of units, whose differences are read in points.
        margin: Of a guardrail; without one it only must not have got worse.
        smallest_lift: The smallest relative effect worth finding, positive.
        planned_units: Units of these two arms at the planned end, where the reading's is not theirs.
    """

    metric: str
    name: str
    arm: str
    looks: Sequence[Look]
    role: Role = Role.SECONDARY
    direction: Direction = Direction.HIGHER_IS_BETTER
    is_share: bool = False
    margin: Margin | None = None
    smallest_lift: float | None = None
    planned_units: float | None = None

    def read_by(self, reading: Reading) -> Reading:
        """The reading with the size that was planned for these arms."""
        return reading if self.planned_units is None else replace(reading, planned_units=self.planned_units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """The answer to a question.

    Attributes:
        plain: The latest look as a fixed test reads it at the plan's alpha, whatever the method; no claim.
        interval: The one interval: treatment minus control at error rate `alpha`. None before the method
            allows one.
        alpha: Error rate of the interval, after correction.
        look: Where the interval belongs: the latest look, or the latest that crossed a boundary.
        has_crossed: Whether the method has found something at that look.
        p_value: Valid at this look; None where the method has none.
        adjusted_p_value: To be compared with the plan's alpha.
        reserve: Benefit plus margin, by the same method at the same look; of guardrails with a margin.
        unbiased: What a group-sequential design that has ended estimates, without the optimism of stopping.
        finding: What the interval says.
        reason: Why the interval is undefined.
    """

    question: Question
    plain: Estimate | None
    interval: Interval | None
    alpha: float
    look: Look | None
    has_crossed: bool
    p_value: float | None
    adjusted_p_value: float | None
    reserve: Interval | None
    unbiased: StagewiseEstimate | None
    finding: Finding
    reason: Reason | None


def infer(questions: Sequence[Question], reading: Reading) -> list[Inference]:
    """The answers to all questions of an experiment, in their order.

    Goals share alpha among themselves by the plan's correction, and so do secondary metrics; guardrails must
    all pass, so each is judged at alpha itself.
    """
    answers: dict[int, Inference] = {}
    for role in Role:
        places = [place for place, question in enumerate(questions) if question.role is role]
        family = _family([questions[place] for place in places], reading, _correction(role, reading))
        answers.update(zip(places, family, strict=True))
    return [answers[place] for place in range(len(questions))]


def _correction(role: Role, reading: Reading) -> Correction:
    return Correction.NONE if role is Role.GUARDRAIL else reading.correction


@dataclass(frozen=True, slots=True)
class _Official:
    """The look of a reader that counts, with its p-value; NaN where there is none."""

    reader: Reader
    look: int | None
    p_value: float


def _family(questions: Sequence[Question], reading: Reading, correction: Correction) -> list[Inference]:
    strictest = strictest_alpha(len(questions), alpha=reading.alpha, correction=correction)
    readers = [reader(question.looks, question.read_by(reading)) for question in questions]
    officials = [_official(read, strictest) for read in readers]
    levels = _levels([official.p_value for official in officials], reading.alpha, correction)
    return [
        _answer(question, official, reading, adjusted, alpha)
        for question, official, adjusted, alpha in zip(
            questions, officials, levels.p_values, levels.alphas, strict=True
        )
    ]


def _levels(p_values: Sequence[float], alpha: float, correction: Correction) -> Corrected:
    # A Bayesian reading has no p-value to correct; its prior is what holds many comparisons back.
    has_p = bool(np.isfinite(p_values).any())
    return corrected(p_values, alpha=alpha, correction=correction if has_p else Correction.NONE)


def _official(read: Reader, alpha: float) -> _Official:
    """The latest look that crossed, else the latest; a boundary once crossed stays crossed."""
    if not read.looks:
        return _Official(read, None, np.nan)
    crossed = [place for place, has_crossed in enumerate(read.crossings(alpha)) if has_crossed]
    look = crossed[-1] if crossed else len(read.looks) - 1
    p_value = read.p_value(look)
    return _Official(read, look, np.nan if p_value is None else p_value)


def _answer(
    question: Question, official: _Official, reading: Reading, adjusted: float, alpha: float
) -> Inference:
    latest = question.looks[-1].plain(1 - reading.alpha) if question.looks else None
    interval = _interval(official, alpha, latest)
    reserve = None if interval is None else _reserve(question, official, interval, alpha)
    found = finding(interval, question.direction, reserve=reserve)
    return Inference(
        question=question,
        plain=latest,
        interval=interval,
        alpha=alpha,
        look=None if official.look is None else official.reader.looks[official.look],
        has_crossed=interval is not None and _excludes_zero(interval),
        p_value=_known(official.p_value),
        adjusted_p_value=_known(adjusted),
        reserve=reserve,
        unbiased=_unbiased(official, reading, alpha),
        finding=found,
        reason=None if interval is None else interval.reason,
    )


def _interval(official: _Official, alpha: float, latest: Estimate | None) -> Interval | None:
    """None is "not yet"; what can never be computed from these data is the undefined estimate."""
    if official.look is not None:
        return official.reader.interval(official.look, alpha)
    return latest if latest is not None and latest.reason is not None else None


def _reserve(question: Question, official: _Official, interval: Interval, alpha: float) -> Interval | None:
    """The benefit, raised by what may be lost; for a share of the control's mean, whose error then enters."""
    margin, read = question.margin, official.reader
    if margin is None or question.role is not Role.GUARDRAIL or official.look is None:
        return None
    if margin.is_relative and not isinstance(read, BayesianReader):
        lowered = tuple(_with_lowered_control(look, margin, question.direction) for look in read.looks)
        return _as_benefit(replace(read, looks=lowered).interval(official.look, alpha), question.direction)
    scale = np.abs(read.looks[official.look].control.value) if margin.is_relative else 1.0
    return _raised(_as_benefit(interval, question.direction), margin.size * float(scale))


def _with_lowered_control(look: Look, margin: Margin, direction: Direction) -> Look:
    """The control as bad as the margin allows: m0 - sign * share * |m0| (Hauschke et al. 1999)."""
    weight = float(1 - direction.sign * margin.size * np.sign(look.control.value))
    lowered = ArmMean(
        look.control.value * weight,
        look.control.squared_error * weight**2,
        look.control.own_error * weight**2,
        look.control.degrees_of_freedom,
        look.control.codes,
    )
    return replace(look, control=lowered, covariance=look.covariance * weight, exact=None)


def _raised(benefit: Interval, margin: float) -> Interval:
    return replace(
        benefit, value=benefit.value + margin, lower=benefit.lower + margin, upper=benefit.upper + margin
    )


def _as_benefit(interval: Interval, direction: Direction) -> Interval:
    if direction is Direction.HIGHER_IS_BETTER:
        return interval
    return replace(interval, value=-interval.value, lower=-interval.upper, upper=-interval.lower)


def _unbiased(official: _Official, reading: Reading, alpha: float) -> StagewiseEstimate | None:
    """Of the look at which the design ended: the first that crossed, else the last one when it is over."""
    read = official.reader
    if not isinstance(read, GroupSequentialReader) or official.look is None:
        return None
    crossed = read.crossings(alpha)
    if not (any(crossed) or reading.is_final):
        return None
    end = crossed.index(True) if any(crossed) else len(crossed) - 1
    now = read.looks[end].normal(1 - alpha)
    return stagewise_estimate(
        now.value,
        now.standard_error,
        plan=GroupSequentialPlan(level=1 - alpha, spending=read.spending),
        fractions=read.fractions[: end + 1],
    )


def _excludes_zero(interval: Interval) -> bool:
    return bool(interval.lower > 0 or interval.upper < 0)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
