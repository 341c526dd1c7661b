"""Commands about planned experiments; they join those of `assay experiment`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.console import Format
from assay.cli.options import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_PROJECT,
    DEFAULT_URL,
    Note,
    Output,
    Project,
    Url,
)

if TYPE_CHECKING:
    from assay.cli.commands.experiment import Subject

ExperimentKey = Annotated[str, typer.Argument(help="Key of the experiment.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; stands in the log.", show_default=False)]
Coverage = Annotated[str | None, typer.Option(help="Share of the targeted units, such as 20%.")]


class Ending(StrEnum):
    """How an experiment ends."""

    SHIP = "ship"
    ROLL_BACK = "roll-back"
    KEEP = "keep"


class Decision(StrEnum):
    """What may be decided."""

    SHIP = "ship"
    ROLL_BACK = "roll-back"
    ITERATE = "iterate"
    NO_DECISION = "no-decision"


OUTCOMES = {Ending.SHIP: "SHIPPED", Ending.ROLL_BACK: "ROLLED_BACK", Ending.KEEP: "KEPT"}


def add_to(app: typer.Typer) -> None:
    """Adds the commands to those there are."""
    moves = (start, pause, resume, cover, restart, complete)
    notes = (log, comment, decide, learn, archive)
    for command in (listing, show, plan, power, recommend, salt, ready, *moves, weights, *notes):
        app.command("list" if command is listing else command.__name__)(command)


def listing(
    *,
    search: Annotated[
        str | None, typer.Option(help="Beginnings of words of key, hypothesis, learnings…")
    ] = None,
    state: Annotated[str | None, typer.Option(help="DRAFT, ACTIVE, PAUSED or COMPLETED.")] = None,
    outcome: Annotated[str | None, typer.Option(help="SHIPPED, ROLLED_BACK or KEPT.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lists the experiments of a project.

    Examples:

      assay experiment list --project shop

      assay experiment list --search "shorter form" --outcome SHIPPED
    """
    from assay.cli.commands import experiment as command
    from assay.cli.commands.flag import Place

    query = {"search": search, "state": state, "outcome": outcome, "tag": tag}
    command.listing(Place(url, project, DEFAULT_ENVIRONMENT), query, output=output)


