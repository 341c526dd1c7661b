"""What the API says about the archive."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from assay.shared.schema import Outgoing

METHOD = Field(
    description="Of the frozen plan, by which the interval is made: `fixed`, `group_sequential`, "
    "`always_valid` or `bayesian`. Null is one plain test: the plan allowed no reading yet, or a version "
    "of Assay kept no other."
)


class EffectOut(Outgoing):
    """What an experiment found on a metric in one arm."""

    metric: str
    arm: str
    role: str
    finding: str
    method: str | None = METHOD
    lift: float | None = Field(description="Difference over |control|, by that method.")
    low: float | None
    high: float | None


class ArchivedOut(Outgoing):
    """An experiment that is over."""

    key: str
    name: str
    hypothesis: str
    learnings: str
    tags: list[str]
    outcome: str | None = Field(description="Null for an observed experiment.")
    started_at: datetime | None
    ended_at: datetime | None
    effects: list[EffectOut] = Field(description="Of its newest result; none when it was never analysed.")


class RateOut(Outgoing):
    """A share with its interval (Wilson, 95 %)."""

    wins: int
    trials: int
    share: float
    low: float
    high: float


class ShrunkOut(Outgoing):
    """An effect drawn towards the others."""

    lift: float
    low: float
    high: float


class TogetherOut(Outgoing):
    """Random-effects meta-analysis (DerSimonian and Laird, intervals of 95 %)."""

    pooled: float
    pooled_low: float
    pooled_high: float
    pooled_error: float
    spread: float = Field(description="Standard deviation of true effects between experiments.")
    i_squared: float = Field(description="Share of the scatter that is not chance.")
    p_value: float = Field(description="Of the hypothesis that all share one effect.")
    shrunk: Sequence[ShrunkOut] = Field(exclude=True)


class PriorOut(Outgoing):
    """A prior for the next experiment, as a Bayesian plan takes it."""

    mean: float
    standard_deviation: float


class PastEffectOut(Outgoing):
    """One past effect, as found and as believed."""

    experiment: str
    name: str
    ended_at: datetime | None
    arm: str
    role: str
    finding: str
    method: str | None = METHOD
    lift: float | None = Field(description="Difference over |control|, by that method.")
    low: float | None
    high: float | None
    shrunk: float | None = Field(
        description="The plain estimate drawn towards the others: free of the winner's luck."
    )
    shrunk_low: float | None
    shrunk_high: float | None


class PastEffectsOut(Outgoing):
    """All past effects on a metric."""

    metric: str
    effects: list[PastEffectOut]
    win_rate: RateOut | None = Field(description="How often an arm was better on it, where it was a goal.")
    together: TogetherOut | None = Field(description="Null of fewer than two.")
    prior: PriorOut | None = Field(description="Null of fewer than five.")
    sentence: str


class MetricSummaryOut(Outgoing):
    """A metric's past effects in a line."""

    metric: str
    effects: int
    win_rate: RateOut | None
    together: TogetherOut | None
    prior: PriorOut | None


class ArchiveSummaryOut(Outgoing):
    """A project's past in figures."""

    experiments: int
    shipped: RateOut | None = Field(description="Of planned experiments that are over.")
    metrics: list[MetricSummaryOut]
