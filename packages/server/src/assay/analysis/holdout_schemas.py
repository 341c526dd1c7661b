"""What the API says about the results of holdouts."""

from datetime import datetime

from pydantic import Field

from assay.analysis.archive_schemas import EffectOut
from assay.experiments.holdouts import HoldoutReading
from assay.shared.schema import Outgoing


class HoldoutReadingOut(Outgoing):
    """A holdout as something to analyse."""

    experiment: str = Field(description="The name under which it has results, reports and a page.")
    holdout: str
    environment: str
    reading: HoldoutReading
    share: float = Field(description="Of units that it keeps out, in (0, 1).")
    started_at: datetime = Field(description="Exposures count from then on.")
    ended_at: datetime | None = Field(description="Nothing after it is read; null while it keeps units out.")
    notes: list[str] = Field(description="What to know before reading the result, a sentence each.")


class UnderOut(Outgoing):
    """An experiment that the holdout kept units out of, and what it found by itself."""

    key: str
    name: str
    state: str
    outcome: str | None
    shipped: str | None = Field(description="The arm that was shipped.")
    started_at: datetime
    ended_at: datetime | None
    effects: list[EffectOut] = Field(
        description="By its newest result, on the metrics of the holdout; its own units, its own days."
    )


class SumOut(Outgoing):
    """The plain sum of what shipped experiments found one by one: a comparison, no estimate."""

    metric: str
    experiments: list[str] = Field(description="Those added up.")
    lift: float | None = Field(description="Null when one of them has no estimate.")
    low: float | None = Field(description="95 %, as if they were independent and each was read once.")
    high: float | None
    sentence: str


class BesideOut(Outgoing):
    """What to see beside the estimate of a holdout."""

    experiments: list[UnderOut]
    sums: list[SumOut] = Field(description="One per metric on which something was shipped.")
