"""What the experiment commands do: requests to the API, and experiments as people read them."""

import asyncio
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from assay.cli.client import POLL_SECONDS, Client
from assay.cli.commands.flag import InvalidFlagOption, Place, change_line, share_of
from assay.cli.commands.resources import UnreadableFile, json_object
from assay.cli.console import Format, err, minute, out, print_json, table

BASIS_POINTS = 10_000
SIGNS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "blocking": "[red]✗[/]"}


@dataclass(frozen=True, slots=True)
class Subject:
    """An experiment on a running Assay."""

    place: Place
    key: str

    @property
    def address(self) -> str:
        """Where it is."""
        return f"/api/v1/projects/{self.place.project}/experiments/{self.key}"


def show(subject: Subject, *, output: Format) -> None:
    """Prints an experiment with its state, plan and digest."""
    found = subject.place.run(lambda client: client.get(subject.address))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    out.print(table("", ["", found["key"]], _facts(found)))
    if found["plan"] is not None:
        out.print_json(json.dumps(found["plan"]))


def weights(subject: Subject, *, output: Format) -> None:
    """Prints the epochs of a bandit."""
    found = subject.place.run(lambda client: client.get(f"{subject.address}/epochs"))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    if not found["items"]:
        err.print(f"Experiment {escape(subject.key)} has no epochs: its weights stay, or it has not started.")
        return
    arms = list(found["items"][-1]["weights"])
    rows = [
        [
            f"{each['phase']}.{each['number']}",
            each["began_at"],
            *(f"{each['weights'].get(arm, 0):.1%}" for arm in arms),
            ("moved: " if each["moved"] else "stayed: ") + each["reason"],
        ]
        for each in found["items"]
    ]
    out.print(table(f"Weights of {subject.key}", ["epoch", "since", *arms, "why"], rows))


def plan(subject: Subject, file: Path | None, *, template: str | None, output: Format) -> None:
    """Replaces the plan of a DRAFT by that of a file or template; prints the one there is without either."""

    async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
        found = await client.get(subject.address)
        if file is None and template is None:
            return found
        if file is not None:
            wanted = json_object(file)
        else:
            place = f"/api/v1/projects/{subject.place.project}/experiment-templates/{template}"
            wanted = (await client.get(place))["plan"]
        return await client.put(f"{subject.address}/plan", wanted, if_match=found["etag"])

    found = subject.place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(found["plan"], indent=2))
        return
    out.print_json(json.dumps(found["plan"]))
    if file is not None or template is not None:
        err.print(f"[bold]{subject.key}[/] is planned")


def salt(subject: Subject, file: Path, unit: str, asked: dict[str, Any], *, output: Format) -> None:
    """Searches for a balanced salt and prints what was found."""
    body = {**asked, "units": _known_units(file, unit)}

    async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
        address = f"{subject.address}/salt"
        task = await client.post(address, body)
        while task["state"] in {"PENDING", "PROCESSING"}:
            await asyncio.sleep(POLL_SECONDS)
            task = await client.get(f"{address}/{task['id']}")
        return await client.get(f"{address}/{task['id']}/result")

    found = subject.place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    err.print(
        f"Salt [bold]{found['salt']}[/] is in the plan: the first of {found['tried']:,} that is acceptable, "
        f"distance {found['score']:.3g} of at most {found['threshold']:.3g}, largest difference "
        f"{found['largest_difference']:.2f} standard deviations"
    )


def _known_units(file: Path, unit: str) -> list[dict[str, Any]]:
    """The rows of a CSV file; a column of numbers is one of numbers, any other is one of words."""
    with file.open(newline="", encoding="utf-8-sig") as text:
        rows = list(csv.DictReader(text))
    names = [name for name in (rows[0] if rows else {}) if name != unit]
    if not rows or unit not in rows[0] or not names:
        raise UnreadableFile(
            f"{file.name} needs a header with the column {unit!r} and a column of what is known of each unit"
        )
    columns = {name: _numbers([row[name] for row in rows]) for name in names}
    return [
        {"unit": row[unit], "covariates": {name: columns[name][number] for name in names}}
        for number, row in enumerate(rows)
    ]


def _numbers(values: list[str]) -> list[float] | list[str]:
    try:
        return [float(value) for value in values]
    except ValueError:
        return values


def ready(subject: Subject, *, output: Format) -> bool:
    """Prints every readiness check, and tells whether none blocks the start."""
    found = subject.place.run(lambda client: client.get(f"{subject.address}/readiness"))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
    else:
        for check in found["checks"]:
            out.print(_check_line(check), highlight=False)
        err.print(f"[bold]{subject.key}[/] is {'ready' if found['ready'] else 'not ready'}")
    return found["ready"]


def move(subject: Subject, path: str, body: Mapping[str, Any], *, output: Format) -> None:
    """Makes a move from the experiment's current version, and says where it stands then."""

    async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
        found = await client.get(subject.address)
        return await client.post(f"{subject.address}/{path}", dict(body), if_match=found["etag"])

    moved = subject.place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(moved, indent=2))
    else:
        err.print(_standing(moved))


