"""Commands about reports: freezing a result, approving it, taking it along, sharing it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.console import Format
from assay.cli.options import DEFAULT_PROJECT, DEFAULT_URL, Output, Project, Url

if TYPE_CHECKING:
    from assay.cli.commands.report import Shelf

app = typer.Typer(help="Results that are frozen, approved and shared.", no_args_is_help=True)
ExperimentKey = Annotated[str, typer.Argument(help="Key of the experiment.", show_default=False)]
ReportId = Annotated[str, typer.Argument(help="Id of the report, or `latest`.", show_default=False)]
Key = Annotated[
    str | None,
    typer.Option(envvar="ASSAY_KEY", help="Server key, where Assay asks for one.", show_default=False),
]


class ReportForm(StrEnum):
    """What a report is written as."""

    PDF = "pdf"
    PNG = "png"
    HTML = "html"
    NOTEBOOK = "notebook"
    BUNDLE = "bundle"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@app.command()
def create(
    experiment: ExperimentKey,
    *,
    title: Annotated[str, typer.Option(help="What people read first.", show_default=False)],
    note: Annotated[str, typer.Option(help="What should be known beside the numbers.")] = "",
    result: Annotated[
        str | None, typer.Option(help="The analysis to freeze; the newest finished one by default.")
    ] = None,
    key: Key = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Freezes a finished result under a title.

    Example: assay report create checkout --title "Five fields are enough"
    """
    _shelf(url, project, experiment, key).create(title, note, result, output=output)


@app.command("list")
def listing(
    experiment: ExperimentKey,
    *,
    key: Key = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lists the reports of an experiment, newest first.

    Example: assay report list checkout
    """
    _shelf(url, project, experiment, key).listing(output=output)


@app.command()
def approve(
    experiment: ExperimentKey,
    report: ReportId,
    *,
    key: Key = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Approves a report; only then can it be shared.

    Example: assay report approve checkout latest
    """
    _shelf(url, project, experiment, key).approve(report, output=output)


@app.command()
def export(
    experiment: ExperimentKey,
    report: ReportId,
    *,
    form: Annotated[ReportForm, typer.Option("--as", help="What it is written as.")] = ReportForm.PDF,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; the server's name for it by default."),
    ] = None,
    key: Key = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
) -> None:
    """Writes a report as a file that needs nothing else.

    Examples:

      assay report export checkout latest

      assay report export checkout latest --as notebook -o checkout.ipynb
    """
    _shelf(url, project, experiment, key).export(report, form.value, target)


@app.command()
def share(
    experiment: ExperimentKey,
    report: ReportId,
    *,
    name: Annotated[str, typer.Option(help="Who gets the link.", show_default=False)],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it works.")] = 30,
    key: Key = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Makes a link by which an approved report is read without a key; it is shown this once.

    Example: assay report share checkout latest --name "the board" --days 14
    """
    _shelf(url, project, experiment, key).share(report, name, days, output=output)


@app.command()
def links(
    experiment: ExperimentKey,
    report: ReportId,
    *,
    key: Key = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lists the links to a report, newest first.

    Example: assay report links checkout latest
    """
    _shelf(url, project, experiment, key).links(report, output=output)


@app.command()
def revoke(
    experiment: ExperimentKey,
    report: ReportId,
    link: Annotated[str, typer.Argument(help="Id of the link, as `links` lists it.", show_default=False)],
    *,
    key: Key = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
) -> None:
    """Revokes a link; it opens nothing from then on.

    Example: assay report revoke checkout latest 019ab2c4-0000-7000-8000-000000000000
    """
    _shelf(url, project, experiment, key).revoke(report, link)


def _shelf(url: str, project: str, experiment: str, key: str | None) -> "Shelf":
    from assay.cli.commands.report import Shelf

    return Shelf(url, project, experiment, key)
