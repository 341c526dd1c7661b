"""What `assay holdout …` does."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from assay.analysis.document import Document
from assay.cli.client import Client
from assay.cli.commands.flag import InvalidFlagOption, Place, print_done, serve_draft
from assay.cli.commands.part import configuration_in
from assay.cli.console import Format, out, print_json, progress, table
from assay.cli.report import report
from assay.shared.numbers import percent


@dataclass(frozen=True, slots=True)
class HoldoutPlace(Place):
    """A holdout on a running Assay."""

    key: str

    @property
    def noun(self) -> str:
        """What is kept there."""
        return "holdout"

    @property
    def address(self) -> str:
        """Where it is."""
        return self.of(self.key)

    def of(self, key: str) -> str:
        """Where a holdout is in this environment."""
        return f"/api/v1/projects/{self.project}/environments/{self.environment}/holdouts/{key}"


@dataclass(frozen=True, slots=True)
class Asked:
    """How a holdout shall be read from now on; nothing leaves that as it is."""

    metrics: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    is_fixed: bool = False

    def body(self) -> dict[str, Any] | None:
        """The reading to put, None without metrics.

        Raises:
            InvalidFlagOption: Something is said of how to read, and nothing of what.
        """
        if not self.metrics:
            if self.since or self.until or self.is_fixed:
                raise InvalidFlagOption("say with --metric by what the holdout is read")
            return None
        return {
            "metrics": list(self.metrics),
            "method": {"kind": "fixed" if self.is_fixed else "always_valid"},
            "starts_at": _moment(self.since),
            "ends_at": _moment(self.until),
        }


def results(place: HoldoutPlace, asked: Asked, *, latest: bool, output: Format) -> None:
    """Prints the result of a holdout, computed now or the newest there is."""
    reading = asked.body()
    if latest and reading is not None:
        raise InvalidFlagOption("--latest shows what there is; leave --metric out")

    async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
        if reading is not None:
            await client.put(f"{place.address}/reading", reading, if_match="*")
        if not latest:
            known = await client.get(f"{place.address}/reading")
            with progress() as bar:
                computing = bar.add_task("Computing the result", total=1.0)
                await client.results(
                    place.project,
                    known["experiment"],
                    progress=lambda share, note: bar.update(computing, completed=share, description=note),
                )
        return await client.get(f"{place.address}/results/latest")

    found = place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    out.print(report(Document.model_validate(found["document"])))
    _print_beside(found)


def release(place: HoldoutPlace, *, note: str, output: Format) -> None:
    """Publishes the holdout as one that keeps its units out of nothing."""

    async def work(client: Client) -> tuple[Any, Any]:
        state = await client.get(f"{place.address}/draft")
        configuration = {**configuration_in(state["published"]["document"]), "experiments": list[str]()}
        drafted = await client.put(f"{place.address}/draft", configuration, if_match=state["etag"])
        return drafted["changes"], await serve_draft(client, place, place.key, drafted["etag"], note)

    changes, state = place.run(work)
    print_done(place.key, changes, state, output=output, done="released")


def _print_beside(found: dict[str, Any]) -> None:
    rows = [
        [
            each["key"],
            each["outcome"] or each["state"],
            each["started_at"][:10],
            (each["ended_at"] or "")[:10],
            ", ".join(f"{one['metric']} {percent(one['lift'])} ({one['arm']})" for one in each["effects"]),
        ]
        for each in found["beside"]["experiments"]
    ]
    columns = ["experiment", "outcome", "from", "until", "by its own result"]
    out.print(table("Under this holdout", columns, rows))
    for each in found["beside"]["sums"]:
        out.print(Text(f"{each['metric']}: {each['sentence']}"))
    for note in found["holdout"]["notes"]:
        out.print(Text(note))


def _moment(at: datetime | None) -> str | None:
    # Typer gives moments without an offset; they are said to be UTC.
    return None if at is None else at.replace(tzinfo=UTC).isoformat()
