"""The preview of a draft over HTTP."""

from fastapi import APIRouter

from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.evaluation.preview import PreviewOut, PreviewRequest, preview
from assay.flags.routing import EnvironmentKey, FlagKey, ProjectKey

router = APIRouter(
    prefix="/projects/{project}/flags/{flag}/environments/{environment}",
    tags=["flags"],
    route_class=RetryingRoute,
)


@router.post("/preview")
async def preview_draft(
    project: ProjectKey,
    flag: FlagKey,
    environment: EnvironmentKey,
    request: PreviewRequest,
    tx: Reads,
    now: Now,
) -> PreviewOut:
    """Says who would get another variant if the draft were published, and which experiments that touches."""
    return await preview(tx, project, flag, environment, request, now=now)
