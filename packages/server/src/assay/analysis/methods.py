"""How an experiment is read: what its plan fixes before the first look, and what may be found then.

Plain values without any statistics, so that whoever only shows results need not load them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SpendingRule(StrEnum):
    """How a group-sequential design spreads its error rate over information."""

    OBRIEN_FLEMING = "obrien_fleming"
    POCOCK = "pocock"
    POWER = "power"
    HWANG_SHIH_DECANI = "hwang_shih_decani"


@dataclass(frozen=True, slots=True)
class Fixed:
    """One reading, at the planned end."""


@dataclass(frozen=True, slots=True)
class GroupSequential:
    """Looks at shares of the planned units.

    Attributes:
        spending: How the error rate is spread.
        parameter: Exponent of `POWER`, gamma of `HWANG_SHIH_DECANI`; None for the usual one.
        looks: Planned shares of the units, rising to 1; empty makes every look count.
    """

    spending: SpendingRule = SpendingRule.OBRIEN_FLEMING
    parameter: float | None = None
    looks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class AlwaysValid:
    """Looks at any time, with or without a planned end.

    Attributes:
        tuned_for: Units of a comparison's two arms at which its intervals are narrowest; None: the planned
            ones.
    """

    tuned_for: float | None = None


@dataclass(frozen=True, slots=True)
class Bayesian:
    """A normal prior on the lift, a share of the control's mean.

    Attributes:
        prior_mean: Of the lift.
        prior_sd: Of the lift, positive; infinite is flat.
    """

    prior_mean: float = 0.0
    prior_sd: float = float("inf")


Method = Fixed | GroupSequential | AlwaysValid | Bayesian


class Correction(StrEnum):
    """How one error rate is shared by several comparisons of one role."""

    NONE = "none"
    BONFERRONI = "bonferroni"
    HOLM = "holm"
    HOCHBERG = "hochberg"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"


class Role(StrEnum):
    """What a metric is for."""

    GOAL = "goal"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"


class Finding(StrEnum):
    """What may be claimed about an arm against the control."""

    BETTER = "better"
    WORSE = "worse"
    WITHIN_MARGIN = "within_margin"
    OPEN = "open"
    EARLY = "early"
    UNKNOWN = "unknown"


class CauseKind(StrEnum):
    """The usual suspects (Fabijan et al. 2019, KDD, "Diagnosing Sample Ratio Mismatch", section 4)."""

    BOTS = "bots"
    VERSION = "version"
    RULE = "rule"
    SEGMENT = "segment"
    LOSS = "loss"
    CHANGE = "change"
    LATE_START = "late_start"


@dataclass(frozen=True, slots=True)
class Margin:
    """The largest loss of a guardrail that is tolerated.

    Attributes:
        size: Positive; in the metric's unit, or a share of the control's mean.
        is_relative: Whether it is a share.
    """

    size: float
    is_relative: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The frozen choices that turn looks into claims.

    Attributes:
        method: When looks count and what interval belongs to them.
        alpha: Probability of a false claim, both sides and all looks together.
        correction: How alpha is shared by the comparisons of one role.
        planned_units: Units of a comparison's two arms at the planned end; None where that is not known, and
            a group-sequential plan then waits for its end.
        is_final: Whether the planned end has been reached, or the experiment was ended.
        minimum_units: Fewest units per arm at which a sequential look counts.
    """

    method: Method = Fixed()
    alpha: float = 0.05
    correction: Correction = Correction.NONE
    planned_units: float | None = None
    is_final: bool = True
    minimum_units: int = 100


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an experiment began and how long it was to take.

    Attributes:
        days: None where no end is planned.
    """

    started_at: datetime
    days: int | None
