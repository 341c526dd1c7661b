"""The previews of drafts over HTTP."""

from typing import Any

from fastapi import APIRouter

from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.evaluation.part_preview import PartPreviewOut, PartPreviewRequest
from assay.evaluation.part_preview import preview_part as previewed_part
from assay.evaluation.preview import PreviewOut, PreviewRequest, preview
from assay.flags.kind_routing import of_kind
from assay.flags.kinds import KINDS, Address
from assay.flags.routing import EnvironmentKey, FlagKey, ProjectKey

router = APIRouter(prefix="/projects/{project}", tags=["flags"], route_class=RetryingRoute)


@router.post("/flags/{flag}/environments/{environment}/preview")
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


async def preview_part(
    part: Address, request: PartPreviewRequest[Any], tx: Reads, now: Now
) -> PartPreviewOut:
    """Says which flags would answer whom differently if the draft of a part were published, and which
    experiments that touches; with a configuration also of a part that is not there yet.
    """
    return await previewed_part(tx, part, request, now=now)


for kind in KINDS:
    router.add_api_route(
        f"/environments/{{environment}}/{kind.plural}/{{key}}/preview",
        of_kind(preview_part, kind, {PartPreviewRequest[Any]: PartPreviewRequest[kind.configuration]}),
        methods=["POST"],
        name=f"preview_{kind.name}",
        description=str(preview_part.__doc__).replace("part", kind.name),
    )