def log(subject: Subject, *, kind: str | None, output: Format) -> None:
    """Prints an experiment's log, newest first."""
    entries = subject.place.run(lambda client: every(client, f"{subject.address}/log", kind=kind))
    if output is Format.JSON:
        print_json(json.dumps(entries, indent=2))
        return
    for entry in entries:
        out.print(_entry_line(entry), highlight=False, soft_wrap=True)
        for change in entry["body"].get("changes", []):
            out.print(f"  {change_line(change)}", highlight=False, soft_wrap=True)


def say(subject: Subject, path: str, body: Mapping[str, Any], *, output: Format) -> None:
    """Adds an entry to an experiment's log."""
    entry = subject.place.run(lambda client: client.post(f"{subject.address}/{path}", dict(body)))
    if output is Format.JSON:
        print_json(json.dumps(entry, indent=2))
    else:
        out.print(_entry_line(entry), highlight=False, soft_wrap=True)


def learn(subject: Subject, learnings: str, *, output: Format) -> None:
    """Replaces what an experiment has taught."""

    async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
        etag = (await client.get(subject.address))["etag"]
        return await client.patch(subject.address, {"learnings": learnings}, if_match=etag)

    found = subject.place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
    else:
        err.print(f"[bold]{escape(subject.key)}[/] has taught: {escape(found['learnings'])}")


def listing(place: Place, query: Mapping[str, str | None], *, output: Format) -> None:
    """Prints the experiments that a query finds."""
    address = f"/api/v1/projects/{place.project}/experiments"
    found = place.run(lambda client: every(client, address, **query))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    rows = [
        [
            each["key"],
            each["name"],
            each["state"] or "observed",
            each["outcome"] or "",
            ", ".join(each["tags"]),
        ]
        for each in found
    ]
    out.print(table("", ["key", "name", "state", "outcome", "tags"], rows))


def coverage_of(text: str | None) -> float | None:
    """A coverage such as `20%`, as a share."""
    return None if text is None else share_of(text) / BASIS_POINTS


def weights_of(pairs: Sequence[str]) -> dict[str, float] | None:
    """Weights from ARM=WEIGHT pairs; None when there are none.

    Raises:
        InvalidFlagOption: One is not of that form.
    """
    weights: dict[str, float] = {}
    for pair in pairs:
        arm, _, weight = pair.rpartition("=")
        try:
            weights[arm] = float(weight)
        except ValueError as error:
            raise InvalidFlagOption(f"{pair!r} is not of the form ARM=WEIGHT", value=pair) from error
    return weights or None


async def every(client: Client, address: str, **query: str | None) -> list[dict[str, Any]]:
    """All items of a list, page after page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await client.get(address, cursor=cursor, limit=500, **query)
        items += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return items


def _facts(found: Mapping[str, Any]) -> list[list[str]]:
    phase, departure = found["phase"], found["departure"]
    facts = [
        ["name", found["name"]],
        ["state", found["state"] or "observed"],
        ["arms", ", ".join(f"{arm['key']} ({arm['weight']:g})" for arm in found["arms"])],
        ["control", found["control"]],
        ["environment", found["assignments"]["environment"]],
        ["metrics", ", ".join(found["metrics"])],
    ]
    if phase is not None:
        since = minute(phase["started_at"])
        facts += [
            ["phase", f"{phase['number']}, since {since}, covers {phase['coverage']:.2%}"],
            ["plan hash", phase["plan_hash"]],
        ]
    if departure is not None and departure["fields"]:
        facts.append(["deviates in", ", ".join(departure["fields"])])
    if found["outcome"] is not None:
        facts.append(["outcome", f"{found['outcome']} on {minute(found['ended_at'])}"])
    return facts


def _standing(found: Mapping[str, Any]) -> str:
    phase, outcome = found["phase"], found["outcome"]
    parts = [f"[bold]{escape(found['key'])}[/] is {found['state']}"]
    if outcome is not None:
        parts.append(str(outcome))
    elif phase is not None:
        parts.append(
            f"phase {phase['number']} covers {phase['coverage']:.2%}, plan {phase['plan_hash'][:12]}"
        )
    return ", ".join(parts)


def _check_line(check: Mapping[str, Any]) -> str:
    way_out = f" {check['way_out']}" if check["level"] != "ok" else ""
    return f"{SIGNS[check['level']]} {check['check']}: {escape(check['sentence'] + way_out)}"


def _entry_line(entry: Mapping[str, Any]) -> str:
    body = {
        name: value for name, value in entry["body"].items() if name not in {"changes", "state"} and value
    }
    said = ", ".join(f"{name} {value}" for name, value in body.items())
    parts = [minute(entry["at"]), entry["actor"], entry["kind"], *([said] if said else [])]
    note = f": {entry['note']}" if entry["note"] else ""
    return escape("  ".join(parts) + note)
