"""What can be done with experiments."""

import uuid

from assay.core.database import ReadSession, WriteSession
from assay.experiments import repository
from assay.experiments.errors import ExperimentKeyTaken, ExperimentNotFound
from assay.experiments.models import Experiment
from assay.experiments.schemas import ExperimentCreate, ExperimentOut, ExperimentUpdate
from assay.metrics import service as metrics
from assay.projects import service as projects
from assay.shared import pagination


async def create(tx: WriteSession, project_key: str, new: ExperimentCreate) -> ExperimentOut:
    """A new observed experiment of a project.

    Raises:
        UnknownMetric: It names a metric that does not exist.
        UnknownEnvironment: Its exposures would come from an environment that does not exist.
        ExperimentKeyTaken: The project has an experiment with this key.
    """
    project = await projects.get(tx, project_key)
    await projects.require_environment(tx, project_key, new.assignments.environment)
    await metrics.require_all(tx, project_key, new.metrics)
    experiment = await repository.insert_experiment(tx, project.id, new.model_dump())
    if experiment is None:
        raise ExperimentKeyTaken(
            f"project {project_key!r} has an experiment {new.key!r} already", value=new.key
        )
    return ExperimentOut.model_validate(experiment)


async def get(tx: ReadSession, project_key: str, key: str) -> ExperimentOut:
    """An experiment of a project.

    Raises:
        ExperimentNotFound: The project has none of this key.
    """
    return ExperimentOut.model_validate(await _row(tx, project_key, key))


async def identify(tx: ReadSession, project_key: str, key: str) -> uuid.UUID:
    """The identifier other rows refer to the experiment by."""
    return (await _row(tx, project_key, key)).id


async def update(tx: WriteSession, project_key: str, key: str, change: ExperimentUpdate) -> ExperimentOut:
    """The experiment as changed.

    Raises:
        UnknownMetric: The new list names a metric that does not exist.
    """
    experiment = await _row(tx, project_key, key)
    if change.metrics is not None:
        await metrics.require_all(tx, project_key, change.metrics)
    for field, value in change.model_dump(exclude_none=True).items():
        setattr(experiment, field, value)
    await tx.flush()
    await tx.refresh(experiment)
    return ExperimentOut.model_validate(experiment)


async def listing(
    tx: ReadSession, project_key: str, *, cursor: str | None, limit: int
) -> tuple[list[ExperimentOut], str | None]:
    """A page of a project's experiments, oldest first, and the cursor of the next."""
    project = await projects.get(tx, project_key)
    rows = await repository.page(tx, project.id, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [ExperimentOut.model_validate(row) for row in rows], following


async def newest(tx: ReadSession, *, limit: int) -> list[tuple[str, ExperimentOut]]:
    """The experiments of all projects made last, newest first, each with the key of its project."""
    rows = await repository.newest(tx, limit=limit)
    keys = await projects.keys(tx, {row.project_id for row in rows})
    return [(keys[row.project_id], ExperimentOut.model_validate(row)) for row in rows]


async def _row(tx: ReadSession, project_key: str, key: str) -> Experiment:
    project = await projects.get(tx, project_key)
    found = await repository.by_keys(tx, project.id, [key])
    if not found:
        raise ExperimentNotFound(f"project {project_key!r} has no experiment {key!r}", value=key)
    return found[0]
