"""Commands that read and change what a running Assay holds."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.console import Format
from assay.cli.options import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_PROJECT,
    DEFAULT_URL,
    Environment,
    Output,
    Project,
    Url,
)

project = typer.Typer(help="Projects.", no_args_is_help=True)
metric = typer.Typer(help="Metrics of a project.", no_args_is_help=True)
experiment = typer.Typer(help="Experiments of a project.", no_args_is_help=True)
events = typer.Typer(help="Exposures and metric events.", no_args_is_help=True)

DefinitionFile = Annotated[
    Path, typer.Argument(help="JSON file with the body of the API's request.", exists=True, dir_okay=False)
]


@project.command("list")
def list_projects(*, url: Url = DEFAULT_URL, output: Output = Format.TABLE) -> None:
    """Lists the projects.

    Example: assay project list --format json
    """
    from assay.cli.commands import resources as command

    command.show_list("/api/v1/projects", ["key", "name", "created_at"], url=url, output=output)


@project.command("create")
def create_project(
    key: Annotated[str, typer.Argument(help="Lower case, digits, `_`, `.`, `-`.")],
    *,
    name: Annotated[str, typer.Option(help="What people call it; the key by default.")] = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Makes a project with the environment `production`.

    Example: assay project create shop --name "Our shop"
    """
    from assay.cli.commands import resources as command

    command.create("/api/v1/projects", {"key": key, "name": name or key}, url=url)


@metric.command("list")
def list_metrics(
    *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL, output: Output = Format.TABLE
) -> None:
    """Lists the metrics of a project.

    Example: assay metric list --project shop
    """
    from assay.cli.commands import resources as command

    path = f"/api/v1/projects/{project}/metrics"
    command.show_list(path, ["key", "name", "kind", "direction", "version"], url=url, output=output)


@metric.command("create")
def create_metric(
    file: DefinitionFile, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL
) -> None:
    """Defines a metric from a JSON file.

    Example of the file:

      {"key": "conversion", "name": "Conversion", "definition": {"kind": "proportion", "event": "order"}}
    """
    from assay.cli.commands import resources as command

    command.create_from_file(f"/api/v1/projects/{project}/metrics", file, url=url)


@experiment.command("create")
def create_experiment(
    file: DefinitionFile, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL
) -> None:
    """Registers an observed experiment from a JSON file, or with a plan makes a DRAFT.

    Examples of the file:

      {"key": "gate", "name": "Gate", "arms": [{"key": "a"}, {"key": "b"}], "control": "a", "metrics": []}

      {"key": "form", "name": "Form", "arms": [{"key": "off"}, {"key": "on"}], "control": "off",
      "plan": {"flag": "form", "goals": [{"metric": "orders", "smallest_effect": 0.05}]}}
    """
    from assay.cli.commands import resources as command

    command.create_from_file(f"/api/v1/projects/{project}/experiments", file, url=url)


@experiment.command("results")
def results(
    key: Annotated[str, typer.Argument(help="Key of the experiment.")],
    *,
    latest: Annotated[
        bool, typer.Option("--latest", help="Show the newest result; compute nothing.")
    ] = False,
    segment: Annotated[
        list[str] | None, typer.Option(help="PROPERTY or PROPERTY=TOP to cut by; may be given again.")
    ] = None,
    strata: Annotated[str | None, typer.Option(help="Property within which arms are compared.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Only this metric; may be given again.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="As of the end of a day, such as 2026-03-01.")] = None,
    alpha: Annotated[float | None, typer.Option(help="In place of the plan's.")] = None,
    method: Annotated[
        str | None,
        typer.Option(help="fixed, group_sequential, always_valid or bayesian in place of the plan's."),
    ] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="METRIC=OTHER adjusts a metric by another one's lookback.")
    ] = None,
    unadjusted: Annotated[
        bool, typer.Option("--unadjusted", help="Without adjustment by what was known before exposure.")
    ] = False,
    view: Annotated[
        float | None,
        typer.Option(help="Adds a Bayesian view with this standard deviation of the lift's prior."),
    ] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Analyses what is known now and shows the result; Ctrl-C cancels the analysis.

    With options it is another reading than the planned one: what departs from the plan is exploratory.

    Examples:

      assay experiment results checkout --project shop --format json

      assay experiment results checkout --segment country --segment browser=3 --until 2026-03-01
    """
    from assay.cli.commands import resources as command

    asked = command.asked_of(
        segments=segment or [],
        strata=strata,
        metrics=metric or [],
        until=until,
        alpha=alpha,
        method=method,
        covariates=covariate or [],
        unadjusted=unadjusted,
        view=view,
    )
    command.show_results(project, key, asked, latest=latest, url=url, output=output)


@experiment.command("looks")
def looks(
    key: Annotated[str, typer.Argument(help="Key of the experiment.")],
    *,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows who read which result when, and what reading a fixed plan early does to it.

    Example: assay experiment looks checkout
    """
    from assay.cli.commands import resources as command

    command.show_looks(project, key, url=url, output=output)


@events.command("send")
def send_events(
    file: Annotated[Path, typer.Argument(help="NDJSON, one event a line.", exists=True, dir_okay=False)],
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
) -> None:
    """Sends events from a file, each batch again until it is acknowledged; sending a file twice is harmless.

    Example: assay events send events.ndjson --project shop
    """
    from assay.cli.commands import resources as command

    command.send_events(file, project=project, environment=environment, url=url)


@events.command("status")
def event_status(
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows what became of an environment's events and how far sealing is behind.

    Example: assay events status --format json
    """
    from assay.cli.commands import events as command

    command.show_status(project, environment, url=url, output=output)


@events.command("forget")
def forget(
    unit: Annotated[str, typer.Argument(help="The unit as its events name it.")],
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
) -> None:
    """Deletes all events of a unit for good, from the database and from the lake's files.

    Example: assay events forget user-4711
    """
    from assay.cli.commands import events as command

    command.forget(unit, project, environment, url=url)
