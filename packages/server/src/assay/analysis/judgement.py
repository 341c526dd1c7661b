"""The decision about one arm, from its intervals alone, and the one sentence that says why."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.analysis.inference import Inference
from assay.analysis.methods import AlwaysValid, Bayesian, Finding, Fixed, GroupSequential, Reading, Role
from assay.shared.numbers import number, points, probability
from assay_stats.decision import Findings, Verdict, judged

# Two alarms of the sample ratio: the first asks for a cause, the second takes all numbers back. Platforms
# agree on the second (Eppo, GrowthBook: 0.001; Fabijan et al. 2019: smaller still).
SUSPICIOUS_SPLIT = 0.01
BROKEN_SPLIT = 0.001


@dataclass(frozen=True, slots=True)
class Split:
    """What is known of the sample ratio.

    Attributes:
        p_value: Valid at this moment; None where it cannot be computed.
        problem: Why it cannot be computed.
        misplaced: Units in arms of weight 0.
    """

    p_value: float | None
    problem: str | None = None
    misplaced: int = 0

    @property
    def is_suspicious(self) -> bool:
        """Whether somebody should look for a cause."""
        return self.misplaced > 0 or (self.p_value is not None and self.p_value < SUSPICIOUS_SPLIT)

    @property
    def is_broken(self) -> bool:
        """Whether no number can be trusted."""
        return self.p_value is not None and self.p_value < BROKEN_SPLIT


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do about an arm.

    Attributes:
        verdict: None when the plan names nothing to decide by.
        sentence: Why.
    """

    verdict: Verdict | None
    sentence: str


def judge(inferences: Sequence[Inference], split: Split, reading: Reading) -> Judgement:
    """The decision about one arm.

    Args:
        inferences: Of this arm, of every role; secondary metrics decide nothing.
    """
    deciding = [one for one in inferences if one.question.role is not Role.SECONDARY]
    if not deciding:
        return Judgement(None, "No goal and no guardrail is named, so there is nothing to decide by.")
    if not split.is_broken and all(one.finding is Finding.EARLY for one in deciding):
        return Judgement(Verdict.KEEP_GOING, f"Keep going: {_early(reading)}.")
    verdict, sentence = judged(_findings(deciding, split), is_final=reading.is_final)
    return Judgement(verdict, _with_suspicion(sentence, split))


def described(inference: Inference) -> str:
    """A metric with its estimate and its interval, as a sentence names it."""
    interval, question = inference.interval, inference.question
    if interval is None or interval.reason is not None:
        return question.name
    shown = [
        signed(float(value), is_share=question.is_share)
        for value in (interval.value, interval.lower, interval.upper)
    ]
    unit = " points" if question.is_share else ""
    return f"{question.name} ({shown[0]}{unit}, {shown[1]} to {shown[2]})"


def signed(value: float, *, is_share: bool) -> str:
    """A change with its sign, of a share in points."""
    size = points(abs(value)) if is_share else number(abs(value))
    return f"{'−' if value < 0 else '+'}{size}"


def _findings(deciding: Sequence[Inference], split: Split) -> Findings:
    goals = [one for one in deciding if one.question.role is Role.GOAL]
    rails = [one for one in deciding if one.question.role is Role.GUARDRAIL]
    return Findings(
        improved=tuple(described(one) for one in goals if one.finding is Finding.BETTER),
        unproven=tuple(one.question.name for one in rails if not _is_safe(one)),
        deteriorated=tuple(described(one) for one in deciding if one.finding is Finding.WORSE),
        failed_checks=(f"the sample ratio (p = {probability(split.p_value)})",) if split.is_broken else (),
        unchecked=() if split.problem is None else (f"the sample ratio cannot be checked ({split.problem})",),
        unmeasured=tuple(_unmeasured(one) for one in deciding if one.finding is Finding.UNKNOWN),
        needs_goal=bool(goals),
    )


def _is_safe(rail: Inference) -> bool:
    """A guardrail without a margin has nothing to prove; it only must not have got worse."""
    if rail.question.margin is None:
        return rail.finding in {Finding.BETTER, Finding.OPEN}
    return rail.reserve is not None and bool(rail.reserve.lower > 0)


def _unmeasured(inference: Inference) -> str:
    why = inference.reason.sentence if inference.reason is not None else "it has no interval"
    return f"{inference.question.name} could not be computed ({why})"


def _early(reading: Reading) -> str:
    match reading.method:
        case Fixed():
            return "the plan is read once, at its end, and an earlier reading would find effects by chance"
        case GroupSequential(looks=looks) if looks:
            return f"the first look is planned at {100 * looks[0]:.4g} % of the units"
        case GroupSequential() | AlwaysValid() | Bayesian():
            return f"an arm has fewer than {reading.minimum_units} units, too few for any claim"


def _with_suspicion(sentence: str, split: Split) -> str:
    if split.is_broken or not split.is_suspicious:
        return sentence
    found = (
        f"the sample ratio is suspicious (p = {probability(split.p_value)})"
        if split.p_value is not None and split.p_value < SUSPICIOUS_SPLIT
        else f"{split.misplaced:,} units are in an arm of weight 0"
    )
    return f"{sentence.removesuffix('.')}; {found}, so find its cause before trusting any size."
