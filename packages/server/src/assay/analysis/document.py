"""The result document: the same shape from a file, over HTTP and on the page."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from assay.analysis.differing import Heterogeneity, Interaction, Novelty, SharedUnits
from assay.analysis.methods import CauseKind, Correction, Finding, Role
from assay.analysis.plan import Kind
from assay.shared.schema import Outgoing

SCHEMA_VERSION = 1


class Undefined(Outgoing):
    """Why a number could not be computed."""

    reason: str = Field(description="Stable code of the reason.")
    sentence: str


class Estimate(Outgoing):
    """An estimate with its interval, or the reason why there is none."""

    method: str
    estimate: float | None
    low: float | None = Field(
        description="Lower end of the interval; null when it is unbounded or undefined."
    )
    high: float | None = Field(
        description="Upper end of the interval; null when it is unbounded or undefined."
    )
    undefined: Undefined | None


class ArmUnits(Outgoing):
    """How many units an arm has."""

    arm: str
    name: str | None = Field(
        default=None, description="What sentences call it; null where that is the key, and in segments."
    )
    weight: float
    units: int


class Excluded(Outgoing):
    """What is not in the estimates."""

    in_several_arms: int = Field(
        description="Units seen in more than one arm; in none of them, or in their first as the plan says."
    )
    without_unit: int = Field(description="Rows that name no unit.")
    without_arm: int = Field(description="Rows that name no arm.")
    unknown_arms: dict[str, int] = Field(description="Units in arms that the experiment does not have.")
    without_cluster: int = Field(default=0, description="Units whose exposures name no cluster.")


class SampleRatio(Outgoing):
    """Whether the units are split as the weights say."""

    statistic: float | None
    degrees_of_freedom: float | None
    p_value: float | None
    suspicious: bool = Field(description="p below 0.01: find the cause before reading any metric.")
    undefined: Undefined | None


class ArmSummary(Outgoing):
    """One arm of a metric."""

    arm: str
    units: int = Field(description="Units with a value.")
    missing: int = Field(description="Units without one, left out.")
    mean: float | None = Field(description="Mean, share, quantile, or for a ratio the ratio of the sums.")
    standard_deviation: float | None


class Adjusted(Outgoing):
    """The comparison after what was known before exposure is taken out of it."""

    method: str
    difference: Estimate
    p_value: float | None
    lift: Estimate
    variance_reduction: float | None = Field(
        description="Share of the variance of the unadjusted difference that is gone; negative when it grew."
    )


class MarginTest(Outgoing):
    """Whether a guardrail is worse by less than its margin, one-sided."""

    kind: Literal["relative", "absolute"]
    margin: float
    p_value: float | None = Field(
        description="Of the hypothesis that the arm is worse by the margin or more."
    )
    is_within: bool | None = Field(description="p below alpha; null when it cannot be computed.")
    undefined: Undefined | None


class Look(Outgoing):
    """The difference as it stood at the end of a day.

    No p-value: read day after day, a test for one look errs far more often than it says.
    """

    day: date = Field(description="Ends at midnight UTC.")
    control_units: int
    arm_units: int
    estimate: float | None
    standard_error: float | None
    adjusted_estimate: float | None = None
    adjusted_standard_error: float | None = None
    low: float | None = Field(
        default=None,
        description="Lower end of the band that holds at all looks together, around what is claimed from.",
    )
    high: float | None = Field(default=None, description="Upper end of the band.")


class Unbiased(Outgoing):
    """What a group-sequential design that has ended estimates, without the optimism of stopping early."""

    estimate: float | None = Field(description="Median-unbiased.")
    low: float | None
    high: float | None


class Belief(Outgoing):
    """What a Bayesian reading adds to its interval."""

    chance_to_beat: float | None = Field(description="Posterior probability of being better.")
    loss_if_shipped: float | None = Field(description="Expected loss of choosing the arm.")
    loss_if_kept: float | None = Field(description="Expected loss of keeping the control.")


class Claim(Outgoing):
    """The one interval by the plan's method and correction at this look, and what it says.

    Every word, colour and decision follows from this interval.
    """

    role: Role
    method: Literal["fixed", "group_sequential", "always_valid", "bayesian"]
    basis: Literal["plain", "adjusted"] = Field(description="Which estimate it is made from.")
    finding: Finding
    sentence: str
    estimate: float | None = Field(description="Arm minus control; null while the method allows no reading.")
    low: float | None
    high: float | None
    lift: Estimate | None = Field(
        description="The same interval as a share of |control|, by the delta method."
    )
    level: float = Field(description="Coverage of the interval, after correction.")
    p_value: float | None = Field(description="Valid at this look; null where the method has none.")
    adjusted_p_value: float | None = Field(description="Corrected: to be compared with the plan's alpha.")
    day: date | None = Field(description="The look the interval belongs to; null without a calendar.")
    is_settled: bool = Field(description="The interval excludes 0: the method's boundary is crossed.")
    within_margin: bool | None = Field(description="Of a guardrail with a margin: any loss is tolerable.")
    unbiased: Unbiased | None
    belief: Belief | None
    doubt: str | None = Field(description="Why an effect is too large to be believed at once.")
    days_to_plan: int | None = Field(description="Until the planned units are in, at the pace of late.")
    days_to_power: int | None = Field(
        description="Until the smallest effect worth finding is found with the planned power, at this noise."
    )
    is_exploratory: bool = Field(description="Not planned before the start.")


class View(Outgoing):
    """A Bayesian reading beside the claim, by a prior that nobody planned with: a view, no claim."""

    prior_mean: float = Field(description="Of the lift, a share of the control.")
    prior_sd: float | None = Field(description="Null for a flat prior.")
    estimate: float | None = Field(description="Mean of the posterior, in the metric's own unit.")
    low: float | None
    high: float | None
    level: float = Field(description="The interval holds the effect with this probability, given the prior.")
    chance_to_beat: float | None = Field(description="Posterior probability of being better.")
    loss_if_shipped: float | None = Field(description="Expected loss of choosing the arm.")
    loss_if_kept: float | None = Field(description="Expected loss of keeping the control.")
    undefined: Undefined | None


class Comparison(Outgoing):
    """An arm against the control."""

    arm: str
    difference: Estimate = Field(description="Arm minus control, in the metric's own unit.")
    p_value: float | None = Field(description="Of the hypothesis that the difference is 0, two-sided.")
    lift: Estimate = Field(description="Difference over |control|, a share; interval by the delta method.")
    lift_fieller: Estimate = Field(description="The same by Fieller, honest when the control is near 0.")
    adjusted: Adjusted | None = Field(
        None, description="Beside the plain estimate when the metric has covariates or the plan has strata."
    )
    margin: MarginTest | None = Field(None, description="For a guardrail.")
    looks: list[Look] = Field(default_factory=list[Look], description="Every day so far, oldest first.")
    claim: Claim | None = Field(
        default=None, description="What may be claimed; null for segments, which explore."
    )
    view: View | None = Field(default=None, description="Asked for beside the claim.")


class Failure(Outgoing):
    """Why a metric has no result while others have."""

    sentence: str = Field(description="What the engine said.")


class MetricResult(Outgoing):
    """One metric: every arm, every comparison."""

    metric: str
    name: str
    kind: Kind
    direction: Literal["increase", "decrease"]
    version: int | None
    arms: list[ArmSummary]
    comparisons: list[Comparison]
    failure: Failure | None = Field(None, description="Then there are no arms and no comparisons.")
    sql: str | None = Field(None, description="The query that computes the metric, in the engine's words.")
    no_looks: str | None = Field(default=None, description="Why there is no series of days.")


class SegmentMetric(Outgoing):
    """One metric within a segment."""

    metric: str
    arms: list[ArmSummary]
    comparisons: list[Comparison]


class SegmentResult(Outgoing):
    """The units of one value of a dimension, as it was at their first exposure."""

    dimension: str
    kind: Literal["value", "other", "missing"] = Field(
        description="One of the most frequent values, all the rarer ones, or no value."
    )
    value: str | None
    arms: list[ArmUnits]
    metrics: list[SegmentMetric]


class Read(Outgoing):
    """How the plan reads its looks."""

    method: Literal["fixed", "group_sequential", "always_valid", "bayesian"]
    alpha: float = Field(description="Probability of a false claim, both sides and all looks together.")
    correction: Correction
    is_final: bool = Field(description="The planned end is reached, or the experiment has ended.")


class Decided(Outgoing):
    """What to do about one arm."""

    arm: str
    verdict: Literal["ship", "do_not_ship", "keep_going", "cannot_say"] | None = Field(
        description="Null when no metric decides."
    )
    sentence: str


class RingingSegment(Outgoing):
    """A segment whose split is not the planned one."""

    dimension: str
    value: str
    units: dict[str, int]
    p_value: float = Field(description="Valid at all looks, corrected for the number of segments.")


class LikelyCause(Outgoing):
    """Why the split may have gone wrong."""

    kind: CauseKind
    dimension: str | None
    value: str | None
    since: datetime | None
    until: datetime | None
    arm: str
    probability: float = Field(description="Among the causes considered; they are not all there are.")
    sentence: str


class Diagnosis(Outgoing):
    """The split as it is watched from hour to hour."""

    p_value: float | None = Field(description="Valid at all looks together.")
    alarm_at: datetime | None = Field(description="The period in which the alarm first rang.")
    segments: list[RingingSegment]
    causes: list[LikelyCause] = Field(description="Most likely first; none without an alarm.")


class Exposed(Outgoing):
    """New units of a day."""

    day: date = Field(description="In UTC.")
    units: dict[str, int] = Field(description="By arm.")


class ArrivedEvents(Outgoing):
    """How events of one name have come in."""

    kind: Literal["exposure", "event"]
    name: str
    events: int
    late: int = Field(description="Events that came more than a day after they happened.")
    last_at: datetime | None = Field(description="When the newest happened.")
    received_at: datetime | None = Field(
        description="When the last one came in; null where nobody kept that."
    )


class Arrivals(Outgoing):
    """How the events of the experiment came in, and what was lost on the way, when it was analysed."""

    events: list[ArrivedEvents]
    silent: list[str] = Field(description="Events of the metrics of which not one has come.")
    rejected: dict[str, int] = Field(
        description="Refused events that name the experiment or one of its events, of those that are kept."
    )
    rejected_reason: str | None = Field(description="Of the newest of them.")
    lag_seconds: float | None = Field(
        description="Age of the oldest event of the environment not sealed yet."
    )
    problem: str | None = Field(description="Why sealing does not succeed.")


class Clusters(Outgoing):
    """How whole clusters were assigned, and what errors are robust to."""

    assigned: str = Field(description="What was assigned, as exposures name it.")
    window_minutes: int | None = Field(description="Of a switchback; null where a cluster keeps its arm.")
    error: Literal["cluster_cr2"] = "cluster_cr2"
    error_unit: str = Field(description="What errors are robust to: the cluster, or the window.")
    counts: dict[str, int] = Field(description="How many of them have units in each arm.")
    notes: list[str] = Field(description="What to know before reading the intervals, a sentence each.")


class BatchUnits(Outgoing):
    """What happened between two moves of a bandit's weights."""

    epoch: int = Field(description="Number of the first epoch in it.")
    began_at: datetime
    weights: dict[str, float] = Field(description="By arm; they sum to 1.")
    units: dict[str, int] = Field(description="First exposed in it, by arm.")
    is_compared: bool = Field(description="It has enough units in the control and another arm.")


