"""What a running experiment shows besides its claims: its course, days left, alarms and doubts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from assay.analysis.findings import benefit_ends
from assay.analysis.inference import Inference, Question, infer
from assay.analysis.methods import (
    AlwaysValid,
    Bayesian,
    Correction,
    Finding,
    Fixed,
    GroupSequential,
    Reading,
    Role,
)
from assay.analysis.readers import Look, spending_of, tuned_for
from assay.shared.numbers import percent
from assay_stats.power import (
    ConfidenceSequenceTest,
    FixedTest,
    GroupSequentialTest,
    Procedure,
    mean_sample_size,
    remaining,
)
from assay_stats.results import Interval
from assay_stats.sequential import (
    GroupSequentialPlan,
    asymptotic_confidence_sequence,
    tuned_rho_squared,
)

ALARM_ALPHA = 0.01
"""Probability that any guardrail of a harmless experiment ever raises an alarm."""
INCREDIBLE_LIFT = 0.3
"""Without a planned effect, a lift that is certainly larger than this is doubted first."""
INCREDIBLE_MULTIPLE = 5.0
"""With one, a lift that is certainly larger than this many times the smallest effect worth finding."""
DOUBTFUL_DOUBLE_SHARE = 0.01
"""Share of units in several arms from which on assignment itself is in doubt."""
QUARTERS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """An estimate at one look, with the band that holds at all looks together."""

    at: datetime | None
    units: float
    estimate: float | None
    low: float | None
    high: float | None


def course(question: Question, reading: Reading) -> list[Point]:
    """The estimate over time inside its always-valid band, which holds wherever one points at it."""
    rho_squared = tuned_rho_squared(tuned_for(question.read_by(reading)), level=1 - reading.alpha)
    return [_point(look, rho_squared, reading) for look in question.looks]


def _point(look: Look, rho_squared: np.ndarray, reading: Reading) -> Point:
    now = look.normal(0.95)
    band = asymptotic_confidence_sequence(
        now.value, now.standard_error, look.units, rho_squared=rho_squared, level=1 - reading.alpha
    )
    shown = look.smaller_arm >= reading.minimum_units
    return Point(
        at=look.at,
        units=look.units,
        estimate=_known(float(now.value)),
        low=_known(float(band.lower)) if shown else None,
        high=_known(float(band.upper)) if shown else None,
    )


@dataclass(frozen=True, slots=True)
class DaysLeft:
    """How long an experiment still takes at its present pace; None where that cannot be said.

    Attributes:
        to_plan: Until the planned units are in.
        to_power: Until the smallest effect worth finding would be found with the planned power, given the
            noise seen so far.
    """

    to_plan: int | None
    to_power: int | None


def days_left(question: Question, reading: Reading, *, units_per_day: float, power: float = 0.8) -> DaysLeft:
    """Days left for one comparison.

    Args:
        units_per_day: New units of both arms.
        power: Planned probability of finding the smallest effect worth finding.
    """
    if not question.looks or units_per_day <= 0:
        return DaysLeft(None, None)
    latest, reading = question.looks[-1], question.read_by(reading)
    return DaysLeft(
        to_plan=_days_to_plan(latest, reading, units_per_day),
        to_power=_days_to_power(latest, question.smallest_lift, reading, units_per_day, power),
    )


def _days_to_plan(latest: Look, reading: Reading, units_per_day: float) -> int | None:
    if reading.planned_units is None:
        return None
    return int(np.ceil(max(reading.planned_units - latest.units, 0.0) / units_per_day))


def _days_to_power(
    latest: Look, smallest_lift: float | None, reading: Reading, units_per_day: float, power: float
) -> int | None:
    now = latest.normal(0.95)
    effect = (smallest_lift or 0.0) * abs(float(latest.control.value))
    if effect <= 0 or now.reason is not None:
        return None
    # The noise of one unit that, in both arms, gives the standard error that was seen.
    variance = now.standard_error**2 / (1 / latest.n_control + 1 / latest.n_treatment)
    needed = mean_sample_size(
        effect,
        variance_control=variance,
        variance_treatment=variance,
        power=power,
        treatment_per_control=latest.n_treatment / latest.n_control,
        procedure=_procedure(reading),
    )
    left = remaining(
        needed, n_control=latest.n_control, n_treatment=latest.n_treatment, per_day=units_per_day
    ).days
    return int(left) if np.isfinite(left) else None


def _procedure(reading: Reading) -> Procedure:
    level = 1 - reading.alpha
    match reading.method:
        case Fixed() | Bayesian():
            return FixedTest(level=level)
        case GroupSequential() as method:
            plan = GroupSequentialPlan(level=level, spending=spending_of(method))
            return GroupSequentialTest(plan=plan, fractions=method.looks or QUARTERS)
        case AlwaysValid():
            tuned = float(tuned_rho_squared(tuned_for(reading), level=level))
            return ConfidenceSequenceTest(rho_squared=tuned, fractions=QUARTERS, level=level)


def spent_on(batch: int) -> float:
    """The share of an error rate for the n-th of batches that may never end, from 0; all of them sum to 1."""
    return 6 / (np.pi * (batch + 1)) ** 2


def guardrail_alarms(
    questions: Sequence[Question], reading: Reading, *, alpha: float = ALARM_ALPHA
) -> list[Inference]:
    """The guardrails that have certainly got worse, whatever method the plan reads its goals by.

    Valid at all looks: over an experiment without harm the probability of any alarm is at most `alpha`.
    """
    rails = [question for question in questions if question.role is Role.GUARDRAIL]
    watched = replace(
        reading,
        method=AlwaysValid(),
        alpha=alpha / max(len(rails), 1),
        correction=Correction.NONE,
        is_final=False,
    )
    return [found for found in infer(rails, watched) if found.finding is Finding.WORSE]


def doubt(inference: Inference, lift: Interval | None) -> str | None:
    """Why an effect is too large to be believed at once (Twyman's law), or None.

    Args:
        lift: The relative change, at the same level as the interval; None where it is undefined.
    """
    certain = inference.finding in {Finding.BETTER, Finding.WORSE}
    if not certain or lift is None or lift.reason is not None:
        return None
    low, high = benefit_ends(lift, inference.question.direction)
    nearest = low if low > 0 else -high
    smallest = inference.question.smallest_lift
    limit = INCREDIBLE_LIFT if smallest is None else INCREDIBLE_MULTIPLE * smallest
    if nearest <= limit:
        return None
    return (
        f"The lift is certainly larger than {percent(nearest)}, beyond what was to be expected "
        f"({percent(limit)}): figures this interesting are usually wrong, so check logging, double counting "
        "and the split first."
    )


def double_exposure(in_several_arms: int, units: int) -> str | None:
    """Why the share of units seen in several arms puts assignment in doubt, or None.

    Args:
        in_several_arms: Units left out because of it.
        units: Units kept.
    """
    share = in_several_arms / max(in_several_arms + units, 1)
    if share < DOUBTFUL_DOUBLE_SHARE:
        return None
    return (
        f"{percent(share)} of the units were seen in several arms and left out: assignment is not stable, "
        "for example because units change their identity or the split was changed while it ran."
    )


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
