"""`assay events rejected`."""

import asyncio
import json
from typing import Any

from assay.cli.client import connected
from assay.cli.console import Format, err, minute, out, print_json, table

REJECTED = "/api/v1/events/rejected"
SHOWN_CHARACTERS = 80


def show(*, limit: int, project: str, environment: str, url: str, output: Format) -> None:
    """Prints the newest rejected events."""
    items = asyncio.run(_items(limit, project, environment, url))
    if output is Format.JSON:
        print_json(json.dumps(items, indent=2))
        return
    rows = [[item["reason"], item["body"][:SHOWN_CHARACTERS], minute(item["received_at"])] for item in items]
    out.print(table("", ["reason", "sent", "received"], rows))


def replay(*, project: str, environment: str, url: str, output: Format) -> None:
    """Has all of them judged again and says what became of them."""
    answer = asyncio.run(_replay(project, environment, url))
    if output is Format.JSON:
        print_json(json.dumps(answer, indent=2))
    else:
        err.print(", ".join(f"{answer[each]:,} {each}" for each in ("accepted", "repeated", "rejected")))


async def _items(limit: int, project: str, environment: str, url: str) -> list[dict[str, Any]]:
    async with connected(url) as client:
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(items) < limit:
            size = min(500, limit - len(items))
            page = await client.get(
                REJECTED, project=project, environment=environment, cursor=cursor, limit=size
            )
            items += page["items"]
            if (cursor := page["next_cursor"]) is None:
                break
        return items


async def _replay(project: str, environment: str, url: str) -> dict[str, int]:
    async with connected(url) as client:
        return await client.post(f"{REJECTED}/replay", project=project, environment=environment)
