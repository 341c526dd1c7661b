"""Writing the change log in the change's own transaction, and reading it."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from assay.audit import repository
from assay.audit.diff import changes
from assay.audit.schemas import AuditEntryOut
from assay.core.database import ReadSession, WriteSession
from assay.shared import pagination

LOCAL_ACTOR = "local"


async def record(
    tx: WriteSession,
    *,
    project_id: uuid.UUID,
    actor: str,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    at: datetime,
    note: str = "",
) -> None:
    """Adds an entry that stands and falls with the caller's transaction.

    Args:
        subject: The thing's place below its project, such as `flags/checkout/environments/production`.
        before: The thing as it was, None when it did not exist; only the differences to `after` are kept.
    """
    entry = {
        "project_id": project_id,
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "note": note,
        "changes": [change.to_json() for change in changes(before, after)],
    }
    await repository.append(tx, entry)


async def listing(
    tx: ReadSession, project_id: uuid.UUID, *, subject: str | None, cursor: str | None, limit: int
) -> tuple[list[AuditEntryOut], str | None]:
    """A page of a project's entries, newest first, and the cursor of the next.

    Args:
        subject: Only entries of this thing and of those below it.
    """
    rows = await repository.page(tx, project_id, subject=subject, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [AuditEntryOut.model_validate(row) for row in rows], following
