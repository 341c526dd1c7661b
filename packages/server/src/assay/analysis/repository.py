"""Queries over reports and over who read what."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import undefer

from assay.analysis.models import Look, PastEffect, Report, ShareLink
from assay.core.database import ReadSession, WriteSession
from assay.shared import pagination
from assay.shared.ids import new_id

WHOLE = (undefer(Report.document), undefer(Report.record), undefer(Report.subject))


async def insert_report(tx: WriteSession, values: Mapping[str, Any]) -> Report:
    """The new report."""
    report = Report(id=new_id(), approved_by=None, approved_at=None, **values)
    tx.add(report)
    await tx.flush()
    return report


async def report(tx: ReadSession, experiment_id: uuid.UUID, identifier: uuid.UUID) -> Report | None:
    """An experiment's report with what it freezes, if there is such a one."""
    statement = (
        select(Report).where(Report.experiment_id == experiment_id, Report.id == identifier).options(*WHOLE)
    )
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def reports(
    tx: ReadSession, experiment_id: uuid.UUID, *, only_approved: bool, cursor: str | None, limit: int
) -> Sequence[Report]:
    """One row more than a page of an experiment's reports, newest first."""
    statement = select(Report).where(Report.experiment_id == experiment_id)
    if only_approved:
        statement = statement.where(Report.approved_at.is_not(None))
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


async def insert_link(tx: WriteSession, values: Mapping[str, Any]) -> ShareLink:
    """The new link."""
    link = ShareLink(id=new_id(), revoked_at=None, **values)
    tx.add(link)
    await tx.flush()
    return link


async def links(
    tx: ReadSession, report_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[ShareLink]:
    """One row more than a page of a report's links, newest first."""
    statement = select(ShareLink).where(ShareLink.report_id == report_id)
    return (await tx.scalars(pagination.before(statement, ShareLink.id, cursor=cursor, limit=limit))).all()


async def revoke_link(
    tx: WriteSession, report_id: uuid.UUID, identifier: uuid.UUID, *, at: datetime
) -> ShareLink | None:
    """The link, which opens nothing from now on; one revoked before keeps its moment."""
    statement = (
        update(ShareLink)
        .where(ShareLink.report_id == report_id, ShareLink.id == identifier)
        .values(revoked_at=func.coalesce(ShareLink.revoked_at, at))
        .returning(ShareLink)
    )
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def opened(tx: ReadSession, digest: bytes) -> tuple[ShareLink, Report] | None:
    """The link whose token has this digest, and the whole report it opens."""
    statement = (
        select(ShareLink, Report)
        .join(Report, Report.id == ShareLink.report_id)
        .where(ShareLink.digest == digest)
        .options(*WHOLE)
    )
    row = (await tx.execute(statement, execution_options={"populate_existing": True})).one_or_none()
    return None if row is None else (row[0], row[1])


async def replace_effects(
    tx: WriteSession, experiment_id: uuid.UUID, rows: Sequence[Mapping[str, Any]]
) -> None:
    """The effects of an experiment, in place of those there were."""
    await tx.execute(delete(PastEffect).where(PastEffect.experiment_id == experiment_id))
    tx.add_all([PastEffect(**row) for row in rows])
    await tx.flush()


async def effects_of(
    tx: ReadSession, experiment_ids: Collection[uuid.UUID], *, metric: str | None
) -> dict[uuid.UUID, list[PastEffect]]:
    """The effects of these experiments, on one metric or on all."""
    statement = select(PastEffect).where(PastEffect.experiment_id.in_(experiment_ids))
    if metric is not None:
        statement = statement.where(PastEffect.metric == metric)
    found: dict[uuid.UUID, list[PastEffect]] = {}
    for row in await tx.scalars(statement.order_by(PastEffect.metric, PastEffect.arm)):
        found.setdefault(row.experiment_id, []).append(row)
    return found


async def effects_on(tx: ReadSession, project_id: uuid.UUID, metric: str | None) -> Sequence[PastEffect]:
    """The effects on a metric of a project, or on all of them, by experiment."""
    statement = select(PastEffect).where(PastEffect.project_id == project_id)
    if metric is not None:
        statement = statement.where(PastEffect.metric == metric)
    return (await tx.scalars(statement.order_by(PastEffect.experiment_id, PastEffect.arm))).all()
