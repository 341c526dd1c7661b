"""The archive over HTTP: what is over, what it found, and what all found together."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from assay.analysis import archive
from assay.analysis.archive_schemas import ArchivedOut, ArchiveSummaryOut, PastEffectsOut
from assay.core.dependencies import Reads, RetryingRoute
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.experiments.archive import Sought
from assay.experiments.lifecycle import Outcome
from assay.experiments.routing import ProjectKey
from assay.shared.ids import Key
from assay.shared.pagination import Page
from assay.shared.schema import Instant, Name

router = APIRouter(prefix="/projects/{project}/archive", tags=["archive"], route_class=RetryingRoute)


@router.get("")
async def list_archive(
    project: ProjectKey,
    tx: Reads,
    search: Annotated[Name | None, Query(description="Beginnings of words.")] = None,
    tag: Annotated[Name | None, Query(description="A tag they have.")] = None,
    metric: Annotated[Key | None, Query(description="A metric they were read by.")] = None,
    outcome: Outcome | None = None,
    since: Annotated[Instant | None, Query(description="Ended at this moment or later.")] = None,
    until: Annotated[Instant | None, Query(description="Ended before this moment.")] = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[ArchivedOut]:
    """Lists experiments that are over, newest first, with what they found."""
    sought = Sought(search=search, tag=tag, metric=metric, outcome=outcome, since=since, until=until)
    items, following = await archive.page(tx, project, sought, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/summary")
async def read_summary(project: ProjectKey, tx: Reads) -> ArchiveSummaryOut:
    """Says how often experiments ship, and what each metric's past effects are together."""
    return await archive.summary(tx, project)


@router.get("/metrics/{metric}")
async def read_past_effects(
    project: ProjectKey, metric: Annotated[Key, Path(description="Key of the metric.")], tx: Reads
) -> PastEffectsOut:
    """Reads all past effects on a metric: one by one, together, and as a prior for the next experiment."""
    return await archive.of_metric(tx, project, metric)
