"""The looks at one comparison, and the interval that each method allows at each of them.

A reader answers three questions about the looks it was made from: at which has a boundary been crossed, which
p-value belongs to a look, and which interval does at any error rate. P-value and interval of a look are dual:
the interval at error rate a excludes 0 exactly when p < a.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

import numpy as np

from assay.analysis.methods import (
    AlwaysValid,
    Bayesian,
    Fixed,
    GroupSequential,
    Reading,
    SpendingRule,
)
from assay_stats.bayesian import bayesian_normal
from assay_stats.estimands import ArmMean
from assay_stats.frequentist import difference
from assay_stats.posteriors import NormalPrior, normal_posterior
from assay_stats.results import Estimate, Interval
from assay_stats.sequential import (
    AlwaysValidEstimate,
    GroupSequentialPlan,
    HwangShihDeCani,
    OBrienFleming,
    Pocock,
    PowerFamily,
    Spending,
    asymptotic_confidence_sequence,
    boundary,
    repeated_estimate,
    tuned_rho_squared,
)

# Without a planned size a sequence has to be narrowest somewhere; experiments that end sooner lose little.
UNPLANNED_UNITS = 10_000
# A share computed back and forth may miss itself by rounding.
_ALMOST = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Look:
    """Two arms as they stood at one moment.

    Attributes:
        at: The moment up to which units and their numbers count; None for a table without time.
        n_control: Units of the control.
        n_treatment: Units of the other arm.
        control: Its estimated mean, ratio or adjusted mean.
        treatment: The same of the other arm.
        covariance: Of the two estimates; 0 for independent arms.
        exact: The fixed test at a level, where that is not Welch's: the score method of a proportion.
    """

    at: datetime | None
    n_control: float
    n_treatment: float
    control: ArmMean
    treatment: ArmMean
    covariance: float = 0.0
    exact: Callable[[float], Estimate] | None = None

    @property
    def units(self) -> float:
        """Units of both arms together."""
        return self.n_control + self.n_treatment

    @property
    def smaller_arm(self) -> float:
        """Units of the smaller arm."""
        return min(self.n_control, self.n_treatment)

    def plain(self, level: float) -> Estimate:
        """The difference as a fixed test reads it, treatment minus control."""
        if self.exact is not None:
            return self.exact(level)
        return self.normal(level)

    def normal(self, level: float) -> Estimate:
        """The difference with its standard error whatever the null; what sequential methods build on."""
        return difference(
            self.control, self.treatment, covariance=self.covariance, level=level, method="welch"
        )


def reader(looks: Sequence[Look], reading: Reading) -> "Reader":
    """The reader of a plan's method.

    Args:
        looks: In order of time.
    """
    match reading.method:
        case Fixed():
            return FixedReader(tuple(looks[-1:]) if reading.is_final else ())
        case GroupSequential() as method:
            return _group_sequential(looks, method, reading)
        case AlwaysValid():
            return AlwaysValidReader(
                tuple(_large_enough(looks, reading)), tuned_for=tuned_for(reading), alpha=reading.alpha
            )
        case Bayesian() as method:
            return BayesianReader(tuple(_large_enough(looks[-1:], reading)), prior=method)
        case _:
            assert_never(reading.method)


def tuned_for(reading: Reading) -> float:
    """Units at which a confidence sequence of this plan is narrowest."""
    chosen = reading.method.tuned_for if isinstance(reading.method, AlwaysValid) else None
    return chosen or reading.planned_units or UNPLANNED_UNITS


def spending_of(method: GroupSequential) -> Spending:
    """The spending function of a plan."""
    match method.spending:
        case SpendingRule.OBRIEN_FLEMING:
            return OBrienFleming()
        case SpendingRule.POCOCK:
            return Pocock()
        case SpendingRule.POWER:
            return PowerFamily() if method.parameter is None else PowerFamily(method.parameter)
        case SpendingRule.HWANG_SHIH_DECANI:
            return HwangShihDeCani() if method.parameter is None else HwangShihDeCani(method.parameter)
        case _:
            assert_never(method.spending)


@dataclass(frozen=True, slots=True)
class FixedReader:
    """One reading at the end."""

    looks: tuple[Look, ...]

    def crossings(self, alpha: float) -> list[bool]:
        """Whether the one look rejects."""
        return [_excludes_zero(self.interval(0, alpha)) for _ in self.looks]

    def p_value(self, look: int) -> float:
        """Of the fixed test."""
        return float(self.looks[look].plain(0.95).p_value)

    def interval(self, look: int, alpha: float) -> Interval:
        """Of the fixed test."""
        return self.looks[look].plain(1 - alpha)


@dataclass(frozen=True, slots=True)
class GroupSequentialReader:
    """Repeated intervals at shares of the planned units.

    Attributes:
        fractions: Of the planned units, one per look, rising.
        is_final: Whether the last look spends what is left.
    """

    looks: tuple[Look, ...]
    fractions: tuple[float, ...]
    spending: Spending
    is_final: bool

    def crossings(self, alpha: float) -> list[bool]:
        """Whether each look lies beyond its critical value."""
        if not self.looks:
            return []
        critical = boundary(self._plan(alpha), self.fractions, is_final=self.is_final).critical
        statistics = np.array([_statistic(look) for look in self.looks])
        return (np.abs(statistics) > critical).tolist()

    def p_value(self, look: int) -> float:
        """The smallest total error rate at which the design would have stopped here."""
        now = self.looks[look].normal(0.95)
        return float(
            repeated_estimate(
                now.value,
                now.standard_error,
                plan=self._plan(0.05),
                fractions=self.fractions[: look + 1],
                is_final=self._is_last(look),
            ).p_value
        )

    def interval(self, look: int, alpha: float) -> Interval:
        """Estimate and critical value times standard error."""
        now = self.looks[look].normal(1 - alpha)
        critical = boundary(
            self._plan(alpha), self.fractions[: look + 1], is_final=self._is_last(look)
        ).critical[-1]
        with np.errstate(invalid="ignore"):
            half_width = critical * now.standard_error
        return replace(
            now,
            lower=now.value - half_width,
            upper=now.value + half_width,
            method="group_sequential",
        )

    def _plan(self, alpha: float) -> GroupSequentialPlan:
        return GroupSequentialPlan(level=1 - alpha, spending=self.spending)

    def _is_last(self, look: int) -> bool:
        return self.is_final and look == len(self.looks) - 1


@dataclass(frozen=True, slots=True)
class AlwaysValidReader:
    """Confidence sequences.

    Attributes:
        tuned_for: Units of both arms at which the sequence is narrowest.
        alpha: The plan's error rate, which the mixture is tuned with.
    """

    looks: tuple[Look, ...]
    tuned_for: float
    alpha: float

    def crossings(self, alpha: float) -> list[bool]:
        """Whether each look's own interval excludes 0."""
        return [_excludes_zero(self.interval(look, alpha)) for look in range(len(self.looks))]

    def p_value(self, look: int) -> float:
        """Of this look alone; it holds however the look was chosen."""
        return float(self._sequence(look, 0.05).p_value)

    def interval(self, look: int, alpha: float) -> Interval:
        """Of this look alone."""
        return replace(self._sequence(look, alpha), method="confidence_sequence")

    def _sequence(self, look: int, alpha: float) -> AlwaysValidEstimate:
        taken = self.looks[look]
        now = taken.normal(1 - alpha)
        return asymptotic_confidence_sequence(
            now.value,
            now.standard_error,
            taken.units,
            rho_squared=tuned_rho_squared(self.tuned_for, level=1 - self.alpha),
            level=1 - alpha,
        )


