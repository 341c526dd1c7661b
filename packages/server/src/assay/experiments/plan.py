"""What an experiment is going to do and how it will be judged, said before it starts.

An arm serves the variant of its own key, so that exposures, arms and the flag speak of the same thing.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal, Self

import rfc8785
from pydantic import AfterValidator, Field, JsonValue, model_validator

from assay.experiments.design import MAX_METRICS
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Instant, Text, without_nul
from assay_engine import DatafileError
from assay_engine.context import TARGETING_KEY
from assay_engine.model import AttributePath, Condition
from assay_engine.parsing import condition_from_json

MOST_RAMP_STEPS = 20
MOST_HOLDOUTS = 20
SHORTEST_WINDOW_MINUTES = 5
LONGEST_WINDOW_MINUTES = 60 * 24 * 28

Share = Annotated[float, Field(gt=0, le=1)]
Alpha = Annotated[float, Field(ge=1e-6, le=0.5)]
Power = Annotated[float, Field(ge=0.5, le=0.999)]
Days = Annotated[int, Field(ge=1, le=3650)]
Open = Annotated[float, Field(gt=0, lt=1)]
Word = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(without_nul)]
Document = dict[str, JsonValue]


class Goal(Incoming):
    """A metric that the experiment is run to move."""

    metric: Key
    smallest_effect: float | None = Field(
        None, gt=0, le=1e12, description="Smallest effect worth finding, without its sign."
    )
    relative: bool = Field(default=True, description="The effect is a share of the control's value.")


class Guardrail(Incoming):
    """A metric that must not get worse by more than its margin."""

    metric: Key
    margin: float = Field(gt=0, le=1e12, description="Largest acceptable loss, without its sign.")
    relative: bool = Field(default=True, description="The margin is a share of the control's value.")


Goals = Annotated[list[Goal], Field(max_length=MAX_METRICS)]
Secondary = Annotated[list[Key], Field(max_length=MAX_METRICS)]
Guardrails = Annotated[list[Guardrail], Field(max_length=MAX_METRICS)]


class Fixed(Incoming):
    """One look, at the end."""

    kind: Literal["fixed"] = "fixed"


class Spending(Incoming):
    """How the error rate is spread over the looks."""

    family: Literal["obrien_fleming", "pocock", "power", "hwang_shih_decani"] = "obrien_fleming"
    parameter: float | None = Field(
        None,
        ge=-100,
        le=100,
        description="Exponent of `power`, gamma of `hwang_shih_decani`; null for the usual one.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        takes_one = self.family in {"power", "hwang_shih_decani"}
        if self.parameter is not None and not takes_one:
            raise ValueError(f"spending {self.family!r} takes no parameter; leave it out")
        if self.family == "power" and self.parameter is not None and self.parameter <= 0:
            raise ValueError(f"the exponent of spending 'power' must be above 0, not {self.parameter}")
        return self


class GroupSequential(Incoming):
    """A few planned looks that share one error rate."""

    kind: Literal["group_sequential"]
    looks: int = Field(5, ge=2, le=100, description="Planned number of looks, the last at the end.")
    spending: Spending = Field(default_factory=lambda: Spending.model_validate({}))


class AlwaysValid(Incoming):
    """An interval that holds at every look, however many there are."""

    kind: Literal["always_valid"]
    tuned_for: int | None = Field(
        None, ge=2, le=10**12, description="Units at which the interval is narrowest; null: the planned ones."
    )


class Prior(Incoming):
    """What is believed of a relative effect before any data: normal around a mean."""

    mean: float = Field(0.0, ge=-10, le=10)
    standard_deviation: float = Field(0.1, gt=0, le=100)


class Bayesian(Incoming):
    """Probabilities of effects, given a prior."""

    kind: Literal["bayesian"]
    prior: Prior = Field(default_factory=lambda: Prior.model_validate({}))
    ship_above: Open = Field(0.95, description="Probability of being better above which the arm is shipped.")


Method = Annotated[Fixed | GroupSequential | AlwaysValid | Bayesian, Field(discriminator="kind")]
Correction = Literal["none", "bonferroni", "holm", "hochberg", "benjamini_hochberg"]

AutomaticStop = Literal["ramp", "always", "never"]


class RampStep(Incoming):
    """A coverage that is held for a while before the next."""

    coverage: Share
    hours: float = Field(gt=0, le=24 * 365)


class Switchback(Incoming):
    """Windows of time, in each of which every unit is assigned anew."""

    window_minutes: int = Field(
        ge=SHORTEST_WINDOW_MINUTES, le=LONGEST_WINDOW_MINUTES, description="Length of a window."
    )
    burn_in_minutes: int = Field(
        0,
        ge=0,
        le=LONGEST_WINDOW_MINUTES,
        description="How much of each window's begin is not analysed, so that the one before can wear off.",
    )
    anchor: Annotated[Instant, Field(strict=False)] | None = Field(
        None, description="When a window begins, others before and after it; null: the minute of the start."
    )
    balanced: bool = Field(
        default=True, description="Windows in a row meet every arm in its share, in an order left to chance."
    )

    @model_validator(mode="after")
    def _has_a_rest(self) -> Self:
        if self.burn_in_minutes >= self.window_minutes:
            raise ValueError(
                f"a burn-in of {self.burn_in_minutes} minutes leaves nothing of windows of "
                f"{self.window_minutes}"
            )
        return self


class Thompson(Incoming):
    """Each arm gets its chance of being the best."""

    kind: Literal["thompson"] = "thompson"


class TopTwo(Incoming):
    """Thompson sampling that keeps comparing the leader with its challengers."""

    kind: Literal["top_two"]
    leader_share: Open = Field(0.5, description="How often the drawn best arm is played, not its challenger.")


AllocationRule = Annotated[Thompson | TopTwo, Field(discriminator="kind")]


class Bandit(Incoming):
    """Weights of the arms that follow the first goal, from one epoch to the next."""

    rule: AllocationRule = Field(default_factory=lambda: Thompson.model_validate({}))
    floor: float = Field(
        0.05, gt=0, le=0.5, description="Least share that an arm keeps, so that all go on being measured."
    )
    every_hours: int = Field(24, ge=1, le=24 * 28, description="Length of an epoch.")
    least_units: int = Field(
        100,
        ge=50,
        le=10**9,
        description="Units every arm must have in an epoch before the weights move again; an epoch with "
        "fewer is left out of the claims.",
    )
    until: Annotated[Instant, Field(strict=False)] | None = Field(
        None, description="From when on the weights stay; null: they may move until the end."
    )


class BalancedSalt(Incoming):
    """A salt that was searched for, so that the arms are alike in what is known of the units."""

    salt: Annotated[str, Field(min_length=1, max_length=64, pattern="^[0-9a-f]+$")]
    seed: int
    tried: int = Field(ge=1, description="How many salts were looked at, this one the last.")
    most: int = Field(ge=1, description="How many were to be looked at.")
    acceptable_share: Share = Field(description="Of random assignments; fixed before the first try.")
    criterion: Literal["mahalanobis"] = "mahalanobis"
    threshold: float = Field(description="Largest acceptable distance.")
    score: float = Field(description="The distance of this one.")
    largest_difference: float = Field(description="Of a covariate's means, in standard deviations.")
    covariates: list[Word]
    units: int
    population: str = Field(description="SHA-256 over the units and their covariates.")
    arms: dict[str, float] = Field(description="The arms and weights that it was searched for.")


class Plan(Incoming):
    """Everything that decides who is assigned what, and how the result will be read."""

    hypothesis: Text = ""
    flag: Key | None = Field(None, description="The flag whose variants are the arms.")
    unit: Word | Annotated[list[Word], Field(min_length=1, max_length=10)] = Field(
        TARGETING_KEY, description="Attribute that is assigned; a list leads into nested objects."
    )
    coverage: Share = Field(1.0, description="Share of the targeted units that takes part.")
    ramp: Annotated[list[RampStep], Field(max_length=MOST_RAMP_STEPS)] = Field(
        default_factory=list[RampStep], description="Smaller coverages first, each held for some hours."
    )
    targeting: Document | None = Field(
        None, description='A condition of the datafile, such as `{"segment": "beta"}`; null for everyone.'
    )
    above: Word | None = Field(
        None, description="Id of the flag's rule above which the experiment's stands; null: below all."
    )
    sticky: bool = Field(
        default=False,
        description="A unit keeps the arm of its first exposure for the whole phase, whatever becomes of its "
        "attributes, of coverage, layers and holdouts.",
        exclude_if=lambda is_sticky: not is_sticky,
    )
    analysis_unit: Word | Annotated[list[Word], Field(min_length=1, max_length=10)] | None = Field(
        None,
        description="Attribute whose units are analysed, where `unit` is what they belong to: users of "
        "companies that are assigned as a whole. Null: the unit itself.",
        exclude_if=lambda unit: unit is None,
    )
    switchback: Switchback | None = Field(
        None,
        description="Assigns every unit anew in each window of time.",
        exclude_if=lambda windows: windows is None,
    )
    balanced_salt: BalancedSalt | None = Field(
        None,
        description="What a search under `salt` has found; the first phase assigns with it.",
        exclude_if=lambda salt: salt is None,
    )
    bandit: Bandit | None = Field(
        None,
        description="Lets the weights of the arms follow the first goal.",
        exclude_if=lambda bandit: bandit is None,
    )
    layer: Key | None = Field(None, description="Experiments of one layer never share a unit.")
    holdouts: Annotated[list[Key], Field(max_length=MOST_HOLDOUTS)] = Field(
        default_factory=list[str], description="Holdouts of named experiments that this one joins."
    )
    goals: Goals = Field(default_factory=list[Goal])
    secondary: Secondary = Field(default_factory=list[str])
    guardrails: Guardrails = Field(default_factory=list[Guardrail])
    method: Method = Fixed()
    alpha: Alpha = 0.05
    power: Power = 0.8
    correction: Correction = "holm"
    duration_days: Days | None = None
    automatic_stop: AutomaticStop = Field(
        "ramp",
        description="When an alarm of a guardrail or of the split pauses the experiment by itself: while its "
        "ramp goes on, always, or never.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _require_unique("metric", list(self.metrics()))
        _require_unique("holdout", self.holdouts)
        _require_rising([step.coverage for step in self.ramp] + [self.coverage])
        _require_canonical(self.targeting)
        _ = self.condition
        _require_one_way(self)
        if self.bandit is not None:
            _require_epochs(self)
        return self

    def metrics(self) -> Iterator[str]:
        """The keys of all metrics: goals, secondary ones, guardrails."""
        yield from (goal.metric for goal in self.goals)
        yield from self.secondary
        yield from (guardrail.metric for guardrail in self.guardrails)

    @property
    def unit_path(self) -> AttributePath:
        """The unit as the engine's path."""
        return _path(self.unit)

    @property
    def exposed_path(self) -> AttributePath | None:
        """Who is exposed, as the engine's path; None where it is the unit."""
        return None if self.analysis_unit is None else _path(self.analysis_unit)

    @property
    def condition(self) -> Condition | None:
        """Whom the experiment is for, as the engine's condition."""
        if self.targeting is None:
            return None
        try:
            return condition_from_json(self.targeting)
        except DatafileError as error:
            raise ValueError(f"targeting: {error}") from error

    @property
    def first_coverage(self) -> float:
        """The coverage of the first moment."""
        return self.ramp[0].coverage if self.ramp else self.coverage


