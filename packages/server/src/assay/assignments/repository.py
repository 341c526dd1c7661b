"""Queries over assignments."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from assay.core.database import ReadSession, WriteSession

_KNOWN = text("""
    SELECT found.experiment, found.unit, found.version, found.variant
    FROM unnest(CAST(:experiments AS text[]), CAST(:units AS text[])) AS wanted (experiment, unit)
    JOIN assignment AS found
      ON found.environment_id = :environment_id
     AND found.experiment = wanted.experiment AND found.unit = wanted.unit
""")
# In order everywhere, so that two transactions that share units lock them alike and cannot deadlock.
_SETTLE = text("""
    INSERT INTO assignment (environment_id, experiment, unit, version, variant, at)
    SELECT :environment_id, experiment, unit, version, variant, at
    FROM unnest(
        CAST(:experiments AS text[]), CAST(:units AS text[]), CAST(:versions AS integer[]),
        CAST(:variants AS text[]), CAST(:moments AS timestamptz[])
    ) AS met (experiment, unit, version, variant, at)
    ORDER BY experiment, unit, version, at, variant
    ON CONFLICT DO NOTHING
""")
_KEEPING = text("""
    SELECT environment_id, experiment, version, arms, unit_kind, since
    FROM assignment_experiment
    WHERE ended_at IS NULL AND environment_id = ANY(CAST(:environments AS uuid[]))
""")
_KEEP = text("""
    INSERT INTO assignment_experiment (
        environment_id, experiment, version, arms, unit_kind, since, ended_at
    )
    VALUES (:environment_id, :experiment, :version, CAST(:arms AS jsonb), :unit_kind, :since, NULL)
    ON CONFLICT (environment_id, experiment) DO UPDATE SET
        version = excluded.version, arms = excluded.arms, unit_kind = excluded.unit_kind,
        since = excluded.since, ended_at = NULL
""")
_END = text("""
    UPDATE assignment_experiment SET ended_at = greatest(since, CAST(:at AS timestamptz))
    WHERE environment_id = :environment_id AND experiment = :experiment AND ended_at IS NULL
""")
_ENDED = text("""
    SELECT environment_id, experiment FROM assignment_experiment
    WHERE ended_at < :before ORDER BY ended_at LIMIT 1
""")
_CLEAR = text("""
    WITH gone AS (
        DELETE FROM assignment WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM assignment
            WHERE environment_id = :environment_id AND experiment = :experiment LIMIT :limit
        ))
        RETURNING unit
    ) SELECT count(*) FROM gone
""")
_CLOSE = text("""
    DELETE FROM assignment_experiment
    WHERE environment_id = :environment_id AND experiment = :experiment AND ended_at IS NOT NULL
""")
_FORGET = text("""
    WITH gone AS (
        DELETE FROM assignment WHERE environment_id = :environment_id AND unit = :unit RETURNING unit
    ) SELECT count(*) FROM gone
""")


async def known(
    tx: ReadSession, environment_id: uuid.UUID, experiments: Sequence[str], units: Sequence[str]
) -> Sequence[tuple[str, str, int, str]]:
    """Experiment, unit, version and variant of what is known of these places."""
    values = {"environment_id": environment_id, "experiments": list(experiments), "units": list(units)}
    rows = await tx.execute(_KNOWN, values)
    return [(experiment, unit, version, variant) for experiment, unit, version, variant in rows]


async def settle(
    tx: WriteSession, environment_id: uuid.UUID, met: Sequence[tuple[str, str, int, str, datetime]]
) -> None:
    """Stores what is new; what is there stays."""
    experiments, units, versions, variants, moments = zip(*met, strict=True)
    await tx.execute(
        _SETTLE,
        {
            "environment_id": environment_id,
            "experiments": list(experiments),
            "units": list(units),
            "versions": list(versions),
            "variants": list(variants),
            "moments": list(moments),
        },
    )


async def keeping(tx: ReadSession, environments: Sequence[uuid.UUID]) -> Sequence[Any]:
    """Rows of the experiments that keep assignments in these environments now."""
    return (await tx.execute(_KEEPING, {"environments": list(environments)})).all()


async def keep(tx: WriteSession, values: dict[str, Any]) -> None:
    """Makes an experiment keep assignments, of the version given from now on."""
    await tx.execute(_KEEP, values)


async def end(tx: WriteSession, environment_id: uuid.UUID, experiment: str, at: datetime) -> None:
    """Ends the keeping; the rows are cleared later."""
    await tx.execute(_END, {"environment_id": environment_id, "experiment": experiment, "at": at})


async def ended(tx: ReadSession, before: datetime) -> tuple[uuid.UUID, str] | None:
    """An experiment that ended before a moment, and whose assignments nobody needs any more."""
    row = (await tx.execute(_ENDED, {"before": before})).one_or_none()
    return None if row is None else (row[0], row[1])


async def clear(tx: WriteSession, environment_id: uuid.UUID, experiment: str, *, limit: int) -> int:
    """Deletes some of an experiment's assignments, and its own row once there are none; how many."""
    values: dict[str, Any] = {"environment_id": environment_id, "experiment": experiment}
    gone: int = (await tx.execute(_CLEAR, {**values, "limit": limit})).scalar_one()
    if gone < limit:
        await tx.execute(_CLOSE, values)
    return gone


async def forget(tx: WriteSession, environment_id: uuid.UUID, unit: str) -> int:
    """Deletes a unit's assignments; how many there were."""
    return (await tx.execute(_FORGET, {"environment_id": environment_id, "unit": unit})).scalar_one()
