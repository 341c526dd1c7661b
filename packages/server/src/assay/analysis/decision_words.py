"""The words of a decision: what to keep or to ship, and the intervals that say so, in one sentence."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from assay.analysis.inference import Inference
from assay.analysis.methods import Finding, Role
from assay.shared.numbers import number, points
from assay_stats.results import Direction

MINUS = "−"
Names = Mapping[str, str]
"""What arms are called, by key; one without a name is called by its key."""
NAMELESS: Names = MappingProxyType({})


def called(arm: str, names: Names) -> str:
    """An arm as sentences and tables call it."""
    return names.get(arm, arm)


def described(inference: Inference) -> str:
    """A metric with its estimate and its interval, as a sentence names it."""
    question = inference.question
    if (ends := _ends(inference)) is None or inference.interval is None:
        return question.name
    middle = signed(float(inference.interval.value), is_share=question.is_share)
    return f"{question.name} ({middle}{_unit(inference)}, {ends})"


def signed(value: float, *, is_share: bool) -> str:
    """A change with its sign, of a share in points."""
    return f"{MINUS if value < 0 else '+'}{_size(value, is_share=is_share)}"


def shipping(deciding: Sequence[Inference], *, arm: str) -> str:
    """Why an arm may be shipped."""
    improved = [_moved(one) for one in deciding if _is(one, Role.GOAL, Finding.BETTER)]
    return f"Ship {arm}: {_listed([*improved, _safe(deciding)])}."


def worsened(deciding: Sequence[Inference], *, arm: str, control: str) -> str:
    """Why the control stays although nothing is missing: something got worse."""
    worse = [_moved(one, wanted=True) for one in deciding if one.finding is Finding.WORSE]
    better = [_moved(one) for one in deciding if _is(one, Role.GOAL, Finding.BETTER)]
    though = f", even though {_listed(better)}" if better else ""
    return f"Keep {control}: {_listed(worse)} with {arm}{though}."


def unproven(deciding: Sequence[Inference], rails: Sequence[str], *, arm: str, control: str) -> str:
    """Why the control stays once all data is in: nothing shows that the arm is better, or safe."""
    goals = [one for one in deciding if one.question.role is Role.GOAL]
    better = [_moved(one) for one in goals if one.finding is Finding.BETTER]
    risk = f"{_listed(rails)} could still be worse than the margin" if rails else ""
    if better:
        return f"Keep {control}: {_listed(better)} with {arm}, but {risk}."
    missing = [*([_not_shown(goals, arm)] if goals else []), *([risk] if risk else [])]
    return f"Keep {control}: with all the data there are, {_listed(missing)}."


def going_on(deciding: Sequence[Inference], rails: Sequence[str], *, arm: str) -> str:
    """Why more data is to be waited for."""
    goals = [one for one in deciding if one.question.role is Role.GOAL]
    lacking = bool(goals) and all(one.finding is not Finding.BETTER for one in goals)
    risk = f"{_listed(rails)} could still be worse than the margin" if rails else ""
    missing = [*([_not_shown(goals, arm)] if lacking else []), *([risk] if risk else [])]
    return f"Keep going: so far {_listed(missing)}."


def unmeasured(deciding: Sequence[Inference]) -> str:
    """Why nothing can be said although the split is sound."""
    found = [_without_number(one) for one in deciding if one.finding is Finding.UNKNOWN]
    return f"Cannot say: {'; '.join(found)}."


def _moved(inference: Inference, *, wanted: bool = False) -> str:
    """A metric and how far it has moved, by its interval.

    Args:
        wanted: Whether to say so where a fall is wanted, since a rise then reads like a gain.
    """
    question, interval = inference.question, inference.interval
    name = f"the guardrail {question.name}" if question.role is Role.GUARDRAIL else question.name
    if wanted and question.direction is Direction.LOWER_IS_BETTER:
        name = f"{name}, where lower is better,"
    if interval is None:
        return name
    value = float(interval.value)
    size = f"{_size(value, is_share=question.is_share)}{_unit(inference)}"
    return f"{name} {'fell' if value < 0 else 'rose'} by {size} ({_ends(inference)})"


def _safe(deciding: Sequence[Inference]) -> str:
    margins = [one.question.margin for one in deciding if one.question.role is Role.GUARDRAIL]
    if any(margin is not None for margin in margins):
        return "no guardrail is worse than its margin"
    return "no guardrail got worse" if margins else "nothing got worse"


def _not_shown(goals: Sequence[Inference], arm: str) -> str:
    if len(goals) > 1:
        return f"none of {len(goals)} goal metrics is shown to be better with {arm}"
    (goal,) = goals
    ends = _ends(goal)
    shown = "" if ends is None else f" ({ends}{_unit(goal)})"
    return f"{goal.question.name} is not shown to be better with {arm}{shown}"


def _without_number(inference: Inference) -> str:
    why = inference.reason.sentence if inference.reason is not None else "it has no interval"
    return f"{inference.question.name} could not be computed, because {why}"


def _is(inference: Inference, role: Role, finding: Finding) -> bool:
    return inference.question.role is role and inference.finding is finding


def _ends(inference: Inference) -> str | None:
    interval, is_share = inference.interval, inference.question.is_share
    if interval is None or interval.reason is not None:
        return None
    low, high = (signed(float(end), is_share=is_share) for end in (interval.lower, interval.upper))
    return f"{low} to {high}"


def _unit(inference: Inference) -> str:
    return " points" if inference.question.is_share else ""


def _size(value: float, *, is_share: bool) -> str:
    if math.isinf(value):
        return "∞"
    return points(abs(value)) if is_share else number(abs(value))


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
