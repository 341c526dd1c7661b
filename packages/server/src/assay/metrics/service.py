"""What can be done with metrics."""

from collections.abc import Sequence
from typing import Any

from assay.core.database import ReadSession, WriteSession
from assay.metrics import repository
from assay.metrics.errors import MetricKeyTaken, MetricNotFound, UnknownMetric
from assay.metrics.models import Metric
from assay.metrics.schemas import MetricCreate, MetricOut, MetricUpdate
from assay.projects import service as projects
from assay.shared import pagination

MEASURED = ("definition", "margin", "source")
"""What the digits of a result follow from."""
REMOVABLE = frozenset({"margin", "source"})


async def create(tx: WriteSession, project_key: str, new: MetricCreate) -> MetricOut:
    """A new metric of a project.

    Raises:
        MetricKeyTaken: The project has a metric with this key.
    """
    project = await projects.get(tx, project_key)
    metric = await repository.insert_metric(tx, project.id, new.model_dump())
    if metric is None:
        raise MetricKeyTaken(f"project {project_key!r} has a metric {new.key!r} already", value=new.key)
    return MetricOut.model_validate(metric)


async def get(tx: ReadSession, project_key: str, key: str) -> MetricOut:
    """A metric of a project.

    Raises:
        MetricNotFound: The project has none of this key.
    """
    return MetricOut.model_validate(await _row(tx, project_key, key))


async def require_all(tx: ReadSession, project_key: str, keys: Sequence[str]) -> list[MetricOut]:
    """The metrics with these keys, in the order asked.

    Raises:
        UnknownMetric: One or more do not exist; the message names them all.
    """
    project = await projects.get(tx, project_key)
    found = {metric.key: metric for metric in await repository.by_keys(tx, project.id, keys)}
    if missing := [key for key in keys if key not in found]:
        named = ", ".join(repr(key) for key in missing)
        raise UnknownMetric(f"project {project_key!r} has no metric {named}", value=missing)
    return [MetricOut.model_validate(found[key]) for key in keys]


async def update(tx: WriteSession, project_key: str, key: str, change: MetricUpdate) -> MetricOut:
    """The metric as changed; whatever changes its results raises its version."""
    metric = await _row(tx, project_key, key)
    values = _values(change)
    if any(name in values and values[name] != getattr(metric, name) for name in MEASURED):
        metric.version += 1
    for field, value in values.items():
        setattr(metric, field, value)
    await tx.flush()
    await tx.refresh(metric)
    return MetricOut.model_validate(metric)


async def listing(
    tx: ReadSession, project_key: str, *, cursor: str | None, limit: int, tag: str | None = None
) -> tuple[list[MetricOut], str | None]:
    """A page of a project's metrics, oldest first, and the cursor of the next."""
    project = await projects.get(tx, project_key)
    rows = await repository.page(tx, project.id, tag=tag, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [MetricOut.model_validate(row) for row in rows], following


def _values(change: MetricUpdate) -> dict[str, Any]:
    given = change.model_dump(include=change.model_fields_set)
    return {name: value for name, value in given.items() if value is not None or name in REMOVABLE}


async def _row(tx: ReadSession, project_key: str, key: str) -> Metric:
    project = await projects.get(tx, project_key)
    found = await repository.by_keys(tx, project.id, [key])
    if not found:
        raise MetricNotFound(
            f"project {project_key!r} has no metric {key!r}; `assay metric list` shows those there are",
            value=key,
        )
    return found[0]
