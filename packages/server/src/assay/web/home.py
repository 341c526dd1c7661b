"""The first page: what there is, or how to begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assay.core.dependencies import Now, Reads, RetryingRoute
from assay.core.parameters import Cursor
from assay.experiments import service as experiments
from assay.experiments.schemas import ExperimentOut
from assay.projects import service as projects
from assay.projects.schemas import ProjectOut
from assay.web.phrases import Moment, counted, moment
from assay.web.rendering import render

NEWEST = 10
PROJECTS = 50

router = APIRouter(route_class=RetryingRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ExperimentLink:
    """An experiment in a list."""

    project: str
    key: str
    name: str
    state: str
    arms: str
    metrics: str
    created: Moment


@dataclass(frozen=True, slots=True)
class ProjectLink:
    """A project in a list."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class HomePage:
    """The newest experiments and all projects."""

    experiments: Sequence[ExperimentLink]
    projects: Sequence[ProjectLink]
    next_cursor: str | None
    server: str


@router.get("/", name="home")
async def home(request: Request, tx: Reads, now: Now, cursor: Cursor = None) -> HTMLResponse:
    """Shows the newest experiments and the projects."""
    newest = await experiments.newest(tx, limit=NEWEST)
    rows, following = await projects.listing(tx, cursor=cursor, limit=PROJECTS)
    page = HomePage(
        experiments=[experiment_link(project, experiment, now=now) for project, experiment in newest],
        projects=[project_link(ProjectOut.model_validate(row)) for row in rows],
        next_cursor=following,
        server=str(request.base_url).rstrip("/"),
    )
    return render(request, "home.html", page=page)


def experiment_link(project: str, experiment: ExperimentOut, *, now: datetime) -> ExperimentLink:
    """The experiment as it stands in a list."""
    return ExperimentLink(
        project=project,
        key=experiment.key,
        name=experiment.name,
        state=_state(experiment),
        arms=", ".join(arm.name or arm.key for arm in experiment.arms),
        metrics=counted(len(experiment.metrics), "metric"),
        created=moment(experiment.created_at, now=now),
    )


def project_link(project: ProjectOut) -> ProjectLink:
    """The project as it stands in a list."""
    return ProjectLink(key=project.key, name=project.name)


def _state(experiment: ExperimentOut) -> str:
    """Where it stands, in a word; who assigns an observed one is not ours to know."""
    word = experiment.outcome or experiment.state or "observed"
    return word.replace("_", " ").lower()
