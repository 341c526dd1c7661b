"""What the API takes and gives about experiments."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from assay.experiments.design import (
    MAX_METRICS,
    Arm,
    Design,
    FromTable,
    KnownEffect,
    VariantName,
)
from assay.experiments.holdouts import AnyAssignments
from assay.experiments.lifecycle import Outcome, State
from assay.experiments.plan import (
    Alpha,
    Correction,
    Days,
    Goals,
    Guardrails,
    Method,
    Plan,
    Power,
    Secondary,
    Share,
)
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Instant, Name, Outgoing, Text

MOST_TAGS = 50

Tags = Annotated[list[Annotated[Name, Field(max_length=64)]], Field(max_length=MOST_TAGS)]
ETag = Annotated[str, Field(description="Version to send back as `If-Match`.")]
Reason = Annotated[Text, Field(min_length=1, description="Why; kept in the log.")]


class ExperimentCreate(Design):
    """A new experiment: observed, or with a plan a DRAFT whose arms are variants of a flag."""

    key: Key
    name: Name
    description: Text = ""
    tags: Tags = Field(default_factory=list[str])
    metrics: Annotated[
        list[Key], Field(max_length=MAX_METRICS, description="Metrics of an observed experiment.")
    ] = Field(default_factory=list[str])
    plan: Plan | None = Field(None, description="Null for an experiment whose units are assigned elsewhere.")

    @model_validator(mode="after")
    def _names_metrics_once(self) -> Self:
        if self.plan is not None and self.metrics:
            raise ValueError("a planned experiment names its metrics in its plan; leave `metrics` out")
        if self.plan is not None and isinstance(self.assignments, FromTable):
            raise ValueError(
                "Assay assigns the units of a planned experiment; leave its `assignments` to exposures"
            )
        return self


class ExperimentUpdate(Incoming):
    """What may change about an experiment; results keep what they were computed with."""

    name: Name | None = None
    description: Text | None = None
    tags: Tags | None = None
    learnings: Text | None = Field(None, description="What remains to be known of it.")
    arms: list[Arm] | None = Field(None, description="Of a DRAFT only.")
    control: VariantName | None = Field(None, description="Of a DRAFT only.")
    metrics: Annotated[list[Key], Field(max_length=MAX_METRICS)] | None = Field(
        None, description="Of an observed experiment only; a planned one has them in its plan."
    )
    known_effects: dict[Key, list[KnownEffect]] | None = None


class EpochOut(Outgoing):
    """A stretch of a bandit's phase with one split."""

    number: int
    began_at: datetime
    weights: dict[str, float] = Field(description="Share of each arm, by key; they sum to 1.")
    moved: bool = Field(description="The weights are others than before.")
    reason: str = Field(description="What the weights came from, or why they stayed.")
    basis: dict[str, Any] = Field(
        description="What was known then: `metric`, `rule`, and of the result it came from `result`, "
        "`units`, `units_since_moved`, `means` and `chances` of being the best."
    )


class PhaseOut(Outgoing):
    """One assignment of units to arms."""

    number: int
    salt: str
    coverage: float = Field(description="Share of the targeted units that takes part now.")
    plan_hash: str = Field(description="SHA-256 of the canonical JSON (RFC 8785) of `frozen`.")
    frozen: dict[str, Any] = Field(description="The plan as it was frozen when the phase began.")
    started_at: datetime
    ended_at: datetime | None
    epochs: list[EpochOut] = Field(
        default_factory=list[EpochOut],
        description="Of a bandit, first to last.",
        exclude_if=lambda epochs: not epochs,
    )


class DepartureOut(Outgoing):
    """How the plan that is followed differs from the frozen one."""

    fields: list[str] = Field(description="Parts of the plan that changed after the start.")
    metrics: list[str] = Field(description="Metrics whose results are exploratory.")
    is_exploratory: bool = Field(description="All results are, as method or error rates have changed.")


class ExperimentOut(Outgoing):
    """An experiment."""

    key: str
    name: str
    description: str
    arms: list[Arm]
    control: str
    assignments: AnyAssignments
    metrics: list[str]
    known_effects: dict[str, list[KnownEffect]]
    created_at: datetime
    updated_at: datetime
    tags: list[str] = Field(default_factory=list[str])
    learnings: str = ""
    state: State | None = Field(None, description="Null when it is observed: units are assigned elsewhere.")
    outcome: Outcome | None = Field(None, description="What the completed experiment left in its flag.")
    plan: Plan | None = Field(None, description="The plan as it is followed now.")
    phase: PhaseOut | None = Field(None, description="The last phase; null before the start.")
    departure: DepartureOut | None = Field(None, description="Null before the start.")
    started_at: datetime | None = None
    ended_at: datetime | None = None
    etag: ETag = ""


