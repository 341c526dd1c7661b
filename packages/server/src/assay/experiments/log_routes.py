"""An experiment's log over HTTP: reading it, commenting, deciding."""

from typing import Annotated

from fastapi import APIRouter, Query

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.experiments import logbook
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.experiments.schemas import CommentRequest, DecisionRequest, EntryOut
from assay.flags.routing import by
from assay.shared.pagination import Page
from assay.shared.schema import Name

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}", tags=["experiments"], route_class=RetryingRoute
)
Kind = Annotated[Name | None, Query(description="Only entries of this kind, such as `decided`.")]


@router.get("/log")
async def list_log(
    project: ProjectKey,
    experiment: ExperimentKey,
    tx: Reads,
    kind: Kind = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[EntryOut]:
    """Lists moves, deviations, decisions and comments, newest first."""
    items, following = await logbook.listing(tx, project, experiment, kind=kind, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.post("/comments", status_code=201)
async def add_comment(
    project: ProjectKey, experiment: ExperimentKey, said: CommentRequest, tx: Writes, now: Now
) -> EntryOut:
    """Adds a comment to the log."""
    return await logbook.comment(tx, project, experiment, said, by=by(now))


@router.post("/decisions", status_code=201)
async def add_decision(
    project: ProjectKey, experiment: ExperimentKey, decided: DecisionRequest, tx: Writes, now: Now
) -> EntryOut:
    """Adds a decision to the log; completing the experiment is what changes the flag."""
    return await logbook.decide(tx, project, experiment, decided, by=by(now, decided.note))
