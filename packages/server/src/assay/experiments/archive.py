"""Experiments that are over: found again by their words, metrics, endings and dates."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay.core.database import ReadSession
from assay.experiments import repository
from assay.experiments.lifecycle import Outcome
from assay.experiments.models import Experiment
from assay.experiments.past import AA_TAGS
from assay.flags import searching
from assay.projects import service as projects
from assay.shared import pagination


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for in the archive; None is anything.

    Attributes:
        search: Beginnings of words.
        since: Ended at this moment or later; observed experiments count from when they were made.
    """

    search: str | None = None
    tag: str | None = None
    metric: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Archived:
    """An experiment that is over, or was only observed."""

    id: uuid.UUID
    key: str
    name: str
    hypothesis: str
    learnings: str
    tags: Sequence[str]
    outcome: str | None
    started_at: datetime | None
    ended_at: datetime | None


async def archive(
    tx: ReadSession, project_key: str, sought: Sought, *, cursor: str | None, limit: int
) -> tuple[list[Archived], str | None]:
    """A page of a project's experiments that are over or observed, newest first, and the next cursor."""
    project = await projects.get(tx, project_key)
    typed = None if sought.search is None else searching.query(sought.search)
    if sought.search is not None and typed is None:
        return [], None
    rows = await repository.archive(
        tx,
        project.id,
        matching=typed,
        tag=sought.tag,
        metric=sought.metric,
        outcome=sought.outcome,
        since=sought.since,
        until=sought.until,
        cursor=cursor,
        limit=limit,
    )
    rows, following = pagination.split(rows, limit=limit)
    return [_archived(row) for row in rows], following


async def concluded(tx: ReadSession, project_key: str) -> list[Archived]:
    """Those whose effects count together: over or observed, and no trial of the same with the same."""
    project = await projects.get(tx, project_key)
    rows = await repository.over(tx, project.id)
    return [_archived(row) for row in rows if AA_TAGS.isdisjoint(row.tags)]


def _archived(row: Experiment) -> Archived:
    plan: Mapping[str, Any] = row.plan or {}
    return Archived(
        id=row.id,
        key=row.key,
        name=row.name,
        hypothesis=str(plan.get("hypothesis", "")),
        learnings=row.learnings,
        tags=row.tags,
        outcome=row.outcome,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
