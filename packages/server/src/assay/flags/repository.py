"""Queries over flags, what environments serve, and how often."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert

from assay.core.database import ReadSession, WriteSession
from assay.flags import searching
from assay.flags.documents import Definition, Document, Texts, json_array, to_text
from assay.flags.models import FlagEvaluations, FlagRevision, FlagRow, FlagState
from assay.shared import pagination
from assay.shared.ids import new_id

_SIMPLE: ColumnElement[str] = literal_column("'simple'::regconfig")

# One statement, and so one snapshot: flags never meet segments of another moment.
_SERVED = text("""
    SELECT 'flag' AS kind, flag.key AS key, CAST(flag_revision.document AS text) AS document
    FROM flag_state
    JOIN flag ON flag.id = flag_state.flag_id
    JOIN flag_revision ON flag_revision.id = flag_state.revision_id
    WHERE flag_state.environment_id = :environment_id AND flag.archived_at IS NULL
    UNION ALL
    SELECT kind, key, CAST(document AS text) FROM ruleset_part WHERE environment_id = :environment_id
""")

# In the order of keys, so that two imports lock rows in the same order. Documents come as one JSON array,
# whose elements keep their text: in an array of texts, escaping their quotes would take longer than the rest.
_DEFINE = text("""
    INSERT INTO flag (
        id, project_id, key, type, variants, metadata, description, owner, tags, words, version,
        created_at, updated_at
    )
    SELECT id, :project_id, key, type, variants, metadata, '', '', '[]', to_tsvector('simple', words), 1,
        :at, :at
    FROM ROWS FROM (
        unnest(CAST(:ids AS uuid[]), CAST(:keys AS text[]), CAST(:types AS text[]), CAST(:words AS text[])),
        json_array_elements(CAST(:variants AS json)), json_array_elements(CAST(:metadata AS json))
    ) AS new (id, key, type, words, variants, metadata)
    ORDER BY key
    ON CONFLICT (project_id, key) DO UPDATE
    SET variants = excluded.variants, metadata = excluded.metadata, version = flag.version + 1,
        updated_at = excluded.updated_at
    WHERE CAST(flag.variants AS text) <> CAST(excluded.variants AS text)
        OR CAST(flag.metadata AS text) <> CAST(excluded.metadata AS text)
""")

_STANDING = text("""
    SELECT flag.key, flag.id, flag.type, flag.archived_at IS NOT NULL AS archived,
        coalesce(flag_revision.number, 0) AS number
    FROM flag
    LEFT JOIN flag_state ON flag_state.flag_id = flag.id AND flag_state.environment_id = :environment_id
    LEFT JOIN flag_revision ON flag_revision.id = flag_state.revision_id
    WHERE flag.project_id = :project_id AND flag.key = ANY(CAST(:keys AS text[]))
""")

_REVISE = text("""
    INSERT INTO flag_revision (
        id, flag_id, environment_id, number, environment_revision, document, action, actor, note, at
    )
    SELECT id, flag_id, :environment_id, number, :environment_revision, document, :action, :actor, :note, :at
    FROM ROWS FROM (
        unnest(CAST(:ids AS uuid[]), CAST(:flag_ids AS uuid[]), CAST(:numbers AS int[])),
        json_array_elements(CAST(:documents AS json))
    ) AS new (id, flag_id, number, document)
""")

_SERVE = text("""
    INSERT INTO flag_state (flag_id, environment_id, version, revision_id)
    SELECT flag_id, :environment_id, 1, id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:flag_ids AS uuid[])) AS new (id, flag_id)
    ON CONFLICT (flag_id, environment_id) DO UPDATE
    SET revision_id = excluded.revision_id, version = flag_state.version + 1
""")

_COUNT = text("""
    INSERT INTO flag_evaluations (environment_id, flag, variant, day, count, last_at)
    SELECT :environment_id, flag, variant, CAST(:day AS date), count, :at
    FROM unnest(CAST(:flags AS text[]), CAST(:variants AS text[]), CAST(:counts AS bigint[]))
        AS new (flag, variant, count)
    ON CONFLICT (environment_id, flag, variant, day) DO UPDATE
    SET count = flag_evaluations.count + excluded.count,
        last_at = greatest(flag_evaluations.last_at, excluded.last_at)
""")


@dataclass(frozen=True, slots=True)
class By:
    """Who makes a change, when and why."""

    actor: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A flag of a project and the number of the revision that an environment serves, 0 for none."""

    id: uuid.UUID
    type: str
    archived: bool
    number: int


@dataclass(frozen=True, slots=True)
class Revised:
    """The next revision of a flag."""

    flag_id: uuid.UUID
    number: int
    document: str


async def flag_by_key(tx: ReadSession, project_id: uuid.UUID, key: str) -> FlagRow | None:
    """The project's flag with this key."""
    return await tx.scalar(_flag(project_id, key))


