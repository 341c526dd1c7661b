"""Queries over flags, what environments serve of them, and how often."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, literal_column, text

from assay.core.database import ReadSession, WriteSession
from assay.flags.documents import Texts

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

_COUNT = text("""
    INSERT INTO flag_evaluations (environment_id, flag, variant, day, count, last_at)
    SELECT :environment_id, flag, variant, CAST(:day AS date), count, :at
    FROM unnest(CAST(:flags AS text[]), CAST(:variants AS text[]), CAST(:counts AS bigint[]))
        AS new (flag, variant, count)
    ON CONFLICT (environment_id, flag, variant, day) DO UPDATE
    SET count = flag_evaluations.count + excluded.count,
        last_at = greatest(flag_evaluations.last_at, excluded.last_at)
""")


async def served(tx: ReadSession, environment_id: uuid.UUID) -> Texts:
    """Everything the environment serves, archived flags left out."""
    rows = await tx.execute(_SERVED, {"environment_id": environment_id})
    flags: dict[str, str] = {}
    parts: dict[tuple[str, str], str] = {}
    for kind, key, document in rows.tuples():
        if kind == "flag":
            flags[key] = document
        else:
            parts[kind, key] = document
    return Texts(flags, parts)


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
