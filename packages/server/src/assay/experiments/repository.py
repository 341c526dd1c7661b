"""Queries over experiments."""

import uuid
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from assay.core.database import ReadSession, WriteSession
from assay.experiments.models import Experiment
from assay.shared import pagination
from assay.shared.ids import new_id


async def by_keys(tx: ReadSession, project_id: uuid.UUID, keys: Collection[str]) -> Sequence[Experiment]:
    """The project's experiments with these keys, those that exist."""
    rows = await tx.scalars(
        select(Experiment).where(Experiment.project_id == project_id, Experiment.key.in_(keys))
    )
    return rows.all()


async def page(
    tx: ReadSession, project_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[Experiment]:
    """One row more than a page of the project's experiments."""
    statement = select(Experiment).where(Experiment.project_id == project_id)
    rows = await tx.scalars(pagination.after(statement, Experiment.id, cursor=cursor, limit=limit))
    return rows.all()


async def newest(tx: ReadSession, *, limit: int) -> Sequence[Experiment]:
    """The experiments of all projects made last, newest first."""
    return (await tx.scalars(select(Experiment).order_by(Experiment.id.desc()).limit(limit))).all()


async def insert_experiment(
    tx: WriteSession, project_id: uuid.UUID, values: Mapping[str, object]
) -> Experiment | None:
    """The new experiment, or None when the key is taken."""
    row = {"id": new_id(), "project_id": project_id, **values}
    return await tx.scalar(insert(Experiment).values(row).on_conflict_do_nothing().returning(Experiment))
