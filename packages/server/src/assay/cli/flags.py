"""Commands about flags."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli import parts
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

app = typer.Typer(help="Flags of a project.", no_args_is_help=True)
parts.add_to(app)

FlagKey = Annotated[str, typer.Argument(help="Key of the flag.", show_default=False)]
Unit = Annotated[str | None, typer.Option("--unit", "-u", help="Targeting key: who asks.")]
Attributes = Annotated[
    list[str], typer.Option("--attribute", "-a", help="NAME=VALUE, may be given again; VALUE may be JSON.")
]
ContextOption = Annotated[str | None, typer.Option("--context", help="The whole context as a JSON object.")]
Draft = Annotated[bool, typer.Option("--draft", help="Ask the draft instead of what is served.")]


@app.command("list")
def list_flags(
    *,
    search: Annotated[str | None, typer.Option(help="Beginnings of words of key, owner, tags…")] = None,
    tag: Annotated[str | None, typer.Option(help="Only flags with this tag.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="The archived ones instead.")] = False,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lists the flags of a project.

    Examples:

      assay flag list --project shop

      assay flag list --search check --format json
    """
    from assay.cli.commands import flag as command

    place = command.Place(url, project, DEFAULT_ENVIRONMENT)
    command.listing(place, search=search, tag=tag, archived=archived, output=output)


@app.command()
def get(
    key: FlagKey,
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows what an environment serves of a flag, and what publishing its draft would change.

    Example: assay flag get checkout --environment staging
    """
    from assay.cli.commands import flag as command

    command.show(command.Place(url, project, environment), key, output=output)


@app.command("set")
def set_flag(
    key: FlagKey,
    *,
    file: Annotated[
        Path | None,
        typer.Option(help="JSON file with the flag as it stands in a datafile.", exists=True, dir_okay=False),
    ] = None,
    on: Annotated[bool, typer.Option("--on", help="Serve --serve to everyone whom no rule serves.")] = False,
    rollout: Annotated[str | None, typer.Option(help="Serve it to a share of them, such as 20%.")] = None,
    serve: Annotated[str, typer.Option(help="The variant that --on and --rollout serve.")] = "on",
    draft: Annotated[bool, typer.Option("--draft", help="Leave it a draft; serve nothing new.")] = False,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Changes a flag, making it when it is new, shows the difference and publishes it.

    Whoever is in a rollout stays in when it is raised.

    Examples:

      assay flag set checkout --on

      assay flag set checkout --rollout 20% --note "first fifth"

      assay flag set checkout --file flag.json --draft
    """
    from assay.cli.commands import flag as command

    place = command.Place(url, project, environment)
    wanted = command.Wanted(file, on, rollout, serve)
    command.change(place, key, wanted, draft=draft, note=note, output=output)


@app.command("on")
def switch_on(
    key: FlagKey,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Switches a flag on again at once, with the rules that were served last.

    Example: assay flag on checkout
    """
    from assay.cli.commands import flag as command

    place = command.Place(url, project, environment)
    command.switch(place, key, enabled=True, note=note, output=output)


@app.command("off")
def switch_off(
    key: FlagKey,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Switches a flag off at once, whatever its rules say.

    Example: assay flag off checkout --note "errors since noon"
    """
    from assay.cli.commands import flag as command

    place = command.Place(url, project, environment)
    command.switch(place, key, enabled=False, note=note, output=output)


@app.command("eval")
def evaluate(
    key: FlagKey,
    *,
    unit: Unit = None,
    attribute: Attributes = [],  # noqa: B006 — typer copies it
    context: ContextOption = None,
    draft: Draft = False,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Says what a flag is for a context; counts as no evaluation and no exposure.

    Examples:

      assay flag eval checkout --unit user-1 --attribute plan=pro

      assay flag eval checkout --context '{"targetingKey": "user-1", "age": 42}' --format json
    """
    from assay.cli.commands import flag as command

    place = command.Place(url, project, environment)
    asking = command.context_of(unit, attribute, context)
    command.evaluate(place, key, asking, draft=draft, output=output)


@app.command()
def explain(
    key: FlagKey,
    *,
    unit: Unit = None,
    attribute: Attributes = [],  # noqa: B006 — typer copies it
    context: ContextOption = None,
    draft: Draft = False,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Says why a flag is what it is for a context, rule by rule.

    Examples:

      assay flag explain checkout --unit user-1 --attribute plan=pro

      assay flag explain checkout --unit user-1 --draft
    """
    from assay.cli.commands import flag as command

    place = command.Place(url, project, environment)
    asking = command.context_of(unit, attribute, context)
    command.explain(place, key, asking, draft=draft, output=output)


@app.command()
def diff(
    key: FlagKey,
    *,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows what publishing the draft would change.

    Example: assay flag diff checkout
    """
    from assay.cli.commands import flag as command

    command.difference(command.Place(url, project, environment), key, output=output)


@app.command("preview")
def preview_flag(
    key: FlagKey,
    *,
    file: PreviewFile = None,
    contexts: PreviewContexts = [],  # noqa: B006 — typer takes a list's default from here, and copies it
    recent: Recent = 1_000,
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows who would get another variant if the draft were published, and which experiments that touches.

    Examples:

      assay flag preview checkout

      assay flag preview checkout --file flag.json --context '{"targetingKey": "u1", "plan": "pro"}'
    """
    from assay.cli.commands import flag as command
    from assay.cli.commands import preview

    place = command.Place(url, project, environment)
    preview.of_flag(place, key, file, preview.Asked(contexts, recent), output=output)


@app.command()
def publish(
    key: FlagKey,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    environment: Environment = DEFAULT_ENVIRONMENT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Serves the draft of a flag, provided that the whole environment passes the check.

    Example: assay flag publish checkout --note "for everyone"
    """
    from assay.cli.commands import flag as command

    command.publish(command.Place(url, project, environment), key, note=note, output=output)


@app.command()
def revert(
    key: FlagKey,
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
    """Serves an earlier revision of a flag again, exactly.

    Examples:

      assay flag revert checkout

      assay flag revert checkout --to 3
    """
    from assay.cli.commands import flag as command

    command.revert(command.Place(url, project, environment), key, number=to, note=note, output=output)
