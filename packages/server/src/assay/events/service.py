"""Taking events in and giving them out for analysis."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from assay.core.database import ReadSession, WriteSession
from assay.events import ingest, repository
from assay.events.ingest import Verdict
from assay.events.schemas import BatchOut, EventVerdict
from assay.events.wire import AnyEvent, Malformed

if TYPE_CHECKING:
    import pyarrow as pa


async def store(
    tx: WriteSession,
    environment_id: uuid.UUID,
    batch: Sequence[AnyEvent | Malformed],
    *,
    now: datetime,
    max_ahead: timedelta = timedelta(),
) -> BatchOut:
    """Stores what is new in the batch and answers with a verdict per item."""
    batch_sorted = ingest.sort(batch, now=now, max_ahead=max_ahead)
    new = await repository.append(tx, environment_id, batch_sorted.rows, received_at=now)
    answers = ingest.verdicts(batch_sorted, new=new)
    tally = Counter(verdict for _, verdict, _ in answers)
    return BatchOut(
        accepted=tally[Verdict.ACCEPTED],
        repeated=tally[Verdict.REPEATED],
        rejected=tally[Verdict.REJECTED],
        verdicts=[EventVerdict(id=id_, verdict=verdict, reason=reason) for id_, verdict, reason in answers],
    )


async def recent_units(
    tx: ReadSession, environment_id: uuid.UUID, *, limit: int
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """The units of an environment's newest exposures, each with the properties of its newest.

    Args:
        limit: Of how many exposures; a unit among them several times is one.
    """
    return await repository.recent_units(tx, environment_id, limit=limit)


async def table(
    url: str, *, schema: str, environment_id: uuid.UUID, experiment: str, names: Sequence[str]
) -> "pa.Table":
    """The exposures of an experiment and the named metric events beside them.

    Returns:
        Columns `kind`, `name`, `unit`, `at`, `variant`, `value`, from one snapshot.
    """
    from assay.events import reading  # noqa: PLC0415 — Arrow's drivers take half a second that serving never needs

    read = partial(
        reading.read_events,
        url,
        schema=schema,
        environment_id=environment_id,
        experiment=experiment,
        names=names,
    )
    return await anyio.to_thread.run_sync(read)
