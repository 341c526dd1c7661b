"""How many units and days a plan needs, and what each method costs; heavy imports, loaded when asked.

Units are taken to arrive at an even pace, and each once. Equal variances are assumed in all arms.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.experiments.errors import NotComputable
from assay.experiments.past import Baseline
from assay.experiments.plan import (
    AlwaysValid,
    Bayesian,
    Fixed,
    Goal,
    GroupSequential,
    Guardrail,
    Method,
    Plan,
)
from assay.experiments.plan import Spending as PlannedSpending
from assay_stats import Alternative
from assay_stats.power import (
    ConfidenceSequenceTest,
    FixedTest,
    GroupSequentialTest,
    Procedure,
    mean_detectable_effect,
    mean_sample_size,
)
from assay_stats.sequential import (
    GroupSequentialPlan,
    HwangShihDeCani,
    OBrienFleming,
    Pocock,
    PowerFamily,
    Spending,
    boundary,
    crossing,
    tuned_rho_squared,
)

# A sequence that is always valid is taken to be read this often until the end.
READINGS = 20
ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Split:
    """How units are divided: the share of the control, of the smallest other arm, and how many others."""

    control: float
    smallest: float
    treatments: int

    @classmethod
    def of(cls, weights: Mapping[str, float], control: str) -> "Split":
        """From the weights of arms.

        Raises:
            NotComputable: The control or every other arm has no weight.
        """
        others = [weight for arm, weight in weights.items() if arm != control and weight > 0]
        whole = sum(others) + weights[control]
        if not others or weights[control] <= 0:
            raise NotComputable("control and at least one other arm need a weight above 0", value=control)
        return cls(weights[control] / whole, min(others) / whole, len(others))


@dataclass(frozen=True, slots=True)
class Need:
    """What one metric needs.

    Attributes:
        effect: Effect or margin in the metric's own unit.
        units: Of all arms together; None when no number suffices.
        detectable: Smallest effect found in the planned duration, None without one.
    """

    metric: str
    role: Literal["goal", "guardrail"]
    baseline: Baseline
    effect: float
    units: int | None
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a method costs for the same error rates and the same effects.

    Attributes:
        units: At most, of all arms together; None when no number suffices.
        expected_share: Of these, when the smallest effects worth finding are there.
    """

    method: Method
    units: int | None
    expected_share: float


def needs(plan: Plan, split: Split, baselines: Mapping[str, Baseline], units: float | None) -> list[Need]:
    """What each goal and guardrail needs.

    Args:
        units: Units of all arms in the planned duration, None without one.

    Raises:
        NotComputable: Nothing is known of a metric, or a goal has no smallest effect; names them all.
    """
    _require_known(plan, baselines)
    found = [_goal(plan, split, goal, baselines[goal.metric], units) for goal in plan.goals]
    return found + [_guardrail(plan, split, each, baselines[each.metric]) for each in plan.guardrails]


def cost(plan: Plan, split: Split, baselines: Mapping[str, Baseline], method: Method) -> Cost:
    """What another method would cost this plan's goals."""
    same = plan.model_copy(update={"method": method, "guardrails": []})
    found = needs(same, split, baselines, None)
    units = [need.units for need in found]
    if any(each is None for each in units):
        return Cost(method, None, 1.0)
    most = max(found, key=lambda need: need.units or 0)
    return Cost(method, most.units, _expected_share(same, split, most))


def _goal(plan: Plan, split: Split, goal: Goal, baseline: Baseline, units: float | None) -> Need:
    effect = _absolute(goal.smallest_effect or 0.0, baseline, relative=goal.relative)
    needed = _units(plan, split, baseline, effect)
    detectable = None if units is None else _detectable(plan, split, baseline, units)
    return Need(goal.metric, "goal", baseline, effect, needed, detectable)


def _guardrail(plan: Plan, split: Split, guardrail: Guardrail, baseline: Baseline) -> Need:
    margin = _absolute(guardrail.margin, baseline, relative=guardrail.relative)
    # All guardrails must hold, so none of them needs a correction.
    test = FixedTest(level=1 - plan.alpha / 2, alternative=Alternative.GREATER)
    size = mean_sample_size(
        0.0,
        null=-margin,
        variance_control=baseline.variance,
        variance_treatment=baseline.variance,
        power=plan.power,
        treatment_per_control=split.smallest / split.control,
        procedure=test,
    )
    return Need(guardrail.metric, "guardrail", baseline, margin, _total(float(size.control), split), None)


def _units(plan: Plan, split: Split, baseline: Baseline, effect: float) -> int | None:
    if not isinstance(plan.method, AlwaysValid):
        return _sized(plan, split, baseline, effect, _procedure(plan, split, plan.method, None))
    needed = _sized(plan, split, baseline, effect, _procedure(plan, split, Fixed(), None))
    for _ in range(ROUNDS):
        # The sequence is tuned for the number of units that it turns out to need.
        if needed is None:
            return None
        tuned = plan.method.tuned_for or needed
        needed = _sized(plan, split, baseline, effect, _procedure(plan, split, plan.method, tuned))
    return needed


