"""Metrics over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from assay.core.dependencies import Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.metrics import service
from assay.metrics.schemas import MetricCreate, MetricOut, MetricUpdate
from assay.shared.ids import Key
from assay.shared.pagination import Page
from assay.shared.schema import Name

router = APIRouter(prefix="/projects/{project}/metrics", tags=["metrics"], route_class=RetryingRoute)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
TagFilter = Annotated[Name | None, Query(max_length=64, description="Only metrics with this tag.")]
MetricKey = Annotated[Key, Path(description="Key of the metric.")]


@router.post("", status_code=201)
async def create_metric(project: ProjectKey, new: MetricCreate, tx: Writes, response: Response) -> MetricOut:
    """Defines a metric."""
    metric = await service.create(tx, project, new)
    response.headers["Location"] = f"/api/v1/projects/{project}/metrics/{metric.key}"
    return metric


@router.get("")
async def list_metrics(
    project: ProjectKey, tx: Reads, tag: TagFilter = None, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[MetricOut]:
    """Lists a project's metrics, oldest first."""
    items, following = await service.listing(tx, project, tag=tag, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/{metric}")
async def get_metric(project: ProjectKey, metric: MetricKey, tx: Reads) -> MetricOut:
    """Reads a metric."""
    return await service.get(tx, project, metric)


@router.patch("/{metric}")
async def update_metric(
    project: ProjectKey, metric: MetricKey, change: MetricUpdate, tx: Writes
) -> MetricOut:
    """Changes a metric; another definition, margin or source makes a new version."""
    return await service.update(tx, project, metric, change)
