"""Planning over HTTP: readiness and templates."""

from typing import Annotated

from fastapi import APIRouter, Path

from assay.core.dependencies import AppSettings, Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.experiments import checks, planning, templates
from assay.experiments.routing import ExperimentKey, ProjectKey
from assay.experiments.schemas import (
    CheckOut,
    ReadinessOut,
    TemplateOut,
    TemplatePut,
)
from assay.flags.routing import by
from assay.shared.ids import Key
from assay.shared.pagination import Page

router = APIRouter(prefix="/projects/{project}", tags=["experiments"], route_class=RetryingRoute)
TemplateKey = Annotated[Key, Path(description="Key of the template.")]


@router.get("/experiments/{experiment}/readiness")
async def check_readiness(
    project: ProjectKey, experiment: ExperimentKey, tx: Reads, now: Now, settings: AppSettings
) -> ReadinessOut:
    """Says whether the experiment may start, check by check."""
    found = await planning.report(tx, project, experiment, settings=settings, now=now)
    return ReadinessOut(
        ready=not checks.blocking(found), checks=[CheckOut.model_validate(each) for each in found]
    )


@router.get("/experiment-templates")
async def list_templates(
    project: ProjectKey, tx: Reads, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[TemplateOut]:
    """Lists a project's templates, oldest first."""
    items, following = await templates.listing(tx, project, cursor=cursor, limit=limit)
    return Page(items=items, next_cursor=following)


@router.get("/experiment-templates/{template}")
async def get_template(project: ProjectKey, template: TemplateKey, tx: Reads) -> TemplateOut:
    """Reads a template."""
    return await templates.get(tx, project, template)


@router.put("/experiment-templates/{template}")
async def put_template(
    project: ProjectKey, template: TemplateKey, new: TemplatePut, tx: Writes, now: Now
) -> TemplateOut:
    """Makes or replaces a template."""
    return await templates.put(tx, project, template, new, by=by(now))


@router.delete("/experiment-templates/{template}", status_code=204)
async def delete_template(project: ProjectKey, template: TemplateKey, tx: Writes) -> None:
    """Removes a template."""
    await templates.delete(tx, project, template)
