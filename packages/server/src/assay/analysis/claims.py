"""The result document with what may be claimed from it: intervals by the plan, decisions, alarms."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, assert_never

import numpy as np

from assay.analysis import compare, disturbed, judgement, watched, watching
from assay.analysis.asking import Asked, questions, role_of
from assay.analysis.batched import alone
from assay.analysis.collected import Arrivals, Collected, Disturbances
from assay.analysis.conclude import conclude
from assay.analysis.decision_words import NAMELESS, Names, called, described
from assay.analysis.doctor import Diagnosis as Diagnosed
from assay.analysis.doctor import Traffic, diagnose
from assay.analysis.document import (
    Belief,
    Claim,
    Comparison,
    Decided,
    Diagnosis,
    Document,
    Estimate,
    LikelyCause,
    Look,
    MetricResult,
    Read,
    RingingSegment,
    Unbiased,
)
from assay.analysis.inference import Inference, infer
from assay.analysis.judgement import Split
from assay.analysis.methods import (
    AlwaysValid,
    Bayesian,
    Finding,
    Fixed,
    GroupSequential,
    Method,
    Reading,
    Role,
)
from assay.analysis.plan import Batching, Plan
from assay.analysis.segmenting import heterogeneity, uncut
from assay.analysis.viewing import view
from assay_stats.bayesian import BayesianEstimate
from assay_stats.frequentist import delta_lift
from assay_stats.results import Interval

MethodName = Literal["fixed", "group_sequential", "always_valid", "bayesian"]
MOST_CAUSES = 5
NOTHING = Disturbances()
WORDS = {
    Finding.BETTER: "Better",
    Finding.WORSE: "Worse",
    Finding.WITHIN_MARGIN: "Within its margin",
    Finding.OPEN: "Not settled",
    Finding.EARLY: "Too early to say",
    Finding.UNKNOWN: "Unknown",
}


def concluded(
    plan: Plan,
    collected: Collected,
    *,
    traffic: Traffic | None = None,
    disturbances: Disturbances = NOTHING,
    arrivals: Arrivals | None = None,
    names: Names = NAMELESS,
) -> Document:
    """The result document of a plan, with its claims.

    Args:
        traffic: New units over time, where there is a calendar; the doctor of the split looks at them.
        names: What sentences call the arms.
    """
    document = conclude(plan, collected)
    asked = questions(plan, collected)
    answers = infer([one.question for one in asked], plan.reading)
    diagnosis = None if traffic is None else diagnose(traffic, arm_names=names)
    split = _split(document, diagnosis, plan.reading)
    harms = _harms(asked, plan, collected, names)
    trends, changes = (
        disturbed.novelty(plan, disturbances, names),
        disturbed.interactions(plan, disturbances, names),
    )
    known = {
        (one.question.metric, one.question.arm): (one, answer)
        for one, answer in zip(asked, answers, strict=True)
    }
    return document.model_copy(
        update={
            "arms": [arm.model_copy(update={"name": names.get(arm.arm)}) for arm in document.arms],
            "metrics": [_with_claims(metric, known, plan) for metric in document.metrics],
            "read": _read(plan.reading),
            "sample_ratio": document.sample_ratio.model_copy(update={"suspicious": split.is_suspicious}),
            "decisions": _decisions(plan, answers, split, names),
            "alarms": [*_alarms(document, harms), *disturbed.alarms(trends, changes)],
            "halts": harms if diagnosis is None else [*_mismatch(diagnosis), *harms],
            "diagnosis": None if diagnosis is None else _diagnosis(diagnosis, plan),
            "exposures": [] if traffic is None else watched.exposures(traffic),
            "heterogeneity": heterogeneity(plan, collected, names),
            "uncut": uncut(
                plan, collected.segments, carried=None if traffic is None else list(traffic.segments)
            ),
            "novelty": trends,
            "interactions": changes,
            "shared_units": disturbed.shared_units(disturbances),
            "disturbances_failure": disturbances.failure,
            "arrivals": None if arrivals is None else watched.arrivals(arrivals, plan),
            "exploration": list(plan.exploration),
            "until": plan.until,
        }
    )


def method_name(method: Method) -> MethodName:
    """A method as documents call it."""
    match method:
        case Fixed():
            return "fixed"
        case GroupSequential():
            return "group_sequential"
        case AlwaysValid():
            return "always_valid"
        case Bayesian():
            return "bayesian"
        case _:
            assert_never(method)


def _read(reading: Reading) -> Read:
    return Read(
        method=method_name(reading.method),
        alpha=reading.alpha,
        correction=reading.correction,
        is_final=reading.is_final,
    )


def _split(document: Document, diagnosis: Diagnosed | None, reading: Reading) -> Split:
    """The fixed test once, at the end; before, the one that may be read every hour."""
    ratio = document.sample_ratio
    misplaced = sum(arm.units for arm in document.arms if arm.weight == 0)
    if reading.is_final or diagnosis is None:
        problem = None if ratio.undefined is None else ratio.undefined.sentence
        return Split(ratio.p_value, problem, misplaced)
    return Split(diagnosis.p_value, None, misplaced)


def _decisions(plan: Plan, answers: Sequence[Inference], split: Split, names: Names) -> list[Decided]:
    decided: list[Decided] = []
    for arm in plan.arms:
        own = [answer for answer in answers if answer.question.arm == arm.key]
        if own:
            found = judgement.judge(own, split, plan.reading, control=plan.control, names=names)
            verdict = None if found.verdict is None else found.verdict.value
            decided.append(Decided(arm=arm.key, verdict=verdict, sentence=found.sentence))
    return decided


def _alarms(document: Document, harms: Sequence[str]) -> list[str]:
    units = sum(arm.units for arm in document.arms)
    double = watching.double_exposure(document.excluded.in_several_arms, units)
    return [*harms, *([] if double is None else [double])]


def _harms(asked: Sequence[Asked], plan: Plan, collected: Collected, names: Names) -> list[str]:
    if plan.batching is None:
        rails = watching.guardrail_alarms([one.question for one in asked], plan.reading)
    else:
        rails = _rails_of_batches(plan, plan.batching, collected)
    return [
        f"Guardrail {described(one)} has got worse in {called(one.question.arm, names)}, by an interval that "
        "holds whenever it is read."
        for one in rails
    ]


def _rails_of_batches(plan: Plan, batching: Batching, collected: Collected) -> list[Inference]:
    """Each batch by itself, as its split was fixed; the error rate is spent along them, however many come."""
    guarding = plan.of(tuple(metric for metric in plan.metrics if role_of(metric, plan) is Role.GUARDRAIL))
    return [
        alarm
        for place in range(len(batching.batches))
        for alarm in watching.guardrail_alarms(
            [one.question for one in questions(guarding, alone(collected, place))],
            plan.reading,
            alpha=watching.ALARM_ALPHA * watching.spent_on(place),
        )
    ]


def _mismatch(found: Diagnosed) -> list[str]:
    if found.alarm_at is None:
        return []
    cause = f" Most likely: {found.causes[0].sentence}" if found.causes else ""
    sentence = (
        f"The units are not split as the weights say since {found.alarm_at:%Y-%m-%d %H:%M} UTC, by a test "
        f"that holds whenever it is read.{cause}"
    )
    return [sentence]


Known = Mapping[tuple[str, str], tuple[Asked, Inference]]


def _with_claims(metric: MetricResult, known: Known, plan: Plan) -> MetricResult:
    comparisons = [
        _with_claim(each, *known[metric.metric, each.arm], plan)
        if (metric.metric, each.arm) in known
        else each
        for each in metric.comparisons
    ]
    return metric.model_copy(update={"comparisons": comparisons})


def _with_claim(comparison: Comparison, asked: Asked, answer: Inference, plan: Plan) -> Comparison:
    margin = comparison.margin
    is_within = _is_within(answer)
    return comparison.model_copy(
        update={
            "claim": _claim(asked, answer, plan),
            "view": None if plan.view is None else view(asked.question, plan.view, plan.reading),
            # A band that holds at all looks together is known for one split only.
            "looks": comparison.looks
            if plan.batching is not None
            else _with_bands(comparison.looks, asked, plan.reading),
            "margin": None if margin is None else margin.model_copy(update={"is_within": is_within}),
        }
    )


def _claim(asked: Asked, answer: Inference, plan: Plan) -> Claim:
    interval = answer.interval
    left = (
        watching.DaysLeft(None, None)
        if asked.units_per_day is None or plan.reading.is_final
        else watching.days_left(
            asked.question, plan.reading, units_per_day=asked.units_per_day, power=plan.power
        )
    )
    return Claim(
        role=asked.question.role,
        method=method_name(plan.reading.method),
        basis="adjusted" if asked.is_adjusted else "plain",
        finding=answer.finding,
        sentence=_sentence(answer),
        estimate=None if interval is None else _number(interval.value),
        low=None if interval is None else _number(interval.lower),
        high=None if interval is None else _number(interval.upper),
        lift=_claimed_lift(answer),
        level=1 - answer.alpha,
        p_value=answer.p_value,
        adjusted_p_value=answer.adjusted_p_value,
        day=None if answer.look is None or answer.look.at is None else _last_day(answer.look.at),
        is_settled=answer.has_crossed,
        within_margin=_is_within(answer),
        unbiased=_unbiased(answer),
        belief=_belief(answer),
        doubt=watching.doubt(answer, _lift(answer)),
        days_to_plan=left.to_plan,
        days_to_power=left.to_power,
        is_exploratory=asked.metric.is_exploratory or bool(plan.exploration),
    )


def _sentence(answer: Inference) -> str:
    word = WORDS[answer.finding]
    if answer.finding is Finding.UNKNOWN and answer.reason is not None:
        return f"{word}: {answer.reason.sentence}."
    if answer.interval is None:
        return f"{word}."
    return f"{word}: {described(answer)}."


def _is_within(answer: Inference) -> bool | None:
    if answer.reserve is None or answer.reserve.reason is not None:
        return None
    return bool(answer.reserve.lower > 0)


def _unbiased(answer: Inference) -> Unbiased | None:
    found = answer.unbiased
    if found is None:
        return None
    return Unbiased(estimate=_number(found.value), low=_number(found.lower), high=_number(found.upper))


def _belief(answer: Inference) -> Belief | None:
    if not isinstance(answer.interval, BayesianEstimate):
        return None
    found = answer.interval.as_benefit(answer.question.direction)
    return Belief(
        chance_to_beat=_number(found.chance_to_beat),
        loss_if_shipped=_number(found.loss_if_shipped),
        loss_if_kept=_number(found.loss_if_kept),
    )


def _claimed_lift(answer: Inference) -> Estimate | None:
    """As many standard errors of the lift as the interval has of the difference."""
    interval, look, lift = answer.interval, answer.look, _lift(answer)
    if interval is None or look is None or lift is None:
        return None
    if isinstance(interval, BayesianEstimate):
        scale = float(np.abs(look.control.value))
        middle, low, high = (float(end) / scale for end in (interval.value, interval.lower, interval.upper))
        return _estimate(lift, middle, low, high)
    if interval.method not in {"group_sequential", "confidence_sequence"}:
        return compare.estimate(lift)
    half_widths = float((interval.upper - interval.value) / look.normal(0.95).standard_error)
    reach = half_widths * float(lift.standard_error)
    return _estimate(lift, float(lift.value), float(lift.value) - reach, float(lift.value) + reach)


def _estimate(lift: Interval, value: float, low: float, high: float) -> Estimate:
    if lift.reason is not None:
        return compare.estimate(lift)
    return Estimate(
        method=lift.method, estimate=_number(value), low=_number(low), high=_number(high), undefined=None
    )


def _lift(answer: Inference) -> Interval | None:
    if answer.look is None:
        return None
    look = answer.look
    return delta_lift(look.control, look.treatment, covariance=look.covariance, level=1 - answer.alpha)


def _with_bands(looks: Sequence[Look], asked: Asked, reading: Reading) -> list[Look]:
    points = {point.at: point for point in watching.course(asked.question, reading)}
    by_day = {_last_day(at): point for at, point in points.items() if at is not None}
    return [
        look.model_copy(update={"low": by_day[look.day].low, "high": by_day[look.day].high})
        if look.day in by_day
        else look
        for look in looks
    ]


def _diagnosis(found: Diagnosed, plan: Plan) -> Diagnosis:
    arms = [arm.key for arm in plan.arms]
    return Diagnosis(
        p_value=found.p_value,
        alarm_at=found.alarm_at,
        segments=[
            RingingSegment(
                dimension=each.dimension,
                value=each.value,
                units=dict(zip(arms, each.units, strict=True)),
                p_value=each.p_value,
            )
            for each in found.segments
        ],
        causes=[
            LikelyCause(
                kind=each.kind,
                dimension=each.dimension,
                value=each.value,
                since=each.since,
                until=each.until,
                arm=each.arm,
                probability=each.probability,
                sentence=each.sentence,
            )
            for each in found.causes[:MOST_CAUSES]
        ],
    )


def _last_day(end: datetime) -> date:
    """The day that a look ends with; it ends at midnight."""
    return (end - timedelta(microseconds=1)).date()


def _number(value: np.ndarray | float) -> float | None:
    found = float(value)
    return found if np.isfinite(found) else None
