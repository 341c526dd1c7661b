"""What a metric would look like over recent events, before it is saved."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
from pydantic import Field

from assay.core.config import Settings
from assay.core.database import ReadSession, url_of
from assay.events import service as events
from assay.metrics.definition import Definition, event_names
from assay.metrics.schemas import MetricOut
from assay.projects import service as projects
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Outgoing

if TYPE_CHECKING:
    from assay.analysis.sampling import Sampled

MOST_DAYS = 90
MOST_EVENTS = 200_000


class PreviewRequest(Incoming):
    """A definition, and where to try it."""

    definition: Definition
    environment: Key = "production"
    days: int = Field(14, ge=1, le=MOST_DAYS, description="How far back to look.")


class Histogram(Outgoing):
    """Counts between edges; each bin has its lower edge, the last one both."""

    edges: list[float]
    counts: list[int]


class Distribution(Outgoing):
    """One number of the metric over units."""

    part: str = Field(description="`value`, or `numerator` and `denominator` of a ratio.")
    units: int = Field(description="Units with a value.")
    missing: int = Field(description="Units left out.")
    mean: float | None
    standard_deviation: float | None
    share_zero: float | None
    quantiles: dict[str, float] = Field(description="By the share of units below.")
    histogram: Histogram | None


class MetricPreview(Outgoing):
    """How the metric is distributed over units with any of its events, as if exposed at their first."""

    since: datetime
    events: int
    is_sample: bool = Field(description=f"There were more than {MOST_EVENTS:,} events; the newest were read.")
    distributions: list[Distribution]
    sql: str = Field(description="The query of the numbers per unit.")


async def preview(
    tx: ReadSession, project: str, request: PreviewRequest, *, settings: Settings, since: datetime
) -> MetricPreview:
    """The distribution of a metric that is not saved.

    Raises:
        UnknownEnvironment: The project has no such environment.
    """
    await projects.require_environment(tx, project, request.environment)
    place = await projects.get_environment(tx, project, request.environment)
    metric = _metric(request, since)
    names = event_names(request.definition)
    url = url_of(tx)
    facts = partial(
        events.facts, settings, url, environment_id=place.id, experiment="", names=names, since=since
    )

    def sampled() -> "Sampled":
        # The engine is loaded by the first one that asks, not by every start.
        from assay.analysis.sampling import sample  # noqa: PLC0415
        from assay.sources.service import local_engine  # noqa: PLC0415

        engine = local_engine()
        with facts(engine) as found:
            return sample(found.table, metric, most=MOST_EVENTS)

    found = await anyio.to_thread.run_sync(sampled)
    return _shown(found, since)


def _metric(request: PreviewRequest, at: datetime) -> MetricOut:
    return MetricOut(
        key="preview",
        name="preview",
        description="",
        direction="increase",
        definition=request.definition,
        version=1,
        created_at=at,
        updated_at=at,
    )


def _shown(found: "Sampled", since: datetime) -> MetricPreview:
    parts: Sequence[str] = ["numerator", "denominator"] if len(found.numbers) > 1 else ["value"]
    return MetricPreview(
        since=since.astimezone(UTC),
        events=found.events,
        is_sample=found.is_cut,
        distributions=[
            Distribution.model_validate({"part": part, **number})
            for part, number in zip(parts, found.numbers, strict=True)
        ],
        sql=found.sql,
    )
