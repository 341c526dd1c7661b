"""What the report commands do: requests to the API, and what it said as people read it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.markup import escape

from assay.cli.client import Client, connected
from assay.cli.console import Format, err, minute, out, print_json, table
from assay.shared.errors import NotFound

T = TypeVar("T")
LATEST = "latest"
NUMBERS = frozenset({"csv", "json", "parquet"})
ENDINGS = {"notebook": "ipynb", "bundle": "zip"}


class NoReports(NotFound):
    """The experiment has no report."""

    code = "no_reports"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The reports of an experiment on a running Assay."""

    url: str
    project: str
    experiment: str
    key: str | None

    def create(self, title: str, note: str, result: str | None, *, output: Format) -> None:
        """Freezes a finished analysis."""

        async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
            task = result or (await client.get(f"{self._home}/results/latest"))["task"]["id"]
            return await client.post(self._reports, {"result": task, "title": title, "note": note})

        made = self._run(work)
        _tell(made, f"Froze [bold]{escape(made['title'])}[/] as {made['id']}", output=output)

    def listing(self, *, output: Format) -> None:
        """Prints the reports there are."""
        found = self._run(lambda client: _all(client, self._reports))
        if output is Format.JSON:
            print_json(json.dumps(found, indent=2))
            return
        rows = [[each["id"], each["title"], minute(each["made_at"]), _approval(each)] for each in found]
        out.print(table("", ["id", "title", "made", "approved"], rows))

    def approve(self, report: str, *, output: Format) -> None:
        """Approves a report."""

        async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
            return await client.post(f"{await self._at(client, report)}/approve")

        approved = self._run(work)
        _tell(approved, f"[bold]{escape(approved['title'])}[/] is {_approval(approved)}", output=output)

    def export(self, report: str, form: str, target: Path | None) -> None:
        """Writes a report as a file."""

        async def work(client: Client) -> bytes:
            place = "numbers" if form in NUMBERS else "export"
            return await client.content(f"{await self._at(client, report)}/{place}", format=form)

        content = self._run(work)
        written = target or Path(f"{self.experiment}-report.{ENDINGS.get(form, form)}")
        written.write_bytes(content)
        err.print(f"Wrote [bold]{escape(str(written))}[/], {len(content):,} bytes")

    def share(self, report: str, name: str, days: int, *, output: Format) -> None:
        """Makes a link and prints its address."""

        async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
            return await client.post(f"{await self._at(client, report)}/links", {"name": name, "days": days})

        made = self._run(work)
        if output is Format.JSON:
            print_json(json.dumps(made, indent=2))
            return
        # The address alone on standard output, so that it can be passed on.
        out.print(f"{self.url.rstrip('/')}{made['path']}", highlight=False, soft_wrap=True)
        err.print(f"Works until {minute(made['expires_at'])}; whoever has it can read the report")

    def links(self, report: str, *, output: Format) -> None:
        """Prints the links to a report."""

        async def work(client: Client) -> list[dict[str, Any]]:
            return await _all(client, f"{await self._at(client, report)}/links")

        found = self._run(work)
        if output is Format.JSON:
            print_json(json.dumps(found, indent=2))
            return
        rows = [
            [each["id"], each["name"], each["prefix"], minute(each["expires_at"]), _revoked(each)]
            for each in found
        ]
        out.print(table("", ["id", "name", "begins with", "until", "revoked"], rows))

    def revoke(self, report: str, link: str) -> None:
        """Revokes a link."""

        async def work(client: Client) -> None:
            await client.delete(f"{await self._at(client, report)}/links/{link}")

        self._run(work)
        err.print("Revoked; it opens nothing any more")

    @property
    def _home(self) -> str:
        return f"/api/v1/projects/{self.project}/experiments/{self.experiment}"

    @property
    def _reports(self) -> str:
        return f"{self._home}/reports"

    async def _at(self, client: Client, report: str) -> str:
        if report != LATEST:
            return f"{self._reports}/{report}"
        newest: Sequence[Mapping[str, Any]] = (await client.get(self._reports, limit=1))["items"]
        if not newest:
            raise NoReports(
                f"experiment {self.experiment!r} has no report; make one with `assay report create`",
                value=self.experiment,
            )
        return f"{self._reports}/{newest[0]['id']}"

    def _run(self, work: Callable[[Client], Awaitable[T]]) -> T:
        async def connect() -> T:
            async with connected(self.url, key=self.key) as client:
                return await work(client)

        return asyncio.run(connect())


def _tell(found: Mapping[str, Any], sentence: str, *, output: Format) -> None:
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
    else:
        err.print(sentence)


def _revoked(link: Mapping[str, Any]) -> str:
    return "" if link["revoked_at"] is None else minute(link["revoked_at"])


def _approval(report: Mapping[str, Any]) -> str:
    if report["approved_at"] is None:
        return "not approved"
    return f"approved by {report['approved_by']} on {minute(report['approved_at'])}"


async def _all(client: Client, address: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await client.get(address, cursor=cursor, limit=500)
        items += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return items
