"""The preview of a metric over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from assay.analysis.preview import MetricPreview, PreviewRequest, preview
from assay.core.dependencies import AppSettings, Now, Reads, RetryingRoute
from assay.shared.ids import Key

router = APIRouter(prefix="/projects/{project}/metrics", tags=["metrics"], route_class=RetryingRoute)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]


@router.post("/preview")
async def preview_metric(
    project: ProjectKey, request: PreviewRequest, tx: Reads, now: Now, settings: AppSettings
) -> MetricPreview:
    """Measures recent events by a definition that is not saved, and shows how its numbers are distributed."""
    since = now - timedelta(days=request.days)
    return await preview(tx, project, request, settings=settings, since=since)