class Bandit(Outgoing):
    """How the split followed the data, and how arms are compared in spite of it."""

    error: Literal["batched"] = "batched"
    least_units: int = Field(description="Units both arms of a batch must have to be compared.")
    batches: list[BatchUnits]
    notes: list[str] = Field(description="What to know before reading the intervals, a sentence each.")


class Rerandomised(Outgoing):
    """The salt was searched for, so that arms are alike in what was known beforehand."""

    tried: int
    score: float = Field(description="Mahalanobis distance of the arms.")
    threshold: float = Field(description="Largest acceptable one, fixed beforehand.")
    covariates: list[str]
    sentence: str


class Document(Outgoing):
    """The result of an analysis."""

    schema_version: Literal[1] = 1
    assay_version: str
    unit: str
    control: str
    alpha: float = Field(description="Intervals cover with probability 1 - alpha.")
    arms: list[ArmUnits]
    excluded: Excluded
    sample_ratio: SampleRatio
    metrics: list[MetricResult]
    segments: list[SegmentResult] = Field(
        default_factory=list[SegmentResult],
        description="The same cut by dimensions. Many cuts find something by chance alone.",
    )
    uncut: list[str] = Field(
        default_factory=list[str],
        description="Dimensions of which no unit has a value, a sentence each, with those there are.",
    )
    read: Read | None = Field(default=None, description="How claims are made.")
    clusters: Clusters | None = Field(default=None, description="Null where units were assigned one by one.")
    bandit: Bandit | None = Field(
        default=None, description="Null where weights stay. Its expected shares stand as weights in `arms`."
    )
    rerandomised: Rerandomised | None = Field(default=None, description="Null for a salt left to chance.")
    decisions: list[Decided] = Field(default_factory=list[Decided], description="One per arm.")
    alarms: list[str] = Field(
        default_factory=list[str],
        description="What somebody should look at now, valid whenever it is read.",
    )
    halts: list[str] = Field(
        default_factory=list[str],
        description="For which of them a ramp stops by itself: a harmless experiment hardly ever has one, "
        "however often it is read.",
    )
    diagnosis: Diagnosis | None = Field(default=None, description="Null for a table without time.")
    exposures: list[Exposed] = Field(
        default_factory=list[Exposed], description="New units of every day; empty without a calendar."
    )
    heterogeneity: list[Heterogeneity] = Field(
        default_factory=list[Heterogeneity],
        description="Whether effects on the goals differ between segments, per dimension, goal and arm.",
    )
    novelty: list[Novelty] = Field(
        default_factory=list[Novelty],
        description="Whether lifts of the goals change with the time since first exposure.",
    )
    interactions: list[Interaction] = Field(
        default_factory=list[Interaction],
        description="Whether other experiments on the same units change the effects on the goals.",
    )
    shared_units: list[SharedUnits] = Field(
        default_factory=list[SharedUnits], description="Units that other experiments had too."
    )
    disturbances_failure: str | None = Field(
        default=None, description="Why novelty and interactions were not looked for."
    )
    arrivals: Arrivals | None = Field(
        default=None, description="Not part of the content hash: it depends on when events came in."
    )
    exploration: list[str] = Field(
        default_factory=list[str],
        description="How this reading departs from the planned one; empty for the planned reading.",
    )
    until: datetime | None = Field(
        default=None, description="The end of what was read, where it was asked for."
    )
    plan: str | None = Field(
        None, description="Digest of what was collected; equal plans read equal numbers."
    )
    content_hash: str | None = Field(
        default=None,
        description="SHA-256 over digits, plan, data and version of the methods; "
        "`assay results reproduce` arrives at it again.",
    )
