"""One decision from many metrics: goals, guardrails and checks of quality, with the error rates of the whole.

The rule of Schultzberg, Ankargren & Frånberg (2024), "Risk-aware product decisions in A/B tests with
multiple metrics", arXiv:2402.11609: ship when at least one goal is better, every guardrail is not worse than
its margin, nothing deteriorates and the experiment is sound. Only the goals give several chances to win, so
only they share alpha. Guardrails must all pass, so their alpha is not split; each test needs more power.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from assay_stats.checks import checked_level
from assay_stats.results import Estimate
from assay_stats.tails import Alternative
from assay_stats.undefined import Reason


class Verdict(StrEnum):
    """What to do."""

    SHIP = "ship"
    DO_NOT_SHIP = "do_not_ship"
    KEEP_GOING = "keep_going"
    CANNOT_SAY = "cannot_say"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Evidence on a metric that should get better.

    Attributes:
        name: Of the metric.
        better: One-sided p-value of "no better".
        worse: One-sided p-value of "no worse".
        reason: Why there is no evidence; then both p-values are NaN.
    """

    name: str
    better: float
    worse: float
    reason: Reason | None = None

    def __post_init__(self) -> None:
        _check_evidence(self.name, self.reason, better=self.better, worse=self.worse)

    @classmethod
    def from_benefit(cls, name: str, benefit: Estimate) -> "Goal":
        """From a scalar difference against 0 that `Estimate.as_benefit` has turned: positive is better.

        The p-values are those of the estimate itself, sequential ones included. One sequential estimate that
        looked at one side only cannot say both and is refused. Since a goal is tested on one side, the
        interval that agrees with its verdict has level 1 - 2 * alpha / goals: 0.90 for one goal by default.
        """
        return cls(
            name=name,
            better=_one_sided(benefit, Alternative.GREATER),
            worse=_one_sided(benefit, Alternative.LESS),
            reason=benefit.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """Evidence on a metric that must not get worse by more than a margin.

    Attributes:
        name: Of the metric.
        acceptable: One-sided p-value of "worse by the margin or more".
        worse: One-sided p-value of "no worse".
        reason: Why there is no evidence; then both p-values are NaN.
    """

    name: str
    acceptable: float
    worse: float
    reason: Reason | None = None

    def __post_init__(self) -> None:
        _check_evidence(self.name, self.reason, acceptable=self.acceptable, worse=self.worse)

    @classmethod
    def from_benefit(cls, name: str, benefit: Estimate, non_inferiority: Estimate) -> "Guardrail":
        """From the benefit tested against 0 and the result of a function of `margins`."""
        if non_inferiority.alternative is not Alternative.GREATER:
            raise ValueError(
                f"the margin of {name} needs a one-sided test of the benefit, as `non_inferiority` gives; "
                f"got {non_inferiority.method}, {non_inferiority.alternative.value}"
            )
        return cls(
            name=name,
            acceptable=float(non_inferiority.p_value),
            worse=_one_sided(benefit, Alternative.LESS),
            reason=benefit.reason or non_inferiority.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCheck:
    """A test that the experiment itself is sound, such as the sample ratio or a metric before exposure.

    Attributes:
        name: Of the check.
        p_value: Small when the experiment is broken.
        reason: Why it could not be computed; an experiment that cannot be checked is not trusted.
    """

    name: str
    p_value: float
    reason: Reason | None = None

    def __post_init__(self) -> None:
        _check_evidence(self.name, self.reason, p_value=self.p_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Risks:
    """The error rates of the whole decision.

    Attributes:
        alpha: Probability to ship without any goal being better, or with a guardrail beyond its margin.
        deterioration_alpha: Probability to be stopped by a false deterioration, over all metrics.
        quality_alpha: Probability to be stopped by a false alarm of quality, over all checks.
        power: Probability to ship when all is as planned.
    """

    alpha: float = 0.05
    deterioration_alpha: float = 0.01
    quality_alpha: float = 0.01
    power: float = 0.8

    def __post_init__(self) -> None:
        for name in ("alpha", "deterioration_alpha", "quality_alpha", "power"):
            checked_level(getattr(self, name), name=name)

    def per_test_power(self, *, n_guardrails: int) -> float:
        """The power to plan each goal and guardrail test for, so that the decision has `power`.

        By the union bound over the goal, the guardrails, and false alarms of deterioration and of quality.

        Raises:
            ValueError: The alarms alone already exceed the risk of missing a good change.
        """
        left = 1 - self.power - self.deterioration_alpha - self.quality_alpha
        if left <= 0:
            raise ValueError(
                f"alarms at {self.deterioration_alpha} and {self.quality_alpha} leave no room for a power of "
                f"{self.power}; lower one of them"
            )
        return 1 - left / (n_guardrails + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict, the sentence that explains it, and the levels each test was held against.

    Attributes:
        verdict: What to do.
        sentence: Why, in words for people.
        goal_alpha: Level of each goal's test, alpha over the number of goals.
        guardrail_alpha: Level of each guardrail's test, alpha itself.
        deterioration_alpha: Level of each test of deterioration.
        quality_alpha: Level of each quality check.
        improved: Goals that are better.
        unproven: Guardrails not yet shown to be within their margin.
        deteriorated: Metrics that are worse.
        failed_checks: Quality checks that reject.
        unknown: Names without evidence.
    """

    verdict: Verdict
    sentence: str
    goal_alpha: float
    guardrail_alpha: float
    deterioration_alpha: float
    quality_alpha: float
    improved: tuple[str, ...]
    unproven: tuple[str, ...]
    deteriorated: tuple[str, ...]
    failed_checks: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found about every metric and check, however it was found: by p-values or by intervals.

    Attributes:
        improved: Goals that are better.
        unproven: Guardrails not yet shown to be within their margin.
        deteriorated: Metrics that are worse.
        failed_checks: Quality checks that reject.
        unchecked: Quality checks that could not be computed, each with its reason in words.
        unmeasured: Metrics that could not be computed, each with its reason in words.
        needs_goal: Whether a goal has to improve; without goals the guardrails alone are asked.
    """

    improved: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    deteriorated: tuple[str, ...] = ()
    failed_checks: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    needs_goal: bool = True

    @property
    def lacks_goal(self) -> bool:
        """Whether a goal that has to improve has not."""
        return self.needs_goal and not self.improved


def decide(
    goals: Sequence[Goal],
    guardrails: Sequence[Guardrail] = (),
    checks: Sequence[QualityCheck] = (),
    *,
    is_final: bool,
    risks: Risks = Risks(),
) -> Decision:
    """Whether to ship, from one-sided p-values that are valid at this moment.

    A fixed-horizon p-value is valid once, at the planned end; a sequential one at any look.

    Args:
        goals: Metrics of which at least one must be better.
        guardrails: Metrics that must all be within their margins.
        checks: Tests of the experiment's soundness.
        is_final: Whether the planned sample was reached; before, what is unproven may still be shown.
        risks: Error rates of the whole decision.
    Raises:
        ValueError: There is neither a goal nor a guardrail.
    Source: Schultzberg, Ankargren & Frånberg (2024), arXiv:2402.11609; without goals the rule asks the
        guardrails alone.
    """
    metrics = [*goals, *guardrails]
    if not metrics:
        raise ValueError("a decision needs at least one goal or guardrail")
    goal_alpha = risks.alpha / max(len(goals), 1)
    worse_alpha = risks.deterioration_alpha / len(metrics)
    check_alpha = risks.quality_alpha / max(len(checks), 1)
    found = Findings(
        improved=tuple(goal.name for goal in goals if goal.better < goal_alpha),
        unproven=tuple(rail.name for rail in guardrails if not rail.acceptable < risks.alpha),
        deteriorated=tuple(metric.name for metric in metrics if metric.worse < worse_alpha),
        failed_checks=tuple(check.name for check in checks if check.p_value < check_alpha),
        unchecked=tuple(_describe(check) for check in checks if check.reason is not None),
        unmeasured=tuple(_describe(metric) for metric in metrics if metric.reason is not None),
        needs_goal=bool(goals),
    )
    verdict, sentence = judged(found, is_final=is_final)
    return Decision(
        verdict=verdict,
        sentence=sentence,
        goal_alpha=goal_alpha,
        guardrail_alpha=risks.alpha,
        deterioration_alpha=worse_alpha,
        quality_alpha=check_alpha,
        improved=found.improved,
        unproven=found.unproven,
        deteriorated=found.deteriorated,
        failed_checks=found.failed_checks,
        unknown=found.unchecked + found.unmeasured,
    )


def judged(found: Findings, *, is_final: bool) -> tuple[Verdict, str]:
    """What to do about findings, and the sentence that says why.

    What makes the numbers untrustworthy comes before what they say.

    Args:
        found: From p-values, as `decide` collects them, or from intervals.
        is_final: Whether the planned sample was reached; before, what is unproven may still be shown.
    Returns:
        The first verdict that applies, and its sentence.
    Source: The order of `decide`.
    """
    if found.failed_checks or found.unchecked:
        return Verdict.CANNOT_SAY, _distrusting_sentence(found)
    if found.deteriorated:
        return Verdict.DO_NOT_SHIP, f"Do not ship: {_listed(found.deteriorated)} got worse."
    if found.unmeasured:
        return Verdict.CANNOT_SAY, f"Cannot say: {_listed(found.unmeasured)}."
    if not found.lacks_goal and not found.unproven:
        return Verdict.SHIP, _shipping_sentence(found)
    missing = _missing_sentence(found)
    if is_final:
        return Verdict.DO_NOT_SHIP, f"Do not ship: the planned sample is in and {missing}."
    return Verdict.KEEP_GOING, f"Keep going: {missing} so far."


def _distrusting_sentence(found: Findings) -> str:
    if found.failed_checks:
        return f"Cannot say: {_listed(found.failed_checks)} failed, so no number here can be trusted."
    return f"Cannot say: {_listed(found.unchecked)}."


def _shipping_sentence(found: Findings) -> str:
    reason = f"{_listed(found.improved)} improved and " if found.improved else ""
    return f"Ship: {reason}nothing got worse beyond its margin."


def _missing_sentence(found: Findings) -> str:
    parts: list[str] = []
    if found.lacks_goal:
        parts.append("no goal has improved")
    if found.unproven:
        parts.append(f"{_listed(found.unproven)} could still be worse than the margin")
    return " and ".join(parts)


def _describe(one: Goal | Guardrail | QualityCheck) -> str:
    return f"{one.name} could not be computed ({one.reason.sentence if one.reason else ''})"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _check_evidence(name: str, reason: Reason | None, **p_values: float) -> None:
    """A p-value that is missing without a reason would pass for evidence of nothing."""
    for field, p in p_values.items():
        if not (0 <= p <= 1 or (math.isnan(p) and reason is not None)):
            raise ValueError(
                f"{field} of {name} must be a p-value in [0, 1], or NaN with a reason; got {p!r} "
                f"with reason {reason!r}"
            )


def _one_sided(benefit: Estimate, side: Alternative) -> float:
    if benefit.null != 0:
        raise ValueError(
            f"better and worse are judged against 0; this estimate was tested against {benefit.null}"
        )
    return float(benefit.p_value_towards(side))