def _path(unit: str | list[str]) -> AttributePath:
    return (unit,) if isinstance(unit, str) else tuple(unit)


def _require_one_way(plan: Plan) -> None:
    if plan.sticky and plan.switchback is not None:
        raise ValueError("a switchback assigns every unit anew in each window, so it cannot be `sticky`")
    if plan.switchback is not None and plan.analysis_unit is not None:
        raise ValueError("a switchback is analysed by unit and window; leave `analysis_unit` out")
    if plan.analysis_unit is not None and plan.exposed_path == plan.unit_path:
        raise ValueError("`analysis_unit` is `unit` itself; leave it out")


def _require_epochs(plan: Plan) -> None:
    if not plan.sticky:
        raise ValueError(
            "a bandit changes the split while it runs, so units must keep their arm: set `sticky`"
        )
    if plan.switchback is not None:
        raise ValueError("a switchback assigns every unit anew in each window, so it cannot be a bandit")
    if plan.analysis_unit is not None:
        raise ValueError("a bandit's epochs compare units, not clusters; leave `analysis_unit` out")
    if plan.balanced_salt is not None:
        raise ValueError("a salt is balanced for weights that stay; leave `balanced_salt` or `bandit` out")
    if plan.method.kind != "fixed":
        raise ValueError(
            f"a bandit is read by the method 'fixed', not {plan.method.kind!r}: its epochs are "
            "joined once, at the end, while the other methods look at sums of one split that stays"
        )


def _require_unique(what: str, keys: list[str]) -> None:
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"{what} {repeated[0]!r} is listed more than once")


def _require_canonical(targeting: Document | None) -> None:
    try:
        rfc8785.dumps(targeting)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"targeting: {error}") from error


def _require_rising(coverages: list[float]) -> None:
    if any(later <= earlier for earlier, later in pairwise(coverages)):
        steps = ", ".join(f"{each:g}" for each in coverages)
        raise ValueError(f"a ramp rises up to the plan's coverage, without falling or standing: {steps}")
