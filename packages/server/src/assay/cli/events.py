"""Commands about events that come from files, and about those that were refused."""

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

rejected = typer.Typer(help="Events that were refused, with the reasons.", no_args_is_help=True)

Mapped = Annotated[
    list[str],
    typer.Option(
        "--map", help="PART=COLUMN: kind, id, name, experiment, variant, unit, units.KIND, at, value."
    ),
]
Constant = Annotated[list[str], typer.Option("--set", help="PART=VALUE for all rows, such as name=order.")]


def load(
    files: Annotated[
        list[str], typer.Argument(help="CSV, Parquet or NDJSON files, or globs.", show_default=False)
    ],
    *,
    mapped: Mapped = [],  # noqa: B006 — typer copies it
    constant: Constant = [],  # noqa: B006
    properties: Annotated[
        bool, typer.Option("--properties/--no-properties", help="Send all other columns as properties.")
    ] = True,
    restart: Annotated[bool, typer.Option("--restart", help="Begin at the first row again.")] = False,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Loads events from tables; an interrupted load goes on where it was, and none is counted twice.

    Columns with usual names are found: id, name or event, unit or user_id, at or timestamp, value, and for
    exposures experiment and variant. Times without an offset are UTC.

    Examples:

      assay events load orders.csv --set name=order --map unit=customer --map value=total

      assay events load "exposures/*.parquet" --set experiment=checkout --map units.device=device_id
    """
    from assay.cli.commands import events_load as command

    order = command.Load(
        files, _pairs(mapped), _pairs(constant), properties, restart, project, environment, url
    )
    command.load(order, output=output)


@rejected.command("list")
def list_rejected(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 50,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lists the newest events that were refused, with the reasons.

    Example: assay events rejected list --limit 10
    """
    from assay.cli.commands import events_rejected as command

    command.show(limit=limit, project=project, environment=environment, url=url, output=output)


@rejected.command("replay")
def replay_rejected(
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Has all refused events judged again; those that pass now are stored and leave the list.

    Example: assay events rejected replay --project shop
    """
    from assay.cli.commands import events_rejected as command

    command.replay(project=project, environment=environment, url=url, output=output)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := next((part for part, sign, value in pairs if not (part and sign and value)), None):
        raise typer.BadParameter(f"{wrong!r} is not of the form PART=VALUE")
    return {part: value for part, _, value in pairs}
