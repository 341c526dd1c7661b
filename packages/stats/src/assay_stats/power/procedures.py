"""How an experiment will be read: once, at planned looks, or by a confidence sequence."""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import nctdtr, ndtr, stdtrit

from assay_stats.checks import as_floats, checked_level, checked_positive
from assay_stats.roots import bracketed_root
from assay_stats.sequential.group_sequential import GroupSequentialPlan, boundary, checked_fractions, crossing
from assay_stats.sequential.mixtures import critical_value
from assay_stats.tails import Alternative
from assay_stats.undefined import Floats

FARTHEST_DRIFT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedTest:
    """One reading at the end, by Welch's test.

    Attributes:
        level: 1 minus the error rate.
        alternative: Side that counts as evidence.
    """

    level: float = 0.95
    alternative: Alternative = Alternative.TWO_SIDED

    def __post_init__(self) -> None:
        checked_level(self.level)

    def power(self, drift: Floats, *, degrees_of_freedom: Floats, n: Floats) -> Floats:
        """Probability of a finding, by the noncentral t distribution.

        Args:
            drift: True effect, minus the null value, in standard errors at the end.
            degrees_of_freedom: Of the test; inf for a normal one.
            n: Units of both arms at the end; not used by this procedure.
        """
        del n
        alpha = 1 - self.level
        outside = alpha / 2 if self.alternative is Alternative.TWO_SIDED else alpha
        critical = as_floats(-stdtrit(degrees_of_freedom, outside))
        above = _noncentral_tail(critical, drift, degrees_of_freedom)
        below = _noncentral_tail(critical, -drift, degrees_of_freedom)
        return on_side(above, below, self.alternative)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSequentialTest:
    """Looks at planned information fractions, the last of them final.

    Attributes:
        plan: The frozen plan.
        fractions: `(n_looks,)` rising to 1.
    """

    plan: GroupSequentialPlan = field(default_factory=GroupSequentialPlan)
    fractions: tuple[float, ...]

    def __post_init__(self) -> None:
        checked_fractions(self.fractions)

    def power(self, drift: Floats, *, degrees_of_freedom: Floats, n: Floats) -> Floats:
        """Probability of crossing at any look; see `FixedTest.power`. The statistic is taken as normal."""
        del degrees_of_freedom, n
        design = boundary(self.plan, self.fractions, is_final=True)
        last = np.sqrt(self.fractions[-1])
        return crossing(self.fractions, upper=design.upper, lower=design.lower, drift=drift / last).power


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceSequenceTest:
    """A confidence sequence read at some looks until a horizon.

    Attributes:
        rho_squared: The frozen mixture, `tuned_rho_squared(...)`.
        fractions: `(n_looks,)` of the final number of units at which it is read, rising to 1.
        level: Coverage over all looks.
        alternative: Side that counts as evidence.
    """

    rho_squared: float
    fractions: tuple[float, ...]
    level: float = 0.95
    alternative: Alternative = Alternative.TWO_SIDED

    def __post_init__(self) -> None:
        checked_level(self.level)
        checked_positive(self.rho_squared, name="rho_squared")
        checked_fractions(self.fractions)

    def power(self, drift: Floats, *, degrees_of_freedom: Floats, n: Floats) -> Floats:
        """Probability of leaving the boundary at any look; see `FixedTest.power`."""
        del degrees_of_freedom
        drifts, units = np.broadcast_arrays(drift, n)
        found = [self._crossing(d, u) for d, u in zip(drifts.ravel(), units.ravel(), strict=True)]
        return np.reshape(np.array(found, dtype=np.float64), drifts.shape)[()]

    def _crossing(self, drift: float, n: float) -> float:
        looks = np.array(self.fractions)
        edge = critical_value(looks * n * self.rho_squared, as_floats(1 - self.level), self.alternative)
        upper = np.full_like(edge, np.inf) if self.alternative is Alternative.LESS else edge
        lower = np.full_like(edge, -np.inf) if self.alternative is Alternative.GREATER else -edge
        return float(crossing(looks, upper=upper, lower=lower, drift=drift / np.sqrt(looks[-1])).power)


Procedure = FixedTest | GroupSequentialTest | ConfidenceSequenceTest
FIXED = FixedTest()


def inflation_factor(procedure: Procedure, *, power: float = 0.8) -> float:
    """How many times the units of a fixed test a sequential procedure needs at most, for the same power.

    Args:
        procedure: How the experiment is read.
        power: That of both, in (0, 1).
    Returns:
        Maximum units of the procedure over those of a fixed test.
    Raises:
        ValueError: `power` lies outside (0, 1).
    Source: the drift at which the exit probabilities sum to the power, squared, over that of the fixed test
        (Jennison and Turnbull 2000, section 2.3). Checked against rpact 3.3.4.
    """
    checked_level(power, name="power")
    normal, unused = as_floats(np.inf), as_floats(1.0)
    fixed = FixedTest(level=level_of(procedure), alternative=alternative_of(procedure))
    needed = drift_for(as_floats(power), normal, unused, procedure)
    return float((needed / drift_for(as_floats(power), normal, unused, fixed)) ** 2)


def drift_for(power: Floats, degrees_of_freedom: Floats, n: Floats, procedure: Procedure) -> Floats:
    """The effect in final standard errors at which a procedure has this power, on the side it looks for."""
    sign = -1.0 if alternative_of(procedure) is Alternative.LESS else 1.0
    shape = np.broadcast_shapes(power.shape, degrees_of_freedom.shape, n.shape)

    def shortage(drift: Floats) -> Floats:
        return procedure.power(sign * drift, degrees_of_freedom=degrees_of_freedom, n=n) - power

    return sign * bracketed_root(shortage, np.zeros(shape), np.full(shape, FARTHEST_DRIFT))


def alternative_of(procedure: Procedure) -> Alternative:
    """The side that a procedure looks for."""
    return procedure.plan.alternative if isinstance(procedure, GroupSequentialTest) else procedure.alternative


def level_of(procedure: Procedure) -> float:
    """1 minus the error rate of a procedure."""
    return procedure.plan.level if isinstance(procedure, GroupSequentialTest) else procedure.level


def on_side(above: Floats, below: Floats, alternative: Alternative) -> Floats:
    """The probability of a finding from those above and below."""
    match alternative:
        case Alternative.TWO_SIDED:
            return above + below
        case Alternative.GREATER:
            return above
        case Alternative.LESS:
            return below


def _noncentral_tail(critical: Floats, drift: Floats, degrees_of_freedom: Floats) -> Floats:
    """P(T > critical) with noncentrality `drift`; infinitely many degrees of freedom are the normal."""
    finite = np.isfinite(degrees_of_freedom)
    student = nctdtr(np.where(finite, degrees_of_freedom, 1.0), -drift, -critical)
    # scipy gives NaN for some tails, all of them below 1e-17 (drift below -8).
    return np.where(finite, np.nan_to_num(student, nan=0.0), ndtr(drift - critical))[()]


__all__ = ["ConfidenceSequenceTest", "FixedTest", "GroupSequentialTest", "Procedure", "inflation_factor"]