def _sized(plan: Plan, split: Split, baseline: Baseline, effect: float, test: Procedure) -> int | None:
    size = mean_sample_size(
        effect,
        variance_control=baseline.variance,
        variance_treatment=baseline.variance,
        power=plan.power,
        treatment_per_control=split.smallest / split.control,
        procedure=test,
    )
    return _total(float(size.control), split)


def _detectable(plan: Plan, split: Split, baseline: Baseline, units: float) -> float | None:
    tuned = max(2, round(units))
    found = mean_detectable_effect(
        n_control=units * split.control,
        n_treatment=units * split.smallest,
        variance_control=baseline.variance,
        variance_treatment=baseline.variance,
        power=plan.power,
        procedure=_procedure(plan, split, plan.method, tuned),
    )
    effect = float(found.effect)
    return effect if math.isfinite(effect) else None


def _procedure(plan: Plan, split: Split, method: Method, tuned_for: int | None) -> Procedure:
    level = 1 - plan.alpha / tests(plan, split)
    match method:
        case Fixed():
            return FixedTest(level=level)
        case GroupSequential():
            looks = tuple(look / method.looks for look in range(1, method.looks + 1))
            design = GroupSequentialPlan(level=level, spending=_spending(method.spending))
            return GroupSequentialTest(plan=design, fractions=looks)
        case AlwaysValid():
            readings = tuple(reading / READINGS for reading in range(1, READINGS + 1))
            rho = float(tuned_rho_squared(method.tuned_for or tuned_for or 1, level=level))
            return ConfidenceSequenceTest(rho_squared=rho, fractions=readings, level=level)
        case Bayesian():
            # With a wide prior, the probability of being better is one minus a one-sided p-value.
            return FixedTest(level=method.ship_above, alternative=Alternative.GREATER)


def tests(plan: Plan, split: Split) -> int:
    """Over how many tests of goals the error rate is spread, at worst."""
    return 1 if plan.correction == "none" else max(1, len(plan.goals)) * split.treatments


def _spending(planned: PlannedSpending) -> Spending:
    match planned.family:
        case "obrien_fleming":
            return OBrienFleming()
        case "pocock":
            return Pocock()
        case "power":
            return PowerFamily() if planned.parameter is None else PowerFamily(planned.parameter)
        case "hwang_shih_decani":
            return HwangShihDeCani() if planned.parameter is None else HwangShihDeCani(planned.parameter)


def _expected_share(plan: Plan, split: Split, need: Need) -> float:
    units = need.units or 1
    variance = need.baseline.variance * (1 / split.control + 1 / split.smallest) / units
    drift = need.effect / math.sqrt(variance)
    test = _procedure(plan, split, plan.method, units)
    match test:
        case FixedTest():
            return 1.0
        case GroupSequentialTest():
            design = boundary(test.plan, test.fractions, is_final=True)
            found = crossing(test.fractions, upper=design.upper, lower=design.lower, drift=drift)
            return float(found.expected_fraction)
        case ConfidenceSequenceTest():
            return _expected_of_sequence(test, drift, units)


def _expected_of_sequence(test: ConfidenceSequenceTest, drift: float, units: int) -> float:
    """The mean share at which the sequence first excludes 0: the area above the chance to have done so."""
    unused, expected, before = np.array(np.inf), 0.0, 0.0
    chance = 0.0
    for at, fraction in enumerate(test.fractions, start=1):
        expected += (fraction - before) * (1 - chance)
        looks = tuple(each / fraction for each in test.fractions[:at])
        part = ConfidenceSequenceTest(rho_squared=test.rho_squared, fractions=looks, level=test.level)
        reached = part.power(
            np.array(drift * math.sqrt(fraction)), degrees_of_freedom=unused, n=np.array(units * fraction)
        )
        chance, before = float(reached), fraction
    return expected


def _absolute(size: float, baseline: Baseline, *, relative: bool) -> float:
    if relative and baseline.mean == 0:
        raise NotComputable(
            f"metric {baseline.metric!r} is 0 on average, so a relative effect has no size; "
            "give it with `relative: false`",
            value=baseline.metric,
        )
    return size * abs(baseline.mean) if relative else size


def _total(control: float, split: Split) -> int | None:
    return math.ceil(control / split.control) if math.isfinite(control) else None


def _require_known(plan: Plan, baselines: Mapping[str, Baseline]) -> None:
    if unknown := list(_unknown(plan, baselines)):
        names = ", ".join(repr(name) for name in unknown)
        raise NotComputable(
            f"nothing is known of {names}: no result in this project measures it with a mean and a spread; "
            "give `mean` and `variance` under `baselines`",
            value=unknown,
        )
    if aimless := [goal.metric for goal in plan.goals if goal.smallest_effect is None]:
        raise NotComputable(
            f"goal {aimless[0]!r} has no smallest effect worth finding; give it in the plan", value=aimless
        )
    if not plan.goals:
        raise NotComputable("the plan has no goal, so nothing says how large it must be", value="goals")


def _unknown(plan: Plan, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    sized: Sequence[Goal | Guardrail] = [*plan.goals, *plan.guardrails]
    yield from (each.metric for each in sized if each.metric not in baselines)
