"""Queries over the change log."""

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from assay.audit.models import AuditEntry
from assay.core.database import ReadSession, WriteSession
from assay.shared import pagination
from assay.shared.ids import new_id


async def append(tx: WriteSession, values: Mapping[str, object]) -> None:
    """Adds an entry."""
    await tx.execute(insert(AuditEntry).values(id=new_id(), **values))


async def page(
    tx: ReadSession, project_id: uuid.UUID, *, subject: str | None, cursor: str | None, limit: int
) -> Sequence[AuditEntry]:
    """One row more than a page of the project's entries, newest first, for a thing and all below it."""
    statement = select(AuditEntry).where(AuditEntry.project_id == project_id)
    if subject is not None:
        below = AuditEntry.subject.startswith(f"{subject}/", autoescape=True)
        statement = statement.where(or_(AuditEntry.subject == subject, below))
    rows = await tx.scalars(pagination.before(statement, AuditEntry.id, cursor=cursor, limit=limit))
    return rows.all()
