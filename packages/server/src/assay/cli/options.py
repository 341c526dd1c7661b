"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.console import Format

Url = Annotated[str, typer.Option(envvar="ASSAY_URL", help="Address of the running Assay.")]
Project = Annotated[str, typer.Option(envvar="ASSAY_PROJECT", help="Key of the project.")]
Environment = Annotated[str, typer.Option(envvar="ASSAY_ENVIRONMENT", help="Key of the environment.")]
Note = Annotated[str, typer.Option(help="Why; stands in the history.")]
Output = Annotated[Format, typer.Option("--format", help="A table for people, JSON for programs.")]

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_PROJECT = "default"
DEFAULT_ENVIRONMENT = "production"

PreviewFile = Annotated[
    Path | None,
    typer.Option(
        "--file", help="JSON file with what to publish instead of the draft.", exists=True, dir_okay=False
    ),
]
PreviewContexts = Annotated[
    list[str], typer.Option("--context", help="Whom to ask too, as a JSON object; may be given again.")
]
Recent = Annotated[int, typer.Option(help="Units of the newest exposures to ask.", min=0, max=10_000)]