async def lock_flag(tx: WriteSession, project_id: uuid.UUID, key: str) -> FlagRow | None:
    """The flag as it is now; nobody else changes it until the transaction ends."""
    statement = _flag(project_id, key).with_for_update(key_share=True)
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def flags(
    tx: ReadSession,
    project_id: uuid.UUID,
    *,
    matching: str | None,
    tag: str | None,
    archived: bool,
    cursor: str | None,
    limit: int,
) -> Sequence[FlagRow]:
    """One row more than a page of the project's flags.

    Args:
        matching: A text query of `searching.query`.
    """
    statement = select(FlagRow).where(FlagRow.project_id == project_id)
    statement = statement.where(
        FlagRow.archived_at.is_not(None) if archived else FlagRow.archived_at.is_(None)
    )
    if matching is not None:
        statement = statement.where(FlagRow.words.bool_op("@@")(func.to_tsquery(_SIMPLE, matching)))
    if tag is not None:
        statement = statement.where(FlagRow.tags.contains([tag]))
    rows = await tx.scalars(pagination.after(statement, FlagRow.id, cursor=cursor, limit=limit))
    return rows.all()


async def insert_flag(tx: WriteSession, project_id: uuid.UUID, values: Mapping[str, Any]) -> FlagRow | None:
    """The new flag, or None when the key is taken."""
    row = {"id": new_id(), "project_id": project_id, "version": 1, **values}
    statement = insert(FlagRow).values(**row, words=_words(row)).on_conflict_do_nothing()
    return await tx.scalar(statement.returning(FlagRow))


async def update_flag(tx: WriteSession, flag: FlagRow, values: Mapping[str, Any]) -> FlagRow:
    """The flag with these values, one version on."""
    now = {"key": flag.key, "owner": flag.owner, "description": flag.description, "tags": flag.tags, **values}
    statement = (
        update(FlagRow)
        .where(FlagRow.id == flag.id)
        .values(**values, words=_words(now), version=FlagRow.version + 1)
    )
    await tx.execute(statement.execution_options(synchronize_session=False))
    await tx.refresh(flag)
    return flag


async def delete_flag(tx: WriteSession, flag_id: uuid.UUID) -> None:
    """Removes a flag that was never published, with its drafts."""
    await tx.execute(delete(FlagState).where(FlagState.flag_id == flag_id))
    await tx.execute(delete(FlagRow).where(FlagRow.id == flag_id))


async def define(tx: WriteSession, project_id: uuid.UUID, new: Sequence[Definition], *, at: datetime) -> None:
    """Adds the flags that are missing and gives the others these variants and metadata."""
    parameters = {
        "project_id": project_id,
        "at": at,
        "ids": [new_id() for _ in new],
        "keys": [each.key for each in new],
        "types": [each.type for each in new],
        "variants": json_array(to_text(each.variants) for each in new),
        "metadata": json_array(to_text(each.metadata) for each in new),
        "words": [searching.words([each.key]) for each in new],
    }
    await tx.execute(_DEFINE, parameters)


async def standing(
    tx: ReadSession, project_id: uuid.UUID, environment_id: uuid.UUID, keys: Collection[str]
) -> dict[str, Standing]:
    """The flags with these keys, those that exist, and where they stand in the environment."""
    parameters = {"project_id": project_id, "environment_id": environment_id, "keys": list(keys)}
    rows = await tx.execute(_STANDING, parameters)
    return {key: Standing(*columns) for key, *columns in rows}


async def revise(
    tx: WriteSession,
    environment_id: uuid.UUID,
    revised: Sequence[Revised],
    *,
    environment_revision: int,
    action: str,
    by: By,
) -> None:
    """Adds revisions of flags and lets the environment serve them."""
    ids = [new_id() for _ in revised]
    parameters = {
        "environment_id": environment_id,
        "environment_revision": environment_revision,
        "action": action,
        "actor": by.actor,
        "note": by.note,
        "at": by.at,
        "ids": ids,
        "flag_ids": [each.flag_id for each in revised],
        "numbers": [each.number for each in revised],
        "documents": json_array(each.document for each in revised),
    }
    await tx.execute(_REVISE, parameters)
    await tx.execute(_SERVE, {name: parameters[name] for name in ("environment_id", "ids", "flag_ids")})


async def state(
    tx: ReadSession, flag_id: uuid.UUID, environment_id: uuid.UUID
) -> tuple[FlagState | None, FlagRevision | None]:
    """A flag in an environment and the revision it serves, each None when there is none."""
    statement = (
        select(FlagState, FlagRevision)
        .outerjoin(FlagRevision, FlagRevision.id == FlagState.revision_id)
        .where(FlagState.flag_id == flag_id, FlagState.environment_id == environment_id)
        .execution_options(populate_existing=True)
    )
    row = (await tx.execute(statement)).first()
    return row or (None, None)


