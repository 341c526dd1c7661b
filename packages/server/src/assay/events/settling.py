"""Exposures settle assignments, in the transaction that stores them."""

import json
import uuid
from collections.abc import Sequence

from assay.assignments import service as assignments
from assay.assignments.service import Met
from assay.core.database import WriteSession
from assay.events.ingest import Row


async def settle(tx: WriteSession, rows: Sequence[tuple[uuid.UUID, Row]]) -> None:
    """Stores the first variant of each unit, where an experiment keeps it; most batches ask for nothing."""
    places = sorted({environment_id for environment_id, row in rows if row.variant is not None})
    if not places:
        return
    kept = await assignments.keeping(tx, places)
    met: dict[uuid.UUID, list[Met]] = {}
    for environment_id, row in rows if kept else ():
        keeping = kept.get((environment_id, row.name))
        if keeping is None or row.variant is None:
            continue
        unit = row.unit if keeping.unit_kind is None else _other_unit(row, keeping.unit_kind)
        if unit is not None and (found := keeping.met(unit, row.variant, row.at)) is not None:
            met.setdefault(environment_id, []).append(found)
    await assignments.settle_all(tx, met)


def _other_unit(row: Row, kind: str) -> str | None:
    return None if row.units is None else json.loads(row.units).get(kind)
