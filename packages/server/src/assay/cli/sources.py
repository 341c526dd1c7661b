"""Commands about connections and tables to analyse."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.console import Format
from assay.cli.options import DEFAULT_PROJECT, DEFAULT_URL, Output, Project, Url

app = typer.Typer(help="Tables to analyse, where they are.", no_args_is_help=True)
connection = typer.Typer(help="Connections of a project.", no_args_is_help=True)
table = typer.Typer(help="Tables of a project.", no_args_is_help=True)
app.add_typer(connection, name="connection")
app.add_typer(table, name="table")

Key = Annotated[str, typer.Argument(help="Its key.", show_default=False)]
DefinitionFile = Annotated[
    Path, typer.Argument(help="JSON file with the body of the API's request.", exists=True, dir_okay=False)
]


@app.command()
def inspect(
    pattern: Annotated[
        str, typer.Argument(help="A file or a pattern such as 'orders/*.parquet'.", show_default=False)
    ],
    *,
    rows: Annotated[int, typer.Option(min=0, max=100, help="Rows to show below the columns.")] = 5,
    output: Output = Format.TABLE,
) -> None:
    """Shows what the columns of CSV or Parquet files hold; needs no server.

    Example: assay source inspect 'orders/*.parquet'
    """
    from assay.cli.commands import source as command

    command.inspect(pattern, rows=rows, output=output)


@connection.command("list")
def list_connections(
    *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL, output: Output = Format.TABLE
) -> None:
    """Lists the connections of a project.

    Example: assay source connection list --project shop
    """
    from assay.cli.commands import source as command

    command.show_connections(project, url=url, output=output)


@connection.command("create")
def create_connection(
    file: DefinitionFile, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL
) -> None:
    """Adds a connection from a JSON file.

    Example of the file:

      {"key": "shop", "name": "Shop", "definition": {"kind": "postgresql", "host": "db", "database": "shop",
      "user": "reader", "password": {"env": "ASSAY_SECRET_SHOP"}}}
    """
    from assay.cli.commands import source as command

    command.create(f"/api/v1/projects/{project}/connections", file, url=url)


@connection.command("check")
def check_connection(
    key: Key, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL, output: Output = Format.TABLE
) -> None:
    """Opens a connection and lists what can be seen through it.

    Example: assay source connection check shop
    """
    from assay.cli.commands import source as command

    command.check_connection(project, key, url=url, output=output)


@connection.command("delete")
def delete_connection(key: Key, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL) -> None:
    """Deletes a connection on which no table stands.

    Example: assay source connection delete shop
    """
    from assay.cli.commands import source as command

    command.delete(f"/api/v1/projects/{project}/connections/{key}", key, url=url)


@table.command("list")
def list_tables(
    *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL, output: Output = Format.TABLE
) -> None:
    """Lists the tables of a project.

    Example: assay source table list --project shop
    """
    from assay.cli.commands import source as command

    command.show_tables(project, url=url, output=output)


@table.command("create")
def create_table(file: DefinitionFile, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL) -> None:
    """Adds a table from a JSON file, after a look whether it is there.

    Example of the file:

      {"key": "orders", "name": "Orders", "connection": "shop",
      "relation": {"kind": "table", "name": "orders"},
      "roles": {"units": {"user": "user_id"}, "timestamp": "paid_at", "event": {"constant": "order"},
      "value": "amount"}}
    """
    from assay.cli.commands import source as command

    command.create(f"/api/v1/projects/{project}/tables", file, url=url)


@table.command("check")
def check_table(
    key: Key, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL, output: Output = Format.TABLE
) -> None:
    """Looks whether a table is still there and its columns fit their roles.

    Example: assay source table check orders
    """
    from assay.cli.commands import source as command

    command.check_table(project, key, url=url, output=output)


@table.command("estimate")
def estimate_table(
    key: Key, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL, output: Output = Format.TABLE
) -> None:
    """Estimates rows and bytes that an analysis would read, without running one.

    Example: assay source table estimate orders
    """
    from assay.cli.commands import source as command

    command.estimate(project, key, url=url, output=output)


@table.command("sample")
def sample_table(
    key: Key,
    *,
    rows: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    project: Project = DEFAULT_PROJECT,
    url: Url = DEFAULT_URL,
    output: Output = Format.TABLE,
) -> None:
    """Shows some rows of a table; Ctrl-C cancels the query where it runs.

    Example: assay source table sample orders --rows 5
    """
    from assay.cli.commands import source as command

    command.look(project, key, {"kind": "sample", "rows": rows}, url=url, output=output)


@table.command("profile")
def profile_table(
    key: Key, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL, output: Output = Format.TABLE
) -> None:
    """Shows what the columns of a table hold; Ctrl-C cancels the query where it runs.

    Example: assay source table profile orders
    """
    from assay.cli.commands import source as command

    command.look(project, key, {"kind": "profile"}, url=url, output=output)


@table.command("delete")
def delete_table(key: Key, *, project: Project = DEFAULT_PROJECT, url: Url = DEFAULT_URL) -> None:
    """Forgets a table; its rows stay where they are.

    Example: assay source table delete orders
    """
    from assay.cli.commands import source as command

    command.delete(f"/api/v1/projects/{project}/tables/{key}", key, url=url)
