"""Queries over reports and over who read what."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import undefer

from assay.analysis.models import Look, Report
from assay.core.database import ReadSession, WriteSession
from assay.shared import pagination
from assay.shared.ids import new_id


async def insert_report(tx: WriteSession, values: Mapping[str, Any]) -> Report:
    """The new report."""
    report = Report(id=new_id(), approved_by=None, approved_at=None, **values)
    tx.add(report)
    await tx.flush()
    return report


async def report(tx: ReadSession, experiment_id: uuid.UUID, identifier: uuid.UUID) -> Report | None:
    """An experiment's report with what it freezes, if there is such a one."""
    statement = (
        select(Report)
        .where(Report.experiment_id == experiment_id, Report.id == identifier)
        .options(undefer(Report.document), undefer(Report.record))
    )
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def reports(
    tx: ReadSession, experiment_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[Report]:
    """One row more than a page of an experiment's reports, newest first."""
    statement = select(Report).where(Report.experiment_id == experiment_id)
    return (await tx.scalars(pagination.before(statement, Report.id, cursor=cursor, limit=limit))).all()


async def approve(tx: WriteSession, identifier: uuid.UUID, *, actor: str, at: datetime) -> bool:
    """Adds the approval, unless there is one; whether it was added."""
    statement = (
        update(Report)
        .where(Report.id == identifier, Report.approved_at.is_(None))
        .values(approved_by=actor, approved_at=at)
        .returning(Report.id)
    )
    return await tx.scalar(statement.execution_options(synchronize_session=False)) is not None


async def add_look(tx: WriteSession, values: Mapping[str, Any]) -> None:
    """Adds that somebody read a result; only the first time counts."""
    await tx.execute(insert(Look).values(id=new_id(), **values).on_conflict_do_nothing())


async def looks(
    tx: ReadSession, experiment_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[Look]:
    """One row more than a page of who read an experiment's results, newest first."""
    statement = select(Look).where(Look.experiment_id == experiment_id)
    return (await tx.scalars(pagination.before(statement, Look.id, cursor=cursor, limit=limit))).all()


async def early_results(tx: ReadSession, experiment_id: uuid.UUID, *, since: datetime) -> int:
    """How many results were read too early since then, each counted once."""
    statement = select(func.count(Look.result.distinct())).where(
        Look.experiment_id == experiment_id, Look.is_early, Look.at >= since
    )
    return await tx.scalar(statement) or 0