@dataclass(frozen=True, slots=True)
class BayesianReader:
    """Credible intervals of the latest look; there is no p-value and no boundary."""

    looks: tuple[Look, ...]
    prior: Bayesian

    def crossings(self, alpha: float) -> list[bool]:
        """Whether the credible interval excludes 0."""
        return [_excludes_zero(self.interval(0, alpha)) for _ in self.looks]

    def p_value(self, look: int) -> None:
        """None."""
        del look

    def interval(self, look: int, alpha: float) -> Interval:
        """Of the posterior; the control's mean carries the prior of the lift over to the metric's unit."""
        taken = self.looks[look]
        now = taken.normal(1 - alpha)
        baseline = float(np.abs(taken.control.value))
        prior = (
            NormalPrior(self.prior.prior_mean * baseline, self.prior.prior_sd * baseline)
            if baseline > 0
            else NormalPrior()
        )
        posterior = normal_posterior(now.value, now.standard_error, prior=prior)
        found = replace(bayesian_normal(posterior, level=1 - alpha), method="bayesian_normal")
        return replace(found, reason_codes=now.reason_codes) if now.reason is not None else found


Reader = FixedReader | GroupSequentialReader | AlwaysValidReader | BayesianReader


def _group_sequential(
    looks: Sequence[Look], method: GroupSequential, reading: Reading
) -> GroupSequentialReader:
    counted = _risen(_large_enough(looks, reading))
    planned = reading.planned_units or (counted[-1].units if counted and reading.is_final else np.inf)
    taken = _at_shares(counted, method.looks, planned) if method.looks else _until_end(counted, planned)
    if reading.is_final and counted and (not taken or taken[-1].units < min(planned, counted[-1].units)):
        taken.append(counted[-1])
    if not np.isfinite(planned):
        taken = []
    return GroupSequentialReader(
        looks=tuple(taken),
        fractions=tuple(look.units / planned for look in taken),
        spending=spending_of(method),
        is_final=reading.is_final,
    )


def _large_enough(looks: Sequence[Look], reading: Reading) -> list[Look]:
    """The normal approximation that sequential methods rest on needs some units."""
    return [
        look
        for look in looks
        if look.smaller_arm >= reading.minimum_units and look.normal(0.95).reason is None
    ]


def _risen(looks: Sequence[Look]) -> list[Look]:
    """A look that brought no unit is no look."""
    kept: list[Look] = []
    for look in looks:
        if not kept or look.units > kept[-1].units:
            kept.append(look)
    return kept


def _until_end(looks: Sequence[Look], planned: float) -> list[Look]:
    """The first look with all planned units ends the design; it has nothing left to spend on later ones."""
    end = next((place for place, look in enumerate(looks) if look.units >= planned), len(looks) - 1)
    return list(looks[: end + 1])


def _at_shares(looks: Sequence[Look], shares: Sequence[float], planned: float) -> list[Look]:
    """The first look that reaches each planned share."""
    taken: list[Look] = []
    for share in shares:
        reached = next((look for look in looks if look.units >= share * planned * _ALMOST), None)
        if reached is not None and (not taken or reached is not taken[-1]):
            taken.append(reached)
    return taken


def _statistic(look: Look) -> float:
    return float(look.normal(0.95).value / look.normal(0.95).standard_error)


def _excludes_zero(interval: Interval) -> bool:
    return bool(interval.lower > 0 or interval.upper < 0)
