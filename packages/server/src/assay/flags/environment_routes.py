"""Flags in an environment over HTTP: drafts, publishing, history, the switch."""

from fastapi import APIRouter, Response

from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.flags import drafts, insight
from assay.flags.routing import EnvironmentKey, FlagKey, IfMatch, Number, ProjectKey, by
from assay.flags.schemas import (
    Configuration,
    DraftCopy,
    ExplainRequest,
    ExplanationOut,
    Published,
    PublishRequest,
    RevertRequest,
    StateOut,
)
from assay.shared.pagination import Page

router = APIRouter(
    prefix="/projects/{project}/flags/{flag}/environments/{environment}",
    tags=["flags"],
    route_class=RetryingRoute,
)


@router.get("")
async def get_state(
    project: ProjectKey, flag: FlagKey, environment: EnvironmentKey, tx: Reads, response: Response
) -> StateOut:
    """Reads what an environment serves of a flag, its draft, and what publishing would change."""
    return _tagged(drafts.out(await drafts.here(tx, project, flag, environment)), response)


@router.put("/draft")
async def put_draft(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    draft: Configuration,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> StateOut:
    """Replaces the draft; nothing is served differently yet."""
    state = await drafts.set_draft(
        tx, project, flag, environment, draft.model_dump(), whole=True, if_match=if_match, by=by(now)
    )
    return _tagged(state, response)


@router.patch("/draft")
async def update_draft(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    change: Configuration,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> StateOut:
    """Changes parts of the draft; null takes `fallthrough` or `off` away."""
    given = change.model_dump(exclude_unset=True)
    state = await drafts.set_draft(
        tx, project, flag, environment, given, whole=False, if_match=if_match, by=by(now)
    )
    return _tagged(state, response)


@router.delete("/draft")
async def discard_draft(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> StateOut:
    """Drops the draft; the next one begins from what is served."""
    state = await drafts.discard(tx, project, flag, environment, if_match=if_match, by=by(now))
    return _tagged(state, response)


@router.post("/draft/copy")
async def copy_draft(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    source: DraftCopy,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> StateOut:
    """Makes what another environment serves the draft of this one."""
    state = await drafts.copy(
        tx, project, flag, environment, source=source.environment, if_match=if_match, by=by(now)
    )
    return _tagged(state, response)


@router.post("/publish")
async def publish(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    request: PublishRequest,
    tx: Writes,
    now: Now,
    response: Response,
    if_match: IfMatch = None,
) -> StateOut:
    """Serves the draft, provided that the whole ruleset passes the check; else changes nothing."""
    state = await drafts.publish(tx, project, flag, environment, if_match=if_match, by=by(now, request.note))
    return _tagged(state, response)


@router.post("/off")
async def switch_off(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    request: PublishRequest,
    tx: Writes,
    now: Now,
    response: Response,
) -> StateOut:
    """Switches a flag off at once; drafts stay. No If-Match: in an emergency the last word counts."""
    state = await drafts.switch(tx, project, flag, environment, enabled=False, by=by(now, request.note))
    return _tagged(state, response)


@router.post("/on")
async def switch_on(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    request: PublishRequest,
    tx: Writes,
    now: Now,
    response: Response,
) -> StateOut:
    """Switches a flag on again at once, with the rules that were served last."""
    state = await drafts.switch(tx, project, flag, environment, enabled=True, by=by(now, request.note))
    return _tagged(state, response)


@router.post("/revert")
async def revert(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    request: RevertRequest,
    tx: Writes,
    now: Now,
    response: Response,
) -> StateOut:
    """Serves an earlier revision again, exactly; drafts stay."""
    state = await drafts.revert(
        tx, project, flag, environment, number=request.revision, by=by(now, request.note)
    )
    return _tagged(state, response)


@router.get("/revisions")
async def list_revisions(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    tx: Reads,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[Published]:
    """Lists what an environment has served of a flag, newest first."""
    items, following = await drafts.revisions(tx, project, flag, environment, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/revisions/{number}")
async def get_revision(
    project: ProjectKey, flag: FlagKey, environment: EnvironmentKey, number: Number, tx: Reads
) -> Published:
    """Reads one revision."""
    return await drafts.revision(tx, project, flag, environment, number)


@router.post("/explain")
async def explain(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    request: ExplainRequest,
    tx: Reads,
    now: Now,
) -> ExplanationOut:
    """Says what a context is served, and why; or what it would be once the draft is published."""
    return await insight.explanation(
        tx, project, flag, environment, request.context, draft=request.draft, now=now
    )


def _tagged(state: StateOut, response: Response) -> StateOut:
    response.headers["ETag"] = state.etag
    return state
