"""Commands about holdouts as something to analyse; what one is stands under `assay flag holdout`."""

from datetime import datetime
from typing import Annotated

import typer

from assay.cli.console import Format
from assay.cli.options import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_PROJECT,
    DEFAULT_URL,
    Environment,
    Note,
    Output,
    Project,
    Url,
)

app = typer.Typer(
    help="What came of everything under a holdout. Make and change holdouts with `assay flag holdout`.",
    no_args_is_help=True,
)
Key = Annotated[str, typer.Argument(help="Key of the holdout.", show_default=False)]


@app.command()
def results(
    key: Key,
    *,
    metric: Annotated[
        list[str],
        typer.Option("--metric", help="Read it by this metric from now on; may be given again."),
    ] = [],  # noqa: B006 — typer takes a list's default from here, and copies it
    since: Annotated[
        datetime | None, typer.Option(help="Count exposures from then on (UTC).", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Read nothing later (UTC).", show_default=False)
    ] = None,
    fixed: Annotated[
        bool, typer.Option("--fixed", help="One look, at --until, instead of one at any moment.")
    ] = False,
    latest: Annotated[bool, typer.Option("--latest", help="Show what there is; compute nothing.")] = False,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows what everything tried and shipped under a holdout has done together.

    With --metric it first says how the holdout is read, which the next results remember.

    Examples:

      assay holdout results first-quarter --metric orders --metric revenue

      assay holdout results first-quarter --format json

      assay holdout results first-quarter --metric orders --fixed --until 2026-04-01
    """
    from assay.cli.commands import holdout as command

    place = command.HoldoutPlace(url, project, environment, key)
    asked = command.Asked(metric, since, until, is_fixed=fixed)
    command.results(place, asked, latest=latest, output=output)


@app.command()
def release(
    key: Key,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lets the units of a holdout into everything at once, which ends its analysis.

    Example: assay holdout release first-quarter --note "the quarter is over"
    """
    from assay.cli.commands import holdout as command

    place = command.HoldoutPlace(url, project, environment, key)
    command.release(place, note=note, output=output)
