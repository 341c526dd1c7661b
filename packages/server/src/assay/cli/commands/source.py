"""`assay source …`."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from assay.cli.client import Client, connected
from assay.cli.commands.resources import json_object, show_list
from assay.cli.console import Format, err, out, print_json, table
from assay.shared.numbers import MISSING, number, percent
from assay.sources.connections import Files
from assay.sources.engines.opening import Means, opened
from assay.sources.places import Allowed
from assay.sources.schemas import ProfileOut, SampleOut
from assay.sources.tables import FilePattern

POLL_SECONDS = 0.2
NO_TIMEOUT_SECONDS = 1e9
QUARTILES = ("0.25", "0.5", "0.75")


def inspect(pattern: str, *, rows: int, output: Format) -> None:
    """Prints what files on this machine hold."""
    from assay.sources import profile as first_look

    path = Path(pattern).absolute()
    definition = Files(kind="files", folder=path.anchor)
    relation = FilePattern(kind="files", pattern=str(path.relative_to(path.anchor)))
    with opened(definition, Means(Allowed(None), timeout_seconds=NO_TIMEOUT_SECONDS)) as engine:
        found = engine.table(relation)
        profile, sample = first_look.profile(found, {}), first_look.sample(found, rows)
    if output is Format.JSON:
        print_json(json.dumps({"profile": profile.model_dump(), "sample": sample.model_dump()}, indent=2))
    else:
        _print_profile(profile)
        _print_sample(sample)


def show_connections(project: str, *, url: str, output: Format) -> None:
    """Prints the connections of a project."""
    show_list(f"/api/v1/projects/{project}/connections", ["key", "name", "kind"], url=url, output=output)


def show_tables(project: str, *, url: str, output: Format) -> None:
    """Prints the tables of a project."""
    show_list(f"/api/v1/projects/{project}/tables", ["key", "name", "connection"], url=url, output=output)


def create(path: str, file: Path, *, url: str) -> None:
    """Makes what a JSON file describes and says under which key."""
    made = _ask(url, lambda client: client.post(path, json_object(file)))
    err.print(f"Created [bold]{made['key']}[/]")


def delete(path: str, key: str, *, url: str) -> None:
    """Deletes a resource."""
    _ask(url, lambda client: client.delete(path))
    err.print(f"Deleted [bold]{key}[/]")


def check_connection(project: str, key: str, *, url: str, output: Format) -> None:
    """Prints what can be seen through a connection."""
    found = _ask(url, lambda client: client.post(f"/api/v1/projects/{project}/connections/{key}/check"))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
    else:
        out.print(table(f"{key} works", ["table"], [[name] for name in found["tables"]]))


def check_table(project: str, key: str, *, url: str, output: Format) -> None:
    """Prints the columns of a table that fits its roles."""
    found = _ask(url, lambda client: client.post(f"/api/v1/projects/{project}/tables/{key}/check"))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    rows = [[column["name"], column["type"], column["role"] or "property"] for column in found["columns"]]
    out.print(table(f"{key} fits", ["column", "type", "role"], rows))


def estimate(project: str, key: str, *, url: str, output: Format) -> None:
    """Prints what reading a table would cost."""
    found = _ask(url, lambda client: client.post(f"/api/v1/projects/{project}/tables/{key}/estimate"))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    figures = [("rows", "rows"), ("bytes scanned", "scanned_bytes"), ("bytes allowed", "allowed_bytes")]
    out.print(
        table(found["basis"], ["", "figure"], [[words, _count(found[name])] for words, name in figures])
    )


def look(project: str, key: str, body: Mapping[str, Any], *, url: str, output: Format) -> None:
    """Begins a first look at a table, waits, and prints what was found."""
    path = f"/api/v1/projects/{project}/tables/{key}/queries"
    found = _ask(url, lambda client: _looked(client, path, body))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
    elif found["kind"] == "profile":
        _print_profile(ProfileOut.model_validate(found))
    else:
        _print_sample(SampleOut.model_validate(found))


async def _looked(client: Client, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 — JSON
    task = await client.post(path, body)
    place = f"{path}/{task['id']}"
    try:
        while task["state"] in {"PENDING", "PROCESSING"}:
            await asyncio.sleep(POLL_SECONDS)
            task = await client.get(place)
    except asyncio.CancelledError:
        await client.post(f"{place}/cancel")
        raise
    return await client.get(f"{place}/result")


def _ask(url: str, question: Callable[[Client], Awaitable[Any]]) -> Any:  # noqa: ANN401 — JSON
    async def asked() -> Any:  # noqa: ANN401 — JSON
        async with connected(url) as client:
            return await question(client)

    return asyncio.run(asked())


def _print_profile(profile: ProfileOut) -> None:
    rows = [
        [
            column.name,
            column.type,
            percent(column.null_share),
            _count(column.distinct),
            column.lowest or MISSING,
            *(number(column.quantiles.get(share)) for share in QUARTILES),
            column.highest or MISSING,
        ]
        for column in profile.columns
    ]
    title = f"{profile.rows:,} rows"
    columns = ["column", "type", "null", "distinct", "lowest", "25%", "50%", "75%", "highest"]
    out.print(table(title, columns, rows))


def _print_sample(sample: SampleOut) -> None:
    rows: Sequence[Sequence[str]] = [
        ["" if cell is None else str(cell) for cell in row] for row in sample.rows
    ]
    if rows:
        out.print(table("", sample.columns, rows))
    else:
        out.print(Text("no rows shown", "dim"))


def _count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"
