"""Results over HTTP: begin, poll, result."""

import uuid
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Response

from assay.analysis import service
from assay.analysis.numbers import Format, rows_of, written
from assay.analysis.schemas import RecordOut, ResultOut
from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.jobs.schemas import TaskOut
from assay.shared.ids import Key
from assay.shared.pagination import Page

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/results", tags=["results"], route_class=RetryingRoute
)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
ExperimentKey = Annotated[Key, Path(description="Key of the experiment.")]


@router.post("", status_code=202)
async def begin_results(
    project: ProjectKey, experiment: ExperimentKey, tx: Writes, now: Now, response: Response
) -> TaskOut:
    """Begins an analysis; asked again while it runs, answers with the same one."""
    task = await service.begin(tx, project, experiment, now=now)
    response.headers["Location"] = f"/api/v1/projects/{project}/experiments/{experiment}/results/{task.id}"
    return task


@router.get("")
async def list_results(
    project: ProjectKey, experiment: ExperimentKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[TaskOut]:
    """Lists the analyses of an experiment, oldest first."""
    items, following = await service.listing(tx, project, experiment, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/latest")
async def latest_results(project: ProjectKey, experiment: ExperimentKey, tx: Reads) -> ResultOut:
    """Reads the newest finished analysis."""
    return await service.latest(tx, project, experiment)


@router.get("/{task}")
async def poll_results(project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Reads) -> TaskOut:
    """Says where an analysis stands."""
    return await service.poll(tx, project, experiment, task)


@router.get("/{task}/document")
async def read_results(
    project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Reads
) -> ResultOut:
    """Reads a finished analysis; a conflict before it is COMPLETED."""
    return await service.result(tx, project, experiment, task)


@router.get(
    "/{task}/numbers",
    response_class=Response,
    responses={
        200: {
            "description": "One row per metric, compared arm and segment.",
            "content": {form.media_type.partition(";")[0]: {"schema": {}} for form in Format},
        }
    },
)
async def read_numbers(
    project: ProjectKey,
    experiment: ExperimentKey,
    task: uuid.UUID,
    tx: Reads,
    form: Annotated[Format, Query(alias="format", description="How the table is written.")] = Format.CSV,
) -> Response:
    """Reads the numbers of a finished analysis as one table; they never change."""
    found = await service.result(tx, project, experiment, task)
    table = await anyio.to_thread.run_sync(written, rows_of(found.document), form)
    name = f"{experiment}-{task}.{form.value}"
    return Response(
        table,
        media_type=form.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/{task}/record")
async def read_record(
    project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Reads
) -> RecordOut:
    """Reads what a finished analysis was concluded from, so that anybody can conclude it again."""
    return await service.record(tx, project, experiment, task)