async def set_draft(
    tx: WriteSession,
    flag_id: uuid.UUID,
    environment_id: uuid.UUID,
    draft: Document | None,
    *,
    by: By,
) -> None:
    """Keeps the draft of what the environment shall serve, or drops it."""
    values = {
        "draft": draft,
        "drafted_by": by.actor if draft else None,
        "drafted_at": by.at if draft else None,
    }
    new = {"flag_id": flag_id, "environment_id": environment_id, "version": 1, **values}
    await tx.execute(
        insert(FlagState)
        .values(new)
        .on_conflict_do_update(
            index_elements=[FlagState.flag_id, FlagState.environment_id],
            set_={**values, "version": FlagState.version + 1},
        )
    )


async def serving_environments(tx: ReadSession, flag_id: uuid.UUID) -> Sequence[uuid.UUID]:
    """The environments that have published the flag, in one order for all."""
    rows = await tx.scalars(
        select(FlagState.environment_id)
        .where(FlagState.flag_id == flag_id, FlagState.revision_id.is_not(None))
        .order_by(FlagState.environment_id)
    )
    return rows.all()


async def revision(
    tx: ReadSession, flag_id: uuid.UUID, environment_id: uuid.UUID, number: int
) -> FlagRevision | None:
    """A revision by its number."""
    return await tx.scalar(_revisions(flag_id, environment_id).where(FlagRevision.number == number))


async def revisions(
    tx: ReadSession, flag_id: uuid.UUID, environment_id: uuid.UUID, *, cursor: str | None, limit: int
) -> Sequence[FlagRevision]:
    """One row more than a page of a flag's revisions in an environment, newest first."""
    statement = pagination.before(
        _revisions(flag_id, environment_id), FlagRevision.id, cursor=cursor, limit=limit
    )
    return (await tx.scalars(statement)).all()


async def served(tx: ReadSession, environment_id: uuid.UUID) -> Texts:
    """Everything the environment serves, archived flags left out."""
    rows = await tx.execute(_SERVED, {"environment_id": environment_id})
    served_flags: dict[str, str] = {}
    parts: dict[tuple[str, str], str] = {}
    for kind, key, document in rows:
        if kind == "flag":
            served_flags[key] = document
        else:
            parts[kind, key] = document
    return Texts(served_flags, parts)


async def drafts(tx: ReadSession, environment_id: uuid.UUID) -> dict[str, Document]:
    """The drafts of an environment by the key of their flag."""
    rows = await tx.execute(
        select(FlagRow.key, FlagState.draft)
        .join(FlagState, FlagState.flag_id == FlagRow.id)
        .where(FlagState.environment_id == environment_id, FlagState.draft.is_not(None))
        .order_by(FlagRow.key)
    )
    return {key: draft for key, draft in rows if draft is not None}


async def add_evaluations(
    tx: WriteSession, environment_id: uuid.UUID, counts: Mapping[tuple[str, str], int], *, at: datetime
) -> None:
    """Adds to the counters of the day."""
    # Sorted, so that two processes lock rows in the same order and cannot deadlock.
    ordered = sorted(counts.items())
    parameters = {
        "environment_id": environment_id,
        "day": at.date(),
        "at": at,
        "flags": [flag for (flag, _), _ in ordered],
        "variants": [variant for (_, variant), _ in ordered],
        "counts": [count for _, count in ordered],
    }
    await tx.execute(_COUNT, parameters)


async def evaluations(
    tx: ReadSession, environment_id: uuid.UUID, keys: Collection[str]
) -> Sequence[tuple[str, str, int, datetime]]:
    """Flag, variant, number of evaluations and the last of them, for the flags with these keys."""
    rows = await tx.execute(
        select(
            FlagEvaluations.flag,
            FlagEvaluations.variant,
            func.sum(FlagEvaluations.count),
            func.max(FlagEvaluations.last_at),
        )
        .where(FlagEvaluations.environment_id == environment_id, FlagEvaluations.flag.in_(keys))
        .group_by(FlagEvaluations.flag, FlagEvaluations.variant)
        .order_by(FlagEvaluations.flag, FlagEvaluations.variant)
    )
    return [(flag, variant, int(count), last_at) for flag, variant, count, last_at in rows]


async def current_revisions(
    tx: ReadSession, environment_id: uuid.UUID, flag_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, FlagRevision]:
    """The revisions that the environment serves of these flags, by flag."""
    rows = await tx.scalars(
        select(FlagRevision)
        .join(FlagState, FlagState.revision_id == FlagRevision.id)
        .where(FlagState.environment_id == environment_id, FlagState.flag_id.in_(flag_ids))
    )
    return {row.flag_id: row for row in rows}


def _flag(project_id: uuid.UUID, key: str) -> Select[FlagRow]:
    return select(FlagRow).where(FlagRow.project_id == project_id, FlagRow.key == key)


def _revisions(flag_id: uuid.UUID, environment_id: uuid.UUID) -> Select[FlagRevision]:
    return select(FlagRevision).where(
        FlagRevision.flag_id == flag_id, FlagRevision.environment_id == environment_id
    )


def _words(values: Mapping[str, Any]) -> ColumnElement[str]:
    texts = [values["key"], values["owner"], values["description"], *values["tags"]]
    return func.to_tsvector(_SIMPLE, searching.words(texts))
