"""Taking events in and giving them out for analysis."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.audit import service as audit
from assay.core.config import Settings
from assay.core.database import ReadSession, WriteSession
from assay.events import (
    answering,
    appending,
    forgetting,
    ingest,
    rejected,
    repository,
    settling,
    tally,
    wire,
)
from assay.events import status as event_status
from assay.events.appending import Taken
from assay.events.ingest import Arrival, Counts, Distinct, Row, Sorted
from assay.events.models import RejectedEvent
from assay.events.schemas import BatchOut, EventStatusOut, ForgottenOut
from assay.events.wire import AnyEvent, Malformed
from assay.jobs import service as jobs
from assay.jobs.schemas import TaskOut
from assay.projects import service as projects

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ibis.backends.duckdb import Backend

    from assay.events.facts import Facts

FORGET = "forget_unit"


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
    (known,) = await store_together(tx, [Arrival(environment_id, batch_sorted)], now=now)
    return answering.describe(batch_sorted, known=known)


async def store_together(tx: WriteSession, arrivals: Sequence[Arrival], *, now: datetime) -> list[set[str]]:
    """Stores what is new in several batches, keeps what was refused, and counts both.

    Returns:
        For each batch its identifiers that were stored before it.
    """
    events = ingest.distinct(arrivals)
    stored = await _append(tx, events, now)
    known = [
        before | _stored_of(arrival, stored) for arrival, before in zip(arrivals, events.known, strict=True)
    ]
    await settling.settle(tx, events.rows)
    await rejected.keep(tx, arrivals, received_at=now)
    # Last, because the rows are locked until the commit.
    await tally.add(tx, ingest.sums(arrivals, known))
    return known


async def refused(
    tx: ReadSession, environment_id: uuid.UUID, *, cursor: str | None, limit: int
) -> tuple[Sequence[RejectedEvent], str | None]:
    """A page of the environment's rejected events, the newest first, and the cursor of the next."""
    return await rejected.listing(tx, environment_id, cursor=cursor, limit=limit)


async def refused_naming(
    tx: ReadSession, environment_id: uuid.UUID, names: Sequence[str]
) -> tuple[Mapping[str, int], str | None]:
    """How many rejected events say one of these names, and why the newest of them was."""
    return await rejected.naming(tx, environment_id, names)


async def replay(
    tx: WriteSession, environment_id: uuid.UUID, *, now: datetime, max_ahead: timedelta
) -> Counts:
    """Judges again what was refused; what passes now is stored and no longer refused."""
    kept = await rejected.replayable(tx, environment_id)
    batch = [wire.read_one(each.body.encode()) for each in kept]
    items = ingest.sort(batch, now=now, max_ahead=max_ahead).items
    passed = [each.id for each, item in zip(kept, items, strict=True) if isinstance(item, Row)]
    if not passed:
        return Counts(0, 0, len(kept))
    batch_passed = Sorted([item for item in items if isinstance(item, Row)])
    (known,) = await store_together(tx, [Arrival(environment_id, batch_passed)], now=now)
    await rejected.forget(tx, passed)
    counted = ingest.counts(batch_passed, known=known)
    return Counts(counted.accepted, counted.repeated, len(kept) - len(passed))


async def _append(tx: WriteSession, events: Distinct, now: datetime) -> Taken:
    if not any(events.rows.values()):
        return {}
    return await appending.append(tx, events.rows, received_at=now)


def _stored_of(arrival: Arrival, stored: Taken) -> set[str]:
    known = stored.get(arrival.environment_id)
    return known.intersection(arrival.batch.identifiers) if known else set()


async def status(tx: ReadSession, project: str, environment: str, *, now: datetime) -> EventStatusOut:
    """How the events of an environment fare.

    Raises:
        ProjectNotFound, EnvironmentNotFound: There is no such place.
    """
    place = await projects.get_environment(tx, project, environment)
    return await event_status.of_environment(tx, place.id, now=now)


async def totals(tx: ReadSession, *, now: datetime) -> Mapping[str, float]:
    """Over all environments: `buffered`, `sealed`, `bytes`, `files`, `lag_seconds`."""
    return await event_status.totals(tx, now=now)


async def begin_forgetting(
    tx: WriteSession, project: str, environment: str, unit: str, *, actor: str, now: datetime
) -> TaskOut:
    """Asks for all events of a unit to be deleted; the change log says so without naming the unit.

    Raises:
        ProjectNotFound, EnvironmentNotFound: There is no such place.
    """
    place = await projects.get_environment(tx, project, environment)
    digest = hashlib.blake2b(unit.encode(), digest_size=16).hexdigest()
    task = await jobs.begin_next(
        tx,
        kind=FORGET,
        subject=str(place.id),
        part=digest,
        arguments={"environment_id": str(place.id), "unit": unit},
        now=now,
    )
    await audit.record(
        tx,
        project_id=place.project_id,
        actor=actor,
        action="events.forget",
        subject=f"environments/{environment}/events",
        before=None,
        after={"task": str(task.id), "unit_blake2b": digest},
        at=now,
    )
    return task


async def poll_forgetting(tx: ReadSession, project: str, environment: str, task: uuid.UUID) -> TaskOut:
    """Where a deletion stands.

    Raises:
        TaskNotFound: There is no such deletion in this environment.
    """
    place = await projects.get_environment(tx, project, environment)
    return await jobs.poll(tx, task, subject=str(place.id))


async def forgotten(tx: ReadSession, project: str, environment: str, task: uuid.UUID) -> ForgottenOut:
    """What a deletion has deleted.

    Raises:
        TaskNotFound, NotFinished, TaskFailed: There is nothing to tell, yet or at all.
    """
    place = await projects.get_environment(tx, project, environment)
    return ForgottenOut.model_validate(await jobs.result(tx, task, subject=str(place.id)))


async def recent_units(
    tx: ReadSession, environment_id: uuid.UUID, *, limit: int
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """The units of an environment's newest exposures, each with the properties of its newest.

    Args:
        limit: Of how many exposures; a unit among them several times is one.
    """
    return await repository.recent_units(tx, environment_id, limit=limit)


def derived_folder(settings: Settings, environment_id: uuid.UUID) -> Path:
    """Where whoever analyses an environment's events may keep what was made from them.

    All of it is deleted when a unit is forgotten, by somebody who waits for `facts` to be let go.
    """
    return forgetting.derived_folder(settings, environment_id)


def facts(
    settings: Settings,
    url: str,
    engine: "Backend",
    *,
    environment_id: uuid.UUID,
    experiment: str,
    names: Sequence[str],
    beside: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> "AbstractContextManager[Facts]":
    """The exposures of an experiment and the named events, each once, as a table of the engine.

    For a thread of its own: it reads the database and, when the table is computed, the lake's files. While
    the block lasts no file is deleted from under it.

    Args:
        engine: Ibis' DuckDB, which the caller makes and closes.
        beside: Other experiments whose exposures are wanted too.
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
        beside=beside,
        since=since,
        until=until,
    )