class Note(Incoming):
    """Why something is done."""

    note: Text = ""


class StartRequest(Note):
    """A start; whatever readiness calls blocking keeps it from happening."""


class CompleteRequest(Note):
    """How an experiment ends, and what remains of it in the flag."""

    outcome: Annotated[Outcome, Field(strict=False)]
    arm: VariantName | None = Field(None, description="The arm that is shipped.")
    everyone: bool = Field(
        default=False, description="Ship to all who come as far as the rule, not only to the targeted."
    )


class RestartRequest(Incoming):
    """A new phase with a new salt; what is null stays as it was."""

    reason: Reason
    weights: dict[VariantName, Annotated[float, Field(ge=0, le=1e9)]] | None = Field(
        None, description="New weight of each arm."
    )
    coverage: Share | None = None
    earlier_units: Literal["assigned_anew", "left_out"] = Field(
        "assigned_anew",
        description="What becomes of units exposed in an earlier phase; only a sticky experiment knows them.",
    )


class CoverageRequest(Note):
    """A higher coverage, within the phase; every unit keeps its arm. A sticky one may be lowered too."""

    coverage: Share


class DeviationRequest(Incoming):
    """Parts of a running plan that change; those left out stay. What they show is exploratory."""

    reason: Reason
    goals: Goals | None = None
    secondary: Secondary | None = None
    guardrails: Guardrails | None = None
    method: Method | None = None
    alpha: Alpha | None = None
    power: Power | None = None
    correction: Correction | None = None
    duration_days: Days | None = None


class ScheduleRequest(Incoming):
    """When an experiment starts and stops by itself; null for not at all."""

    starts_at: Instant | None = None
    stops_at: Instant | None = Field(None, description="It is paused then, and somebody decides.")


class DueOut(Outgoing):
    """Something that happens to an experiment at a time, once."""

    action: Literal["start", "cover", "reweigh", "stop"]
    at: datetime
    coverage: float | None
    state: Literal["WAITING", "DONE", "CANCELLED", "FAILED"]
    settled_at: datetime | None
    reason: str = Field(description="Why it was cancelled or failed.")


class ScheduleOut(Outgoing):
    """All that was and shall be done to an experiment at a time."""

    items: list[DueOut]


class PhaseEpochOut(EpochOut):
    """An epoch, and the phase it belongs to."""

    phase: int


class EpochsOut(Outgoing):
    """The epochs of a bandit, first to last, of all its phases."""

    items: list[PhaseEpochOut]


class PhasesOut(Outgoing):
    """The phases of an experiment, first to last."""

    items: list[PhaseOut]


class EntryOut(Outgoing):
    """Something that happened to an experiment or was said about it."""

    id: uuid.UUID
    kind: str
    actor: str
    at: datetime
    note: str
    body: dict[str, Any]


class OverlapOut(Outgoing):
    """A running experiment that meets the same units."""

    experiment: str
    state: str
    same_flag: bool
    same_layer: bool
    same_unit: bool
    excluded: bool = Field(description="They never share a unit, as one layer holds both.")
    metrics: list[str] = Field(description="Metrics that both are read by.")


class OverlapsOut(Outgoing):
    """The running experiments that meet an experiment's units."""

    items: list[OverlapOut]


class CheckOut(Outgoing):
    """One thing looked at before the start."""

    check: str
    level: Literal["ok", "warning", "blocking"]
    sentence: str
    way_out: str = Field(description="What to do about it; empty when all is well.")


class ReadinessOut(Outgoing):
    """Whether an experiment may start."""

    ready: bool = Field(description="No check blocks the start.")
    checks: list[CheckOut]


class CommentRequest(Incoming):
    """Something to say about an experiment."""

    text: Annotated[Text, Field(min_length=1)]


class DecisionRequest(Note):
    """What was decided about an experiment, and on what it rests."""

    decision: Literal["ship", "roll_back", "iterate", "no_decision"]
    arm: VariantName | None = Field(None, description="The arm it is about.")
    result: Annotated[uuid.UUID, Field(strict=False)] | None = Field(
        None, description="Id of the finished analysis it rests on."
    )


