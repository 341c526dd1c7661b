"""Plans to begin from, by name."""

from assay.core.database import ReadSession, WriteSession
from assay.experiments import repository, service
from assay.experiments.errors import TemplateNotFound
from assay.experiments.models import Template
from assay.experiments.schemas import TemplateOut, TemplatePut
from assay.flags.rewriting import By
from assay.projects import service as projects
from assay.shared import pagination


async def put(tx: WriteSession, project_key: str, key: str, new: TemplatePut, *, by: By) -> TemplateOut:
    """The template, new or replaced; metrics and flag need not exist yet."""
    project = await projects.get(tx, project_key)
    values = {"description": new.description, "plan": service.stored(new.plan), "updated_at": by.at}
    return _out(await repository.put_template(tx, project.id, key, values))


async def get(tx: ReadSession, project_key: str, key: str) -> TemplateOut:
    """A template of a project.

    Raises:
        TemplateNotFound: The project has none of this key.
    """
    return _out(await _row(tx, project_key, key))


async def listing(
    tx: ReadSession, project_key: str, *, cursor: str | None, limit: int
) -> tuple[list[TemplateOut], str | None]:
    """A page of a project's templates, oldest first, and the cursor of the next."""
    project = await projects.get(tx, project_key)
    rows = await repository.templates(tx, project.id, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [_out(row) for row in rows], following


async def delete(tx: WriteSession, project_key: str, key: str) -> None:
    """Removes a template; experiments made from it keep their plans."""
    await repository.delete_template(tx, (await _row(tx, project_key, key)).id)


async def _row(tx: ReadSession, project_key: str, key: str) -> Template:
    project = await projects.get(tx, project_key)
    row = await repository.template(tx, project.id, key)
    if row is None:
        raise TemplateNotFound(f"project {project_key!r} has no template {key!r}", value=key)
    return row


def _out(row: Template) -> TemplateOut:
    return TemplateOut.model_validate(row)
