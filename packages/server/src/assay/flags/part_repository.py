"""Queries over segments, layers and holdouts, their drafts and revisions."""

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Select, and_, delete, select, text, update

from assay.core.database import ReadSession, WriteSession
from assay.flags.documents import Document, json_array
from assay.flags.models import PartRevision, RulesetPart
from assay.flags.repository import By
from assay.shared import pagination
from assay.shared.ids import new_id

# One statement, so that no part is ever served without the revision that says since when.
_PUT = text("""
    WITH new AS (
        SELECT * FROM ROWS FROM (
            unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:keys AS text[])),
            json_array_elements(CAST(:documents AS json))
        ) AS new (id, kind, key, document)
    ),
    part AS (
        INSERT INTO ruleset_part (environment_id, kind, key, document, description, version, number)
        SELECT :environment_id, kind, key, document, '', 1, 1 FROM new
        ON CONFLICT (environment_id, kind, key) DO UPDATE
        SET document = excluded.document, version = ruleset_part.version + 1,
            number = ruleset_part.number + 1, updated_at = now()
        RETURNING kind, key, number, document
    )
    INSERT INTO part_revision (
        id, environment_id, kind, key, number, environment_revision, document, action, actor, note, at
    )
    SELECT new.id, :environment_id, part.kind, part.key, part.number, :environment_revision, part.document,
        :action, :actor, :note, :at
    FROM part JOIN new ON new.kind = part.kind AND new.key = part.key
""")


async def part(tx: ReadSession, environment_id: uuid.UUID, kind: str, key: str) -> RulesetPart | None:
    """A segment, layer or holdout, as the database has it now."""
    statement = select(RulesetPart).where(_is(environment_id, kind, key))
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def lock_part(tx: WriteSession, environment_id: uuid.UUID, kind: str, key: str) -> RulesetPart | None:
    """The part as it is now; nobody else changes it until the transaction ends."""
    statement = select(RulesetPart).where(_is(environment_id, kind, key)).with_for_update(key_share=True)
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def parts(
    tx: ReadSession, environment_id: uuid.UUID, kind: str, *, beyond: str, limit: int
) -> Sequence[RulesetPart]:
    """Parts of one kind by key, from the first after `beyond`."""
    statement = select(RulesetPart).where(
        RulesetPart.environment_id == environment_id, RulesetPart.kind == kind, RulesetPart.key > beyond
    )
    return (await tx.scalars(statement.order_by(RulesetPart.key).limit(limit))).all()


async def put_parts(
    tx: WriteSession,
    environment_id: uuid.UUID,
    new: Mapping[tuple[str, str], str],
    *,
    environment_revision: int,
    action: str,
    by: By,
) -> None:
    """Adds or replaces parts, given as JSON text by kind and key, each as a revision; drafts stay."""
    parameters = {
        "environment_id": environment_id,
        "environment_revision": environment_revision,
        "action": action,
        "actor": by.actor,
        "note": by.note,
        "at": by.at,
        "ids": [new_id() for _ in new],
        "kinds": [kind for kind, _ in new],
        "keys": [key for _, key in new],
        "documents": json_array(new.values()),
    }
    await tx.execute(_PUT, parameters)


async def describe_part(
    tx: WriteSession, environment_id: uuid.UUID, kind: str, key: str, description: str
) -> None:
    """Says what a part is for."""
    statement = update(RulesetPart).where(_is(environment_id, kind, key))
    await tx.execute(
        statement.values(description=description, version=RulesetPart.version + 1).execution_options(
            synchronize_session=False
        )
    )


async def set_part_draft(
    tx: WriteSession, environment_id: uuid.UUID, kind: str, key: str, draft: Document | None, *, by: By
) -> None:
    """Keeps the draft of what the environment shall serve, or drops it."""
    values = {
        "draft": draft,
        "drafted_by": by.actor if draft is not None else None,
        "drafted_at": by.at if draft is not None else None,
    }
    statement = update(RulesetPart).where(_is(environment_id, kind, key))
    await tx.execute(
        statement.values(**values, version=RulesetPart.version + 1).execution_options(
            synchronize_session=False
        )
    )


async def part_drafts(tx: ReadSession, environment_id: uuid.UUID) -> dict[tuple[str, str], Document]:
    """The drafts of an environment's parts by kind and key."""
    rows = await tx.execute(
        select(RulesetPart.kind, RulesetPart.key, RulesetPart.draft)
        .where(RulesetPart.environment_id == environment_id, RulesetPart.draft.is_not(None))
        .order_by(RulesetPart.kind, RulesetPart.key)
    )
    return {(kind, key): draft for kind, key, draft in rows if draft is not None}


async def delete_part(tx: WriteSession, environment_id: uuid.UUID, kind: str, key: str) -> None:
    """Removes a part with its revisions."""
    for table in (PartRevision, RulesetPart):
        await tx.execute(
            delete(table).where(table.environment_id == environment_id, table.kind == kind, table.key == key)
        )


async def part_revision(
    tx: ReadSession, environment_id: uuid.UUID, kind: str, key: str, number: int
) -> PartRevision | None:
    """A revision of a part by its number."""
    return await tx.scalar(_revisions(environment_id, kind, key).where(PartRevision.number == number))


async def part_revisions(
    tx: ReadSession, environment_id: uuid.UUID, kind: str, key: str, *, cursor: str | None, limit: int
) -> Sequence[PartRevision]:
    """One row more than a page of a part's revisions, newest first."""
    statement = pagination.before(
        _revisions(environment_id, kind, key), PartRevision.id, cursor=cursor, limit=limit
    )
    return (await tx.scalars(statement)).all()


async def part_history(
    tx: ReadSession, environment_id: uuid.UUID, kind: str, key: str
) -> Sequence[PartRevision]:
    """All revisions of a part, oldest first."""
    return (await tx.scalars(_revisions(environment_id, kind, key).order_by(PartRevision.number))).all()


def _revisions(environment_id: uuid.UUID, kind: str, key: str) -> Select[PartRevision]:
    return select(PartRevision).where(
        PartRevision.environment_id == environment_id, PartRevision.kind == kind, PartRevision.key == key
    )


def _is(environment_id: uuid.UUID, kind: str, key: str) -> ColumnElement[bool]:
    return and_(
        RulesetPart.environment_id == environment_id, RulesetPart.kind == kind, RulesetPart.key == key
    )
