"""Events that were refused: kept for a while with the reason, seen, and taken again when they pass."""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, false, func, insert, or_, select

from assay.core.database import ReadSession, WriteSession
from assay.events.ingest import Arrival, Rejection
from assay.events.models import RejectedEvent
from assay.shared import pagination
from assay.shared.ids import new_id

# The newest of each environment; what is beyond them goes.
KEPT = 10_000
LONGEST_BODY = 4_096
LONGEST_REASON = 1_000
LONGEST_IDENTIFIER = 200


async def keep(tx: WriteSession, arrivals: Iterable[Arrival], *, received_at: datetime) -> None:
    """Keeps what several batches were refused, and forgets the oldest beyond what is kept."""
    refused: dict[uuid.UUID, list[Rejection]] = {}
    for arrival in arrivals:
        if rejections := arrival.batch.rejections:
            refused.setdefault(arrival.environment_id, []).extend(rejections)
    for environment_id, rejections in sorted(refused.items()):
        rows = [_row(environment_id, each, received_at) for each in rejections[-KEPT:]]
        await tx.execute(insert(RejectedEvent), rows)
        await _forget_oldest(tx, environment_id)


async def listing(
    tx: ReadSession, environment_id: uuid.UUID, *, cursor: str | None, limit: int
) -> tuple[Sequence[RejectedEvent], str | None]:
    """A page of what was refused, the newest first, and the cursor of the next."""
    statement = select(RejectedEvent).where(RejectedEvent.environment_id == environment_id)
    rows = await tx.scalars(pagination.before(statement, RejectedEvent.id, cursor=cursor, limit=limit))
    return pagination.split(rows.all(), limit=limit)


async def naming(
    tx: ReadSession, environment_id: uuid.UUID, names: Sequence[str]
) -> tuple[dict[str, int], str | None]:
    """How many of the refused events that are kept say one of these names, and why the newest was refused."""
    ours = RejectedEvent.environment_id == environment_id
    quoted = {name: RejectedEvent.body.contains(json.dumps(name), autoescape=True) for name in names}
    counts = select(*(func.count().filter(says) for says in quoted.values())).where(ours)
    found = (await tx.execute(counts)).one() if quoted else ()
    newest = select(RejectedEvent.reason).where(ours, or_(false(), *quoted.values()))
    reason = await tx.scalar(newest.order_by(RejectedEvent.id.desc()).limit(1))
    return {name: count for name, count in zip(names, found, strict=True) if count}, reason


async def replayable(tx: WriteSession, environment_id: uuid.UUID) -> Sequence[RejectedEvent]:
    """What was refused and is kept whole, the oldest first, until the end of the transaction ours alone."""
    statement = select(RejectedEvent).where(
        RejectedEvent.environment_id == environment_id, RejectedEvent.cut.is_(False)
    )
    return (await tx.scalars(statement.order_by(RejectedEvent.id).with_for_update())).all()


async def forget(tx: WriteSession, identifiers: Sequence[uuid.UUID]) -> None:
    """Removes what is no longer refused."""
    await tx.execute(
        delete(RejectedEvent).where(RejectedEvent.id.in_(identifiers)),
        execution_options={"synchronize_session": False},
    )


async def _forget_oldest(tx: WriteSession, environment_id: uuid.UUID) -> None:
    ours = RejectedEvent.environment_id == environment_id
    oldest_kept = (
        select(RejectedEvent.id).where(ours).order_by(RejectedEvent.id.desc()).offset(KEPT - 1).limit(1)
    )
    await tx.execute(
        delete(RejectedEvent).where(ours, RejectedEvent.id < oldest_kept.scalar_subquery()),
        execution_options={"synchronize_session": False},
    )


def _row(environment_id: uuid.UUID, rejection: Rejection, received_at: datetime) -> dict[str, object]:
    identifier, body = rejection.event_id, rejection.body
    return {
        "id": new_id(),
        "environment_id": environment_id,
        "received_at": received_at,
        "event_id": None if identifier is None else _storable(identifier, LONGEST_IDENTIFIER),
        "reason": _storable(rejection.reason, LONGEST_REASON),
        "body": _storable(body, LONGEST_BODY),
        "cut": len(body) > LONGEST_BODY,
    }


def _storable(text: str, longest: int) -> str:
    return text[:longest].replace("\x00", "\ufffd")
