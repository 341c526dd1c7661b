"""What a reader may conclude from one interval, and from nothing else."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from assay.analysis.document import Estimate
from assay.web.figures import MINUS, Scale, Writer, plain, signed, writer

Direction = Literal["increase", "decrease"]


class Tone(StrEnum):
    """How a finding is marked: by an icon, a word and a colour together."""

    BETTER = "better"
    WORSE = "worse"
    WITHIN = "within"
    OPEN = "open"
    EARLY = "early"
    UNKNOWN = "unknown"


WORDS = {
    Tone.BETTER: "Better",
    Tone.WORSE: "Worse",
    Tone.WITHIN: "Within its margin",
    Tone.OPEN: "Not settled",
    Tone.EARLY: "Too early",
    Tone.UNKNOWN: "Unknown",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding about one arm against the control."""

    tone: Tone
    sentence: str

    @property
    def word(self) -> str:
        """The finding in a word or two."""
        return WORDS[self.tone]


def verdict(difference: Estimate, *, arm: str, control: str, direction: Direction, scale: Scale) -> Verdict:
    """The finding that the interval of the difference bears; an end on 0 does not exclude it."""
    if difference.undefined is not None:
        return Verdict(Tone.UNKNOWN, f"Cannot be computed, because {difference.undefined.sentence}.")
    if not excludes_zero(difference):
        return Verdict(Tone.OPEN, _open_sentence(difference, arm, control, scale))
    rises = difference.low is not None and difference.low > 0
    tone = Tone.BETTER if rises == (direction == "increase") else Tone.WORSE
    return Verdict(tone, _decided_sentence(difference, arm, scale, rises=rises, tone=tone))


def early() -> Verdict:
    """The finding while the plan allows no reading."""
    return Verdict(
        Tone.EARLY,
        "The plan allows no reading yet; figures read earlier find differences where there are none.",
    )


def within_margin(difference: Estimate, *, arm: str, scale: Scale) -> Verdict:
    """The finding about a guardrail whose loss, if any, is smaller than what is tolerated."""
    write = writer(difference.low, difference.high, scale)
    ends = [
        f"{MINUS}∞" if value is None else signed(value, write, scale)
        for value in (difference.low, difference.high)
    ]
    return Verdict(
        Tone.WITHIN, f"Whatever {arm} changes, from {ends[0]} to {ends[1]}, is better or a tolerable loss."
    )


def excludes_zero(estimate: Estimate) -> bool:
    """Whether 0 lies outside the closed interval."""
    above = estimate.low is not None and estimate.low > 0
    below = estimate.high is not None and estimate.high < 0
    return above or below


def disagreement(difference: Estimate, lift: Estimate) -> str | None:
    """A warning where the lift's interval, by another method, says something else of 0 than the verdict."""
    if difference.undefined is not None or lift.undefined is not None:
        return None
    if excludes_zero(difference) == excludes_zero(lift):
        return None
    says = "excludes" if excludes_zero(lift) else "includes"
    return (
        f"At the edge: the interval of the lift, computed by another method, {says} 0. "
        "The verdict follows the interval of the difference."
    )


def _decided_sentence(difference: Estimate, arm: str, scale: Scale, *, rises: bool, tone: Tone) -> str:
    write = writer(difference.low, difference.high, scale)
    low, middle, high = (
        _size(value, write, scale) for value in (difference.low, difference.estimate, difference.high)
    )
    nearest, farthest = (low, high) if rises else (high, low)
    way = "higher" if rises else "lower"
    return (
        f"The interval excludes 0: {arm} is {way} by {middle}{scale.spelled} ({nearest} to {farthest}), "
        f"and {way} is {tone} here."
    )


def _open_sentence(difference: Estimate, arm: str, control: str, scale: Scale) -> str:
    write = writer(difference.low, difference.high, scale)
    low = f"{MINUS}∞" if difference.low is None else signed(difference.low, write, scale)
    high = "+∞" if difference.high is None else signed(difference.high, write, scale)
    return (
        f"The interval includes 0: the data do not tell {arm} from {control}. "
        f"Anything from {low} to {high} fits them."
    )


def _size(value: float | None, write: Writer, scale: Scale) -> str:
    if value is None:
        return "∞"
    digits = write(value)
    # An end that excludes 0 by a hair must not read as 0.
    return digits if digits.strip("0.,") else plain(abs(value) * scale.factor).text