def weights(
    key: ExperimentKey,
    *,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Prints the epochs of a bandit: its weights, and why they moved or stayed.

    Examples:

      assay experiment weights headline

      assay experiment weights headline --format json
    """
    from assay.cli.commands import experiment as command

    command.weights(_subject(url, project, key), output=output)


def show(
    key: ExperimentKey,
    *,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows an experiment: state, phase, plan and the plan's hash.

    Example: assay experiment show checkout
    """
    from assay.cli.commands import experiment as command

    command.show(_subject(url, project, key), output=output)


def plan(
    key: ExperimentKey,
    *,
    file: Annotated[
        Path | None, typer.Option(help="JSON file with the new plan.", exists=True, dir_okay=False)
    ] = None,
    template: Annotated[str | None, typer.Option(help="Key of a template to take the plan from.")] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows the plan of an experiment, or replaces that of a DRAFT.

    Examples:

      assay experiment plan checkout

      assay experiment plan checkout --file plan.json
    """
    from assay.cli.commands import experiment as command

    command.plan(_subject(url, project, key), file, template=template, output=output)


def salt(
    key: ExperimentKey,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV file: a row per unit, its id, and what is known of it.", exists=True, dir_okay=False
        ),
    ],
    *,
    unit: Annotated[str, typer.Option(help="Column with the unit's id.")] = "unit",
    share: Annotated[float, typer.Option(help="Share of random assignments that is good enough.")] = 0.01,
    tries: Annotated[int, typer.Option(help="At most so many salts.")] = 2_000,
    seed: Annotated[int, typer.Option(help="The same seed tries the same salts.")] = 1,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Looks for a salt whose arms are alike in what is known of the units, and puts it into the plan.

    Example: assay experiment salt checkout shops.csv --unit shop --share 0.01
    """
    from assay.cli.commands import experiment as command

    asked = {"acceptable_share": share, "tries": tries, "seed": seed}
    command.salt(_subject(url, project, key), file, unit, asked, output=output)


def ready(
    key: ExperimentKey,
    *,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Checks whether an experiment may start; exits with 1 when a check blocks it.

    Example: assay experiment ready checkout --format json
    """
    from assay.cli.commands import experiment as command

    if not command.ready(_subject(url, project, key), output=output):
        raise typer.Exit(1)


def start(
    key: ExperimentKey,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Freezes the plan and begins to assign units.

    Example: assay experiment start checkout --note "as agreed"
    """
    from assay.cli.commands import experiment as command

    command.move(_subject(url, project, key), "start", {"note": note}, output=output)


def pause(
    key: ExperimentKey,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Ends exposures; every unit keeps its variant.

    Example: assay experiment pause checkout --note "errors on phones"
    """
    from assay.cli.commands import experiment as command

    command.move(_subject(url, project, key), "pause", {"note": note}, output=output)


def resume(
    key: ExperimentKey,
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lets exposures go on, everybody in the arm of before.

    Example: assay experiment resume checkout
    """
    from assay.cli.commands import experiment as command

    command.move(_subject(url, project, key), "resume", {"note": note}, output=output)


def cover(
    key: ExperimentKey,
    coverage: Annotated[str, typer.Argument(help="Share of the targeted units, such as 50%.")],
    *,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Lets more units in; those who are in keep their arm.

    Example: assay experiment cover checkout 50%
    """
    from assay.cli.commands import experiment as command

    body = {"coverage": command.coverage_of(coverage), "note": note}
    command.move(_subject(url, project, key), "coverage", body, output=output)


def restart(
    key: ExperimentKey,
    *,
    reason: Reason,
    weight: Annotated[
        list[str] | None, typer.Option(help="ARM=WEIGHT, may be given again; others stay.")
    ] = None,
    coverage: Coverage = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Begins a new phase, in which a new salt assigns everybody anew.

    Example: assay experiment restart checkout --reason "the form was broken" --weight new=3 --coverage 50%
    """
    from assay.cli.commands import experiment as command

    body = {
        "reason": reason,
        "weights": command.weights_of(weight or []),
        "coverage": command.coverage_of(coverage),
    }
    command.move(_subject(url, project, key), "restart", body, output=output)


def complete(
    key: ExperimentKey,
    ending: Annotated[Ending, typer.Argument(help="What the flag serves from now on.", show_default=False)],
    *,
    arm: Annotated[str | None, typer.Option(help="The arm to ship.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Ship beyond the targeted units.")] = False,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Ends an experiment: ships an arm, rolls back, or keeps the split without exposures.

    Examples:

      assay experiment complete checkout ship --arm new

      assay experiment complete checkout roll-back --note "refunds rose"
    """
    from assay.cli.commands import experiment as command

    body = {"outcome": OUTCOMES[ending], "arm": arm, "everyone": everyone, "note": note}
    command.move(_subject(url, project, key), "complete", body, output=output)


def log(
    key: ExperimentKey,
    *,
    kind: Annotated[str | None, typer.Option(help="Only such entries: decided, commented, started…")] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows what happened to an experiment and what was said and decided, newest first.

    Example: assay experiment log checkout --kind decided
    """
    from assay.cli.commands import experiment as command

    command.log(_subject(url, project, key), kind=kind, output=output)


def comment(
    key: ExperimentKey,
    text: Annotated[str, typer.Argument(help="What to say.", show_default=False)],
    *,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Adds a comment to the log; nothing there is changed later.

    Example: assay experiment comment checkout "the sale begins on Friday"
    """
    from assay.cli.commands import experiment as command

    command.say(_subject(url, project, key), "comments", {"text": text}, output=output)


def decide(
    key: ExperimentKey,
    decision: Annotated[Decision, typer.Argument(help="What was decided.", show_default=False)],
    *,
    arm: Annotated[str | None, typer.Option(help="The arm it is about.")] = None,
    result: Annotated[str | None, typer.Option(help="The analysis it rests on.")] = None,
    note: Note = "",
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Writes a decision into the log; `complete` is what changes the flag.

    Example: assay experiment decide checkout ship --arm new --note "clear on every goal"
    """
    from assay.cli.commands import experiment as command

    body = {"decision": decision.value.replace("-", "_"), "arm": arm, "result": result, "note": note}
    command.say(_subject(url, project, key), "decisions", body, output=output)


def learn(
    key: ExperimentKey,
    learnings: Annotated[str, typer.Argument(help="What remains to be known.", show_default=False)],
    *,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Writes down what an experiment has taught; the archive is searched by it.

    Example: assay experiment learn checkout "Fewer fields help on phones only."
    """
    from assay.cli.commands import experiment as command

    command.learn(_subject(url, project, key), learnings, output=output)


def archive(
    *,
    search: Annotated[
        str | None, typer.Option(help="Beginnings of words of key, hypothesis, learnings…")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Only those read by this metric, with its effects together.")
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="SHIPPED, ROLLED_BACK or KEPT.")] = None,
    since: Annotated[str | None, typer.Option(help="Ended on this day or later, such as 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Ended before this day.")] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows experiments that are over, what they found, and what all found together on a metric.

    Examples:

      assay experiment archive --search "shorter form"

      assay experiment archive --metric orders
    """
    from assay.cli.commands import archive as command
    from assay.cli.commands.flag import Place

    query = {"search": search, "tag": tag, "metric": metric, "outcome": outcome}
    days = {"since": command.day_of(since), "until": command.day_of(until)}
    command.archive(Place(url, project, DEFAULT_ENVIRONMENT), query | days, output=output)


def power(
    key: ExperimentKey,
    *,
    units_per_day: Annotated[
        float | None, typer.Option(help="New targeted units a day; found in the data by default.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Says how many units and days a plan needs, from past results or from the events there are.

    Example: assay experiment power checkout --units-per-day 5000
    """
    from assay.cli.commands import planning as command

    command.power(_subject(url, project, key), units_per_day, output=output)


def recommend(
    key: ExperimentKey,
    *,
    deadline_days: Annotated[int | None, typer.Option(help="By when it shall be decided.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="It shall be readable at any moment.")] = False,
    units_per_day: Annotated[
        float | None, typer.Option(help="New targeted units a day; found in the data by default.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Recommends a method from traffic and deadline, and says what each choice costs.

    Example: assay experiment recommend checkout --deadline-days 21
    """
    from assay.cli.commands import planning as command

    body = {"deadline_days": deadline_days, "watch_continuously": watch, "units_per_day": units_per_day}
    command.recommend(_subject(url, project, key), body, output=output)


def _subject(url: str, project: str, key: str) -> "Subject":
    from assay.cli.commands import experiment as command
    from assay.cli.commands.flag import Place

    return command.Subject(Place(url, project, DEFAULT_ENVIRONMENT), key)