class BaselineIn(Incoming):
    """How a metric behaves where nothing is changed."""

    mean: float = Field(ge=-1e15, le=1e15)
    variance: float = Field(gt=0, le=1e30, description="Per unit; p · (1 - p) for a proportion.")


class PowerRequest(Incoming):
    """What is known; what is left out is taken from the newest results of the project."""

    baselines: Annotated[dict[Key, BaselineIn], Field(max_length=3 * MAX_METRICS)] = Field(
        default_factory=dict[Key, BaselineIn]
    )
    units_per_day: float | None = Field(
        None, gt=0, le=1e12, description="New targeted units a day, before coverage."
    )


class NeedOut(Outgoing):
    """What one metric needs."""

    metric: str
    role: Literal["goal", "guardrail"]
    source: str = Field(description="`given`, the experiment whose control it is from, or `recent events`.")
    mean: float
    variance: float
    effect: float = Field(description="Smallest effect or margin, in the metric's own unit.")
    units: int | None = Field(description="Of all arms together; null when no number suffices.")
    days: int | None
    detectable: float | None = Field(description="Smallest effect found in the planned duration.")


PACE_SOURCE = Field(
    description="Who says how many units come: `given`, an earlier experiment, `recent events` of the plan's "
    "metrics, or `recent traffic` of the environment."
)


class PowerOut(Outgoing):
    """How long a plan must run."""

    needs: list[NeedOut]
    units: int | None = Field(description="Of all arms together, for all that is looked for.")
    units_per_day: float | None
    units_per_day_source: str | None = PACE_SOURCE
    days: int | None = Field(description="Null when nobody knows how many units arrive.")
    reachable: bool | None = Field(description="Whether the planned duration is long enough.")
    sentence: str


class RecommendationRequest(PowerRequest):
    """What is known, and what is wanted."""

    deadline_days: int | None = Field(None, ge=1, le=3650)
    watch_continuously: bool = Field(default=False, description="It shall be readable at any moment.")


class OptionOut(Outgoing):
    """What a method costs."""

    method: str
    units: int | None = Field(description="At most, of all arms together.")
    days: int | None = Field(description="At most.")
    expected_days: int | None = Field(description="On average, when the smallest effects are there.")
    price: str


class SuggestedPrior(Outgoing):
    """What past effects on a goal let one believe of the next, as a Bayesian plan takes it."""

    metric: str
    mean: float
    standard_deviation: float
    effects: int = Field(description="Past effects it is from.")
    sentence: str


class RecommendationOut(Outgoing):
    """Which method fits."""

    options: list[OptionOut]
    recommended: str | None = Field(description="Null when none is done in time.")
    units_per_day: float
    units_per_day_source: str | None = PACE_SOURCE
    sentence: str
    priors: list[SuggestedPrior] = Field(
        default_factory=list[SuggestedPrior], description="For goals with at least five past effects."
    )


class KnownUnit(Incoming):
    """A unit of the population, and what is known of it before the experiment."""

    unit: Annotated[str, Field(min_length=1, max_length=200)]
    covariates: Annotated[dict[Name, float | Name], Field(min_length=1, max_length=50)]


class SaltRequest(Incoming):
    """The population, and when its arms are alike enough; fixed before the first try."""

    units: Annotated[list[KnownUnit], Field(min_length=4, max_length=20_000)]
    acceptable_share: Share = Field(
        0.01, description="Of random assignments, those that are good enough: the best hundredth, say."
    )
    tries: int = Field(2_000, ge=1, le=100_000)
    seed: int = Field(1, ge=0, le=2**53 - 1, description="The same seed tries the same salts.")

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        names = set(self.units[0].covariates)
        for each in self.units:
            if set(each.covariates) != names:
                raise ValueError(
                    f"unit {each.unit!r} has the covariates {', '.join(sorted(each.covariates))}; "
                    f"the first has {', '.join(sorted(names))}"
                )
        if len({each.unit for each in self.units}) < len(self.units):
            raise ValueError("a unit is listed more than once")
        return self


class SaltOut(Outgoing):
    """What a search has found, as it stands in the plan now."""

    salt: str
    seed: int
    tried: int
    most: int
    acceptable_share: float
    criterion: str
    threshold: float
    score: float
    largest_difference: float
    covariates: list[str]
    units: int
    population: str
    arms: dict[str, float]


class TemplatePut(Incoming):
    """A plan to begin from."""

    description: Text = ""
    plan: Plan


class TemplateOut(Outgoing):
    """A plan to begin from."""

    key: str
    description: str
    plan: Plan
    created_at: datetime
    updated_at: datetime
