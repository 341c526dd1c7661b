"""Commands about results as things to keep and to check."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.console import Format
from assay.cli.options import DEFAULT_PROJECT, DEFAULT_URL, Output, Project, Url

app = typer.Typer(help="Results to keep and to check.", no_args_is_help=True)


@app.command()
def export(
    experiment: Annotated[str, typer.Argument(help="Key of the experiment.", show_default=False)],
    *,
    target: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("bundle.zip"),
    task: Annotated[
        str | None, typer.Option(help="The analysis to export; the newest finished one by default.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
) -> None:
    """Writes a result as one file: document, plan, and the numbers it was concluded from as Parquet.

    Example: assay results export checkout -o checkout.zip
    """
    from assay.cli.commands import results as command

    command.export(project, experiment, target, task=task, url=url)


@app.command()
def cancel(
    experiment: Annotated[str, typer.Argument(help="Key of the experiment.", show_default=False)],
    task: Annotated[str, typer.Argument(help="The analysis to stop.", show_default=False)],
    *,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
) -> None:
    """Stops an analysis that waits or is at work; a finished one stays.

    Example: assay results cancel checkout 01a228e7-a53a-700b-8d72-662d2e2aa179
    """
    from assay.cli.commands import results as command

    command.cancel(project, experiment, task, url=url)


@app.command()
def reproduce(
    bundle: Annotated[
        Path, typer.Argument(help="A file that `assay results export` wrote.", show_default=False)
    ],
    *,
    output: Output = Format.TABLE,
) -> None:
    """Concludes a bundle again and compares every digit; needs no server.

    Exit code 1 and the first number that differs when it is not the same.

    Example: assay results reproduce checkout.zip
    """
    from assay.cli.commands import results as command

    command.reproduce(bundle, output=output)
