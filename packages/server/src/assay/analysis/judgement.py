"""The decision about one arm, from its intervals alone, and the one sentence that says why."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.analysis import decision_words as words
from assay.analysis.decision_words import NAMELESS, Names, called
from assay.analysis.inference import Inference
from assay.analysis.methods import AlwaysValid, Bayesian, Finding, Fixed, GroupSequential, Reading, Role
from assay.shared.numbers import probability
from assay_stats.decision import Findings, Verdict, judged
from assay_stats.undefined import Reason

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


def judge(
    inferences: Sequence[Inference],
    split: Split,
    reading: Reading,
    *,
    control: str,
    names: Names = NAMELESS,
) -> Judgement:
    """The decision about one arm.

    Args:
        inferences: Of this arm, of every role; secondary metrics decide nothing.
        control: The arm that stays where this one is not shipped.
        names: What the sentence calls the arms.
    """
    deciding = [one for one in inferences if one.question.role is not Role.SECONDARY]
    if not deciding:
        return Judgement(None, "No goal and no guardrail is named, so there is nothing to decide by.")
    if not split.is_broken and all(one.finding is Finding.EARLY for one in deciding):
        return Judgement(Verdict.KEEP_GOING, f"Keep going: {_early(reading)}.")
    if split.is_broken or split.problem is not None:
        return Judgement(Verdict.CANNOT_SAY, _distrusting(deciding, split))
    found = _findings(deciding)
    verdict, _ = judged(found, is_final=reading.is_final)
    sentence = _because(verdict, found, deciding, control, names)
    return Judgement(verdict, _with_suspicion(sentence, split))


def _because(
    verdict: Verdict, found: Findings, deciding: Sequence[Inference], control: str, names: Names
) -> str:
    """Why, told by the intervals that the verdict follows from."""
    arm, control = called(deciding[0].question.arm, names), called(control, names)
    match verdict:
        case Verdict.SHIP:
            return words.shipping(deciding, arm=arm)
        case Verdict.DO_NOT_SHIP if found.deteriorated:
            return words.worsened(deciding, arm=arm, control=control)
        case Verdict.DO_NOT_SHIP:
            return words.unproven(deciding, found.unproven, arm=arm, control=control)
        case Verdict.KEEP_GOING:
            return words.going_on(deciding, found.unproven, arm=arm)
        case Verdict.CANNOT_SAY:
            return words.unmeasured(deciding)


def _findings(deciding: Sequence[Inference]) -> Findings:
    goals = [one for one in deciding if one.question.role is Role.GOAL]
    rails = [one for one in deciding if one.question.role is Role.GUARDRAIL]
    return Findings(
        improved=_named(goals, Finding.BETTER),
        unproven=tuple(one.question.name for one in rails if not _is_safe(one)),
        deteriorated=_named(deciding, Finding.WORSE),
        unmeasured=_named(deciding, Finding.UNKNOWN),
        needs_goal=bool(goals),
    )


def _named(inferences: Sequence[Inference], finding: Finding) -> tuple[str, ...]:
    return tuple(one.question.name for one in inferences if one.finding is finding)


def _is_safe(rail: Inference) -> bool:
    """A guardrail without a margin has nothing to prove; it only must not have got worse."""
    if rail.question.margin is None:
        return rail.finding in {Finding.BETTER, Finding.OPEN}
    return rail.reserve is not None and bool(rail.reserve.lower > 0)


def _distrusting(deciding: Sequence[Inference], split: Split) -> str:
    if split.is_broken:
        return (
            f"Cannot say: the units are not split as the weights say (p = {probability(split.p_value)}), "
            "so no number here can be trusted before its cause is found."
        )
    if all(one.reason is Reason.EMPTY_ARM for one in deciding):
        return "Cannot say: an arm has no units yet, so there is nothing to compare."
    return f"Cannot say: whether the units are split as planned is not known, because {split.problem}."


def _early(reading: Reading) -> str:
    match reading.method:
        case Fixed():
            return "the plan is read once, at its end, and an earlier reading would find effects by chance"
        case GroupSequential(looks=looks) if looks:
            return f"the first look is planned at {100 * looks[0]:.4g} % of the planned units"
        case GroupSequential() | AlwaysValid() | Bayesian():
            return f"an arm has fewer than {reading.minimum_units} units, too few for any claim"


def _with_suspicion(sentence: str, split: Split) -> str:
    if not split.is_suspicious:
        return sentence
    found = (
        f"the split of the units is suspicious (p = {probability(split.p_value)})"
        if split.p_value is not None and split.p_value < SUSPICIOUS_SPLIT
        else f"an arm of weight 0 has {split.misplaced:,} unit{'' if split.misplaced == 1 else 's'}"
    )
    return f"{sentence.removesuffix('.')}; but {found}, so find its cause before you trust any number."
