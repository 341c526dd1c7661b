"""Counting what became of events, in the transactions that made it so."""

import uuid
from collections.abc import Mapping

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from assay.core.database import WriteSession
from assay.events.ingest import Sums
from assay.events.models import EventTally


async def add(tx: WriteSession, sums: Mapping[uuid.UUID, Sums]) -> None:
    """Adds to the counts of some environments; their rows are locked until the end of the transaction."""
    # In order everywhere, so that two processes lock rows alike and cannot deadlock.
    for environment_id, sum_ in sorted(sums.items()):
        await _add(tx, environment_id, sum_)


async def _add(tx: WriteSession, environment_id: uuid.UUID, new: Sums) -> None:
    statement = insert(EventTally).values(
        environment_id=environment_id,
        accepted=new.accepted,
        repeated=new.repeated,
        rejected=new.rejected,
        ahead=new.ahead,
        max_ahead_seconds=new.max_ahead_seconds,
    )
    given = statement.excluded
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[EventTally.environment_id],
            set_={
                "accepted": EventTally.accepted + given.accepted,
                "repeated": EventTally.repeated + given.repeated,
                "rejected": EventTally.rejected + given.rejected,
                "ahead": EventTally.ahead + given.ahead,
                "max_ahead_seconds": func.greatest(EventTally.max_ahead_seconds, given.max_ahead_seconds),
            },
        )
    )
