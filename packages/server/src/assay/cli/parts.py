"""Commands about segments, layers and holdouts, the same for each.

They are written once; which of the three is meant is the name under which they were called. In what `--help`
says, KIND stands for it.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
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
    PreviewContexts,
    PreviewFile,
    Project,
    Recent,
    Url,
)

KINDS = {
    "segment": "Segments of an environment: named sets of units.",
    "layer": "Layers of an environment: experiments that exclude one another.",
    "holdout": "Holdouts of an environment: units kept out of experiments.",
}
Key = Annotated[str, typer.Argument(help="Its key.", show_default=False)]


def list_parts(
    context: typer.Context,
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lists the KINDs of an environment.

    Example: assay flag KIND list --environment staging --format json
    """
    from assay.cli.commands import part as command

    command.listing(command.PartPlace(url, project, environment, _kind(context)), output=output)


def get_part(
    context: typer.Context,
    key: Key,
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows what an environment serves of a KIND, and what publishing its draft would change.

    Example: assay flag KIND get KEY
    """
    from assay.cli.commands import flag, part

    flag.show(part.PartPlace(url, project, environment, _kind(context)), key, output=output)


def set_part(
    context: typer.Context,
    key: Key,
    *,
    file: Annotated[
        Path, typer.Option(help="JSON file with it as it stands in a datafile.", exists=True, dir_okay=False)
    ],
    draft: Annotated[bool, typer.Option("--draft", help="Leave it a draft; serve nothing new.")] = False,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Changes a KIND, making it when it is new, shows the difference and publishes it.

    Examples:

      assay flag KIND set KEY --file KEY.json --note "as agreed"

      assay flag KIND set KEY --file KEY.json --draft
    """
    from assay.cli.commands import part as command

    place = command.PartPlace(url, project, environment, _kind(context))
    command.change(place, key, file, draft=draft, note=note, output=output)


def diff_part(
    context: typer.Context,
    key: Key,
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows what publishing the draft of a KIND would change.

    Example: assay flag KIND diff KEY
    """
    from assay.cli.commands import flag, part

    flag.difference(part.PartPlace(url, project, environment, _kind(context)), key, output=output)


def preview_part(
    context: typer.Context,
    key: Key,
    *,
    file: PreviewFile = None,
    contexts: PreviewContexts = [],  # noqa: B006 — typer takes a list's default from here, and copies it
    recent: Recent = 1_000,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows which flags would answer whom differently if the draft of a KIND were published.

    Examples:

      assay flag KIND preview KEY

      assay flag KIND preview KEY --file KEY.json --context '{"targetingKey": "u1"}'
    """
    from assay.cli.commands import part, preview

    place = part.PartPlace(url, project, environment, _kind(context))
    preview.of_part(place, key, file, preview.Asked(contexts, recent), output=output)


def publish_part(
    context: typer.Context,
    key: Key,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Serves the draft of a KIND, provided that the whole environment passes the check.

    Example: assay flag KIND publish KEY --note "as agreed"
    """
    from assay.cli.commands import flag, part

    place = part.PartPlace(url, project, environment, _kind(context))
    flag.publish(place, key, note=note, output=output)


def revert_part(
    context: typer.Context,
    key: Key,
    *,
    to: Annotated[
        int | None, typer.Option(help="Number of the revision; the one before the last by default.")
    ] = None,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Serves an earlier revision of a KIND again, exactly.

    Examples:

      assay flag KIND revert KEY

      assay flag KIND revert KEY --to 3
    """
    from assay.cli.commands import flag, part

    place = part.PartPlace(url, project, environment, _kind(context))
    flag.revert(place, key, number=to, note=note, output=output)


def delete_part(
    context: typer.Context,
    key: Key,
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Removes a KIND that nothing needs, with its history.

    Example: assay flag KIND delete KEY
    """
    from assay.cli.commands import part as command

    command.delete(command.PartPlace(url, project, environment, _kind(context)), key, output=output)


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_parts,
    "get": get_part,
    "set": set_part,
    "diff": diff_part,
    "preview": preview_part,
    "publish": publish_part,
    "revert": revert_part,
    "delete": delete_part,
}
EXAMPLES = {"segment": "staff", "layer": "checkout", "holdout": "first-quarter"}


def add_to(app: typer.Typer) -> None:
    """Adds the commands of each kind."""
    for kind, what in KINDS.items():
        group = typer.Typer(help=what, no_args_is_help=True)
        for name, command in COMMANDS.items():
            described = inspect.cleandoc(str(command.__doc__))
            group.command(name, help=described.replace("KIND", kind).replace("KEY", EXAMPLES[kind]))(command)
        app.add_typer(group, name=kind)


def _kind(context: typer.Context) -> str:
    assert context.parent is not None  # noqa: S101 — commands stand in a group
    return str(context.parent.info_name)
