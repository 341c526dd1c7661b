"""What a power calculation hands back."""

from dataclasses import dataclass

from assay_stats.results import Result
from assay_stats.undefined import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Power(Result):
    """How likely a finding is.

    Attributes:
        power: Probability, any shape.
        standard_error: Of the estimate at the end.
    """

    power: Floats
    standard_error: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize(Result):
    """Units needed, rounded up.

    Attributes:
        control: Units of control.
        treatment: Units of treatment.
        power: What they achieve, at least the power asked for.
    """

    control: Floats
    treatment: Floats
    power: Floats

    @property
    def total(self) -> Floats:
        """Units of both arms together."""
        return self.control + self.treatment


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectableEffect(Result):
    """The smallest effect that is found with the power asked for.

    Attributes:
        effect: In the unit of the estimate; negative for `Alternative.LESS`.
    """

    effect: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining(Result):
    """What a running experiment still needs.

    Attributes:
        control: Units still to come in control, 0 when there are enough.
        treatment: Units still to come in treatment.
        days: At the pace given; 0 when there are enough.
    """

    control: Floats
    treatment: Floats
    days: Floats


__all__ = ["DetectableEffect", "Power", "Remaining", "SampleSize"]
