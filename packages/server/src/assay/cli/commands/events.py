"""What the commands about stored events do."""

import asyncio
import json
from typing import Any

from assay.cli.client import POLL_SECONDS, Client, connected
from assay.cli.console import Format, err, minute, out, print_json, table

WORDS = {
    "rejected": "rejected, see `assay events rejected list`",
    "buffered": "in the database, not sealed yet",
    "sealed": "moved into the lake since the beginning",
    "sealed_repeated": "of these in the lake already",
    "rows": "rows in the lake now",
    "files": "files in the lake now",
    "bytes": "bytes in the lake now",
    "lag_seconds": "age of the oldest that is not sealed, seconds",
    "ahead": "whose sender's clock ran ahead",
    "max_ahead_seconds": "the furthest of them, seconds",
    "sealed_at": "last sealed",
    "error": "why sealing does not succeed",
    "error_at": "since",
}


def show_status(project: str, environment: str, *, url: str, output: Format) -> None:
    """Prints how an environment's events fare."""
    status = asyncio.run(_status(project, environment, url))
    if output is Format.JSON:
        print_json(json.dumps(status, indent=2))
    else:
        rows = [[WORDS.get(name, name), _shown(name, value)] for name, value in status.items()]
        out.print(table(f"Events of {project}/{environment}", ["", ""], rows))


def forget(unit: str, project: str, environment: str, *, url: str) -> None:
    """Deletes a unit's events and says how many there were."""
    gone = asyncio.run(_forget(unit, _path(project, environment), url))
    names = ("buffered", "sealed", "rejected", "assignments")
    counted = ", ".join(f"{gone[name]:,} {name}" for name in names)
    err.print(f"Deleted: {counted}")


def _path(project: str, environment: str) -> str:
    return f"/api/v1/projects/{project}/environments/{environment}/events"


async def _status(project: str, environment: str, url: str) -> dict[str, Any]:
    async with connected(url) as client:
        return await client.get(f"{_path(project, environment)}/status")


async def _forget(unit: str, path: str, url: str) -> dict[str, Any]:
    async with connected(url) as client:
        task = await client.post(f"{path}/forgotten", {"unit": unit})
        await _finished(client, f"{path}/forgotten/{task['id']}")
        return await client.get(f"{path}/forgotten/{task['id']}/result")


async def _finished(client: Client, address: str) -> None:
    task = await client.get(address)
    while task["state"] in {"PENDING", "PROCESSING"}:
        await asyncio.sleep(POLL_SECONDS)
        task = await client.get(address)


def _shown(name: str, value: object) -> str:
    match value:
        case str() if name.endswith("_at"):
            return minute(value)
        case None:
            return "-"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case _:
            return str(value)
