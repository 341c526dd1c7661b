"""The command line. Commands import what they need when they run, so that `--help` stays fast."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from assay import __version__
from assay.cli import events, experiments, flags, holdouts, reports, resources, results, sources
from assay.cli.console import Format, err
from assay.shared.errors import AssayError

app = typer.Typer(
    name="assay",
    help="Feature flags, experiments, and statistics one can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.add_typer(resources.project, name="project")
app.add_typer(flags.app, name="flag")
app.add_typer(resources.metric, name="metric")
experiments.add_to(resources.experiment)
app.add_typer(resources.experiment, name="experiment")
app.add_typer(holdouts.app, name="holdout")
resources.events.command("load")(events.load)
resources.events.add_typer(events.rejected, name="rejected")
app.add_typer(resources.events, name="events")
app.add_typer(sources.app, name="source")
app.add_typer(results.app, name="results")
app.add_typer(reports.app, name="report")
database = typer.Typer(help="The database's schema.", no_args_is_help=True)
app.add_typer(database, name="db")

FormatOption = Annotated[Format, typer.Option("--format", help="A table for people, JSON for programs.")]
HOST = Annotated[str | None, typer.Option(help="Address to listen on (setting `host`).", show_default=False)]
PORT = Annotated[
    int | None, typer.Option(help="Port to listen on, 0 for a free one (setting `port`).", show_default=False)
]
DATA = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the data (setting `data_directory`).", show_default=False),
]


def run() -> None:
    """Entry point: runs a command; a failure is one sentence and exit code 1."""
    try:
        app()
    except AssayError as error:
        err.print(f"[red]Error:[/] {escape(error.message)}", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def version() -> None:
    """Prints the version.

    Example: assay version
    """
    typer.echo(__version__)


@app.command()
def up(host: HOST = None, port: PORT = None, data: DATA = None) -> None:
    """Starts everything: database, migrations, API, pages and worker, on one port.

    Examples:

      assay up

      assay up --port 9000 --data ./data

      ASSAY_DATABASE_URL=postgresql://me@db/assay assay up
    """
    from assay.cli.commands import up as command

    command.up(host=host, port=port, data_directory=data)


@app.command()
def worker() -> None:
    """Runs background work in a process of its own, beside servers with ASSAY_WORKER_ENABLED=false.

    Example: ASSAY_DATABASE_URL=postgresql://me@db/assay assay worker
    """
    from assay.cli.commands import worker as command

    command.work()


@database.command()
def upgrade() -> None:
    """Brings the schema of ASSAY_DATABASE_URL to this version; run it before starting new servers.

    Example: ASSAY_DATABASE_URL=postgresql://me@db/assay assay db upgrade
    """
    from assay.cli.commands import worker as command

    command.upgrade()


@app.command()
def demo(
    *,
    headless: Annotated[bool, typer.Option("--headless", help="Print the result and leave.")] = False,
    visitors: Annotated[int, typer.Option(min=100, max=1_000_000, help="Visitors of the shop.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 7,
    port: PORT = 0,
    output: FormatOption = Format.TABLE,
) -> None:
    """Runs Assay in a throw-away folder with a simulated shop and shows the result beside the truth.

    Examples:

      assay demo

      assay demo --headless --format json
    """
    from assay.cli.commands import demo as command

    command.demo(headless=headless, visitors=visitors, seed=seed, port=port, output=output)


@app.command()
def verify_stats(
    *,
    scale: Annotated[
        float,
        typer.Option(min=0.001, max=100, help="Simulated experiments, as a multiple of the full suite."),
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and scale give the same report.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="CSV or Parquet: make the same claims about your own metric.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Column of your metric in --data.")] = None,
    covariate: Annotated[
        str | None, typer.Option(help="Column of the same units before the experiment.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Proves the statistics on this machine: simulates what every method promises, controls included.

    Examples:

      assay verify-stats

      assay verify-stats --scale 1 --seed 7 --format json

      assay verify-stats --data orders.parquet --metric revenue
    """
    from assay.cli.commands import verify_stats as command

    command.verify_stats(scale=scale, seed=seed, data=data, metric=metric, covariate=covariate, output=output)


@app.command()
def analyze(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet, one row per unit.", show_default=False)],
    *,
    unit: Annotated[str, typer.Option(help="Column that identifies the unit.")],
    variant: Annotated[str, typer.Option(help="Column that names the arm.")],
    control: Annotated[str, typer.Option(help="The arm that the others are compared with.")],
    metric: Annotated[
        list[str], typer.Option("--metric", "-m", help="Column to compare; may be given again.")
    ] = [],  # noqa: B006 — typer copies it
    ratio: Annotated[
        list[str],
        typer.Option(
            "--ratio", help="NAME=NUMERATOR/DENOMINATOR, a sum of one column over a sum of another."
        ),
    ] = [],  # noqa: B006
    cap: Annotated[
        list[str],
        typer.Option(
            "--cap", help="METRIC=QUANTILE adds the metric capped at a pooled quantile, such as 0.999."
        ),
    ] = [],  # noqa: B006
    weight: Annotated[
        list[str], typer.Option("--weight", help="ARM=WEIGHT, where arms were not meant to be equal.")
    ] = [],  # noqa: B006
    segment: Annotated[
        list[str], typer.Option("--segment", help="Column to cut the result by; may be given again.")
    ] = [],  # noqa: B006
    covariate: Annotated[
        list[str],
        typer.Option("--covariate", help="METRIC=COLUMN known before exposure, to adjust the metric by."),
    ] = [],  # noqa: B006
    alpha: Annotated[float, typer.Option(help="Intervals cover with probability 1 - alpha.")] = 0.05,
    zero_fill: Annotated[
        bool, typer.Option("--zero-fill", help="Count a unit without a value as 0 instead of leaving it out.")
    ] = False,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="Also write the result as a file for `assay results reproduce`."),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Analyses an experiment in a file; needs no server.

    A column of TRUE/FALSE or 0/1 is a proportion, any other number a mean.

    Examples:

      assay analyze data.csv --unit userid --variant version --control gate_30 -m retention_7

      assay analyze data.parquet --unit id --variant arm --control A --ratio basket=revenue/orders
    """
    from assay.cli.commands import analyze as command

    command.analyze(
        file,
        unit=unit,
        variant=variant,
        control=control,
        metrics=metric,
        ratios=ratio,
        caps=cap,
        weights=weight,
        segments=segment,
        covariates=covariate,
        alpha=alpha,
        zero_fill=zero_fill,
        bundle=bundle,
        output=output,
    )
