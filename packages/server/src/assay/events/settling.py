"""Exposures settle assignments, in the transaction that stores them."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence

from assay.assignments import service as assignments
from assay.assignments.service import Kept, Met
from assay.core.database import WriteSession
from assay.events.appending import Events
from assay.events.ingest import Row


async def settle(tx: WriteSession, events: Events) -> None:
    """Stores the first variant of each unit, where an experiment keeps it; most batches ask for nothing."""
    exposures = {
        environment_id: [row for row in named.values() if row.variant is not None]
        for environment_id, named in events.items()
    }
    places = sorted(environment_id for environment_id, rows in exposures.items() if rows)
    if not places:
        return
    kept = await assignments.keeping(tx, places)
    if not kept:
        return
    met = {
        environment_id: list(_met(environment_id, exposures[environment_id], kept))
        for environment_id in places
    }
    await assignments.settle_all(
        tx, {environment_id: found for environment_id, found in met.items() if found}
    )


def _met(
    environment_id: uuid.UUID, exposures: Sequence[Row], kept: Mapping[tuple[uuid.UUID, str], Kept]
) -> Iterator[Met]:
    for row in exposures:
        keeping = kept.get((environment_id, row.name))
        if keeping is None or row.variant is None:
            continue
        unit = row.unit if keeping.unit_kind is None else _other_unit(row, keeping.unit_kind)
        if unit is not None and (found := keeping.met(unit, row.variant, row.at)) is not None:
            yield found


def _other_unit(row: Row, kind: str) -> str | None:
    return None if row.units is None else json.loads(row.units).get(kind)
