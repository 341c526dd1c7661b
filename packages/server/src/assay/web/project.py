"""The page of a project: its experiments and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.core.parameters import Cursor
from assay.experiments import holding
from assay.experiments import service as experiments
from assay.metrics import service as metrics
from assay.metrics.definition import (
    AnyDefinition,
    Count,
    Distinct,
    Funnel,
    Mean,
    Proportion,
    Quantile,
    Quantity,
    Ratio,
    Retention,
    quantities,
)
from assay.metrics.schemas import MetricOut
from assay.projects import service as projects
from assay.shared.ids import Key
from assay.web.home import ExperimentLink, experiment_link
from assay.web.rendering import render

PER_PAGE = 50

router = APIRouter(route_class=RetryingRoute, include_in_schema=False)
ProjectKey = Annotated[Key, Path(description="Key of the project.")]


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A metric in a list, its definition in words."""

    key: str
    name: str
    description: str
    measures: str
    wanted: str
    version: int


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """A project with a page of its experiments, the holdouts that are read, and a page of its metrics."""

    key: str
    name: str
    experiments: Sequence[ExperimentLink]
    next_cursor: str | None
    holdouts: Sequence[ExperimentLink]
    metrics: Sequence[MetricLine]
    next_metrics_cursor: str | None
    server: str


@router.get("/projects/{project}", name="project")
async def project(
    project: ProjectKey,
    request: Request,
    tx: Reads,
    now: Now,
    cursor: Cursor = None,
    metrics_cursor: Annotated[str | None, Query(description="As `cursor`, for the metrics.")] = None,
) -> HTMLResponse:
    """Shows a project's experiments and metrics."""
    found = await projects.get(tx, project)
    rows, following = await experiments.listing(tx, project, cursor=cursor, limit=PER_PAGE)
    held = await holding.listing(tx, project, limit=PER_PAGE)
    measured, more_metrics = await metrics.listing(tx, project, cursor=metrics_cursor, limit=PER_PAGE)
    page = ProjectPage(
        key=found.key,
        name=found.name,
        experiments=[experiment_link(project, row, now=now) for row in rows],
        next_cursor=following,
        holdouts=[experiment_link(project, row, now=now) for row in held],
        metrics=[metric_line(metric) for metric in measured],
        next_metrics_cursor=more_metrics,
        server=str(request.base_url).rstrip("/"),
    )
    return render(request, "project.html", page=page)


def metric_line(metric: MetricOut) -> MetricLine:
    """The metric as it stands in a list."""
    return MetricLine(
        key=metric.key,
        name=metric.name,
        description=metric.description,
        measures=measures(metric.definition),
        wanted="higher is better" if metric.direction == "increase" else "lower is better",
        version=metric.version,
    )


def measures(definition: AnyDefinition) -> str:
    """A definition in words."""
    match definition:
        case Proportion(event=event):
            return f"share of units with “{event}”"
        case Retention(event=event):
            return f"share of units with “{event}” from day {definition.from_day} to day {definition.to_day}"
        case Funnel(steps=steps):
            return "share of units with " + ", then ".join(f"“{step.event}”" for step in steps)
        case Ratio(numerator=numerator, denominator=denominator):
            return f"{_quantity(numerator)} over {_quantity(denominator)}"
        case Quantile():
            return f"quantile {definition.quantile:g} of {_quantity(definition)} per unit"
        case Mean() | Count() | Distinct():
            return f"mean per unit of {_quantity(*quantities(definition))}"
        case _:
            assert_never(definition)


def _quantity(quantity: Quantity) -> str:
    match quantity.aggregate:
        case "sum":
            return f"the sum of {_of(quantity)}“{quantity.event}”"
        case "count":
            return f"the number of “{quantity.event}”"
        case "distinct":
            return f"the number of different {_of(quantity)}“{quantity.event}”"
        case "days":
            return f"the number of days with “{quantity.event}”"
        case _:
            assert_never(quantity.aggregate)


def _of(quantity: Quantity) -> str:
    return "" if quantity.property is None else f"“{quantity.property}” of "
