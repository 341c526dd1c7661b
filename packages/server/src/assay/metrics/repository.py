"""Queries over metrics."""

import uuid
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from assay.core.database import ReadSession, WriteSession
from assay.metrics.models import Metric
from assay.shared import pagination
from assay.shared.ids import new_id


async def by_keys(tx: ReadSession, project_id: uuid.UUID, keys: Collection[str]) -> Sequence[Metric]:
    """The project's metrics with these keys, those that exist."""
    rows = await tx.scalars(select(Metric).where(Metric.project_id == project_id, Metric.key.in_(keys)))
    return rows.all()


async def page(
    tx: ReadSession, project_id: uuid.UUID, *, tag: str | None, cursor: str | None, limit: int
) -> Sequence[Metric]:
    """One row more than a page of the project's metrics, those with the tag if one is given."""
    statement = select(Metric).where(Metric.project_id == project_id)
    if tag is not None:
        statement = statement.where(Metric.tags.contains([tag]))
    rows = await tx.scalars(pagination.after(statement, Metric.id, cursor=cursor, limit=limit))
    return rows.all()


async def insert_metric(
    tx: WriteSession, project_id: uuid.UUID, values: Mapping[str, object]
) -> Metric | None:
    """The new metric, or None when the key is taken."""
    row = {"id": new_id(), "project_id": project_id, "version": 1, **values}
    return await tx.scalar(insert(Metric).values(row).on_conflict_do_nothing().returning(Metric))
