"""Taking events in and giving them out for analysis."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from assay.core.config import Settings
from assay.core.database import ReadSession, WriteSession
from assay.events import ingest, repository
from assay.events.ingest import Verdict
from assay.events.schemas import BatchOut, EventVerdict
from assay.events.wire import AnyEvent, Malformed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ibis.backends.duckdb import Backend

    from assay.events.facts import Facts


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


def facts(
    settings: Settings,
    url: str,
    engine: "Backend",
    *,
    environment_id: uuid.UUID,
    experiment: str,
    names: Sequence[str],
    since: datetime | None = None,
    until: datetime | None = None,
) -> "AbstractContextManager[Facts]":
    """The exposures of an experiment and the named events, each once, as a table of the engine.

    For a thread of its own: it reads the database and, when the table is computed, the lake's files. While
    the block lasts no file is deleted from under it.

    Args:
        engine: Ibis' DuckDB, which the caller makes and closes.
        since: Only events from this moment on; days before it are not read.
        until: Only events before this moment, likewise.
    """
    from assay.events import facts as module  # noqa: PLC0415 — Arrow's drivers take half a second that serving never needs

    return module.facts(
        settings,
        url,
        engine,
        environment_id=environment_id,
        experiment=experiment,
        names=names,
        since=since,
        until=until,
    )
