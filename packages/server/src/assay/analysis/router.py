"""Results over HTTP: begin, poll, result."""

import uuid
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Response

from assay.analysis import looks, service
from assay.analysis.numbers import Format, rows_of, written
from assay.analysis.schemas import PLAIN, LooksPage, RecordOut, ResultOut, ResultRequest
from assay.core.dependencies import Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.flags.routing import by
from assay.jobs.schemas import TaskOut
from assay.shared.ids import ExperimentName, Key
from assay.shared.pagination import Page

router = APIRouter(
    prefix="/projects/{project}/experiments/{experiment}/results", tags=["results"], route_class=RetryingRoute
)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]
ExperimentKey = Annotated[ExperimentName, Path(description="Key of the experiment.")]


@router.post("", status_code=202)
async def begin_results(
    project: ProjectKey,
    experiment: ExperimentKey,
    tx: Writes,
    now: Now,
    response: Response,
    asked: ResultRequest | None = None,
) -> TaskOut:
    """Begins an analysis; asked for the same again while it runs, answers with the same one.

    Without a body it is the planned reading. With one it is an exploration: it is no candidate for `latest`,
    and what departs from the plan is marked.
    """
    task = await service.begin(tx, project, experiment, now=now, asked=asked or PLAIN)
    response.headers["Location"] = f"/api/v1/projects/{project}/experiments/{experiment}/results/{task.id}"
    return task


@router.get("")
async def list_results(
    project: ProjectKey,
    experiment: ExperimentKey,
    tx: Reads,
    exploratory: Annotated[bool, Query(description="Those asked for with options instead.")] = False,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
) -> Page[TaskOut]:
    """Lists the analyses of an experiment, oldest first."""
    items, following = await service.listing(
        tx, project, experiment, exploratory=exploratory, cursor=cursor, limit=limit
    )
    return Page(items=items, next_cursor=following)


@router.get("/latest")
async def latest_results(project: ProjectKey, experiment: ExperimentKey, tx: Writes, now: Now) -> ResultOut:
    """Reads the newest finished analysis; the log of looks remembers that."""
    found = await service.latest(tx, project, experiment)
    await looks.record(tx, project, experiment, found, by=by(now))
    return found


@router.get("/looks")
async def list_looks(
    project: ProjectKey, experiment: ExperimentKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> LooksPage:
    """Lists who read which result when, newest first, and what looking early does to a fixed plan."""
    found, following = await looks.listing(tx, project, experiment, cursor=cursor, limit=limit)
    return LooksPage(**dict(found), next_cursor=following)


@router.get("/{task}")
async def poll_results(project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Reads) -> TaskOut:
    """Says where an analysis stands."""
    return await service.poll(tx, project, experiment, task)


@router.get("/{task}/document")
async def read_results(
    project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Writes, now: Now
) -> ResultOut:
    """Reads a finished analysis, which the log of looks remembers; a conflict before it is COMPLETED."""
    found = await service.result(tx, project, experiment, task)
    await looks.record(tx, project, experiment, found, by=by(now))
    return found


@router.post("/{task}/cancel", status_code=202)
async def cancel_results(
    project: ProjectKey, experiment: ExperimentKey, task: uuid.UUID, tx: Writes
) -> TaskOut:
    """Stops an analysis; it ends as FAILED with the code `analysis_cancelled`. A finished one stays."""
    return await service.cancel(tx, project, experiment, task)


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
    tx: Writes,
    now: Now,
    form: Annotated[Format, Query(alias="format", description="How the table is written.")] = Format.CSV,
) -> Response:
    """Reads the numbers of a finished analysis as one table; they never change."""
    found = await service.result(tx, project, experiment, task)
    await looks.record(tx, project, experiment, found, by=by(now))
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
