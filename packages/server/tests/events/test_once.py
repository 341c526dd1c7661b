"""However events arrive, what is stored is the same: each event once, the first of equal identifiers."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from assay.core.database import Database
from assay.events import ingest, service
from assay.events.ingest import Arrival
from assay.events.wire import MetricEvent
from assay.projects import service as projects

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 20, tzinfo=UTC)

# An identifier stands for one content, as the senders of Assay make them.
identified = st.integers(0, 11).map(
    lambda number: MetricEvent(
        name=f"order_{number % 3}",
        unit=f"u{number % 5}",
        at=NOW - timedelta(hours=number),
        value=number / 3,
        id=None if number % 2 else str(number),
    )
)


@st.composite
def muddled_histories(
    draw: st.DrawFn,
) -> tuple[list[MetricEvent], list[list[list[MetricEvent]]]]:
    """Events as they happened, and as they arrived: repeated, out of order, in batches that share commits."""
    history = draw(st.lists(identified, min_size=1, max_size=30))
    shuffled = draw(st.permutations([*history, *draw(st.lists(st.sampled_from(history)))]))
    cuts = sorted(draw(st.sets(st.integers(0, len(shuffled)))))
    batches = [shuffled[low:high] for low, high in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    together = draw(st.integers(1, len(batches)))
    return history, [batches[at : at + together] for at in range(0, len(batches), together)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(muddled_histories())
async def test_repeated_reordered_split_and_merged_batches_store_the_same(
    database: Database, histories: tuple[list[MetricEvent], list[list[list[MetricEvent]]]]
) -> None:
    history, groups = histories

    plain = await stored(database, [[history]])
    muddled = await stored(database, groups)

    assert muddled == plain


async def stored(
    database: Database, groups: Sequence[Sequence[Sequence[MetricEvent]]]
) -> list[tuple[object, ...]]:
    """What is in the buffer after the groups, each one transaction; the buffer is emptied before."""
    async with database.writing() as tx:
        await tx.execute(text("DELETE FROM event"))
        place = (await projects.get_environment(tx, "default", "production")).id
    for group in groups:
        async with database.writing() as tx:
            await service.store_together(tx, [an_arrival(place, batch) for batch in group], now=NOW)
    async with database.reading() as tx:
        rows = await tx.execute(
            text("SELECT event_id, kind, name, unit, at, value FROM event ORDER BY event_id")
        )
        return [tuple(row) for row in rows]


def an_arrival(place: uuid.UUID, batch: Sequence[MetricEvent]) -> Arrival:
    return Arrival(place, ingest.sort(batch, now=NOW, max_ahead=timedelta()))
