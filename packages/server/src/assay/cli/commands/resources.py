"""What the resource commands do: plain requests, printed."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from assay.analysis.document import Document
from assay.cli.client import Client, EventsRefused, connected
from assay.cli.console import Format, err, minute, out, print_json, progress, table
from assay.cli.report import report
from assay.shared.errors import Invalid

SHOWN_REJECTIONS = 10


class UnreadableFile(Invalid):
    """A file does not hold what the command needs."""

    code = "unreadable_file"


class InvalidOption(Invalid):
    """An option is not of its form."""

    code = "invalid_option"


def show_list(path: str, columns: Sequence[str], *, url: str, output: Format) -> None:
    """Prints every item of a list, page by page read."""
    items = asyncio.run(_items(path, url))
    if output is Format.JSON:
        print_json(json.dumps(items, indent=2))
    else:
        out.print(table("", columns, [[_cell(item, column) for column in columns] for item in items]))


def create(path: str, body: Mapping[str, Any], *, url: str) -> None:
    """Creates a resource and says under which key."""
    made = asyncio.run(_post(path, body, url))
    err.print(f"Created [bold]{made['key']}[/]")


def create_from_file(path: str, file: Path, *, url: str) -> None:
    """Creates a resource whose body stands in a JSON file."""
    create(path, json_object(file), url=url)


def asked_of(
    *,
    segments: Sequence[str],
    strata: str | None,
    metrics: Sequence[str],
    until: str | None,
    alpha: float | None,
    method: str | None,
    covariates: Sequence[str],
    unadjusted: bool,
    view: float | None,
) -> dict[str, Any]:
    """The body of the request for a result; empty for the planned reading.

    Raises:
        InvalidOption: An option is not of its form.
    """
    asked = {
        "segments": [_segment(text) for text in segments],
        "strata": strata,
        "metrics": list(metrics),
        "until": until,
        "alpha": alpha,
        "method": None if method is None else {"kind": method},
        "covariates": dict(_pair(text) for text in covariates),
        "view": None if view is None else {"standard_deviation": view},
    }
    chosen = {name: value for name, value in asked.items() if value not in (None, [], {})}
    return {**chosen, "adjusted": False} if unadjusted else chosen


def show_results(
    project: str, experiment: str, asked: Mapping[str, Any], *, latest: bool, url: str, output: Format
) -> None:
    """Prints a result, computed now or the newest there is."""
    if latest and asked:
        raise InvalidOption("--latest shows what there is and takes no other option; leave one of them out")
    document = asyncio.run(_document(project, experiment, asked, latest=latest, url=url))
    if output is Format.JSON:
        print_json(document.model_dump_json(indent=2))
    else:
        out.print(report(document))


def show_looks(project: str, experiment: str, *, url: str, output: Format) -> None:
    """Prints who read which result when, newest first."""
    path = f"/api/v1/projects/{project}/experiments/{experiment}/results/looks"
    found = asyncio.run(_get(path, url))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    rows = [
        [
            minute(each["at"]),
            each["actor"],
            "exploratory" if each["is_exploratory"] else "planned reading",
            "before its end" if each["is_early"] else "",
            each["result"],
        ]
        for each in found["items"]
    ]
    out.print(table("", ["read at", "by", "reading", "early", "result"], rows))
    if found["sentence"] is not None:
        err.print(found["sentence"], style="yellow")


def send_events(file: Path, *, project: str, environment: str, url: str) -> None:
    """Sends a file's events and says what became of them."""
    tally, rejections = asyncio.run(_send(file, project=project, environment=environment, url=url))
    for line in rejections[:SHOWN_REJECTIONS]:
        err.print(line, style="yellow", markup=False)
    counted = ", ".join(f"{tally[name]:,} {name}" for name in ("accepted", "repeated", "rejected"))
    err.print(counted)
    if tally["rejected"]:
        raise EventsRefused(tally["rejected"])


async def _items(path: str, url: str) -> list[dict[str, Any]]:
    async with connected(url) as client:
        return [item async for item in _walk(client, path)]


async def _walk(client: Client, path: str) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = await client.get(path, cursor=cursor, limit=500)
        for item in page["items"]:
            yield item
        if (cursor := page["next_cursor"]) is None:
            return


async def _get(path: str, url: str) -> dict[str, Any]:
    async with connected(url) as client:
        return await client.get(path, limit=500)


def _segment(text: str) -> dict[str, Any]:
    key, mark, top = text.rpartition("=")
    if not mark:
        return {"key": text}
    try:
        return {"key": key, "top": int(top)}
    except ValueError as error:
        raise InvalidOption(f"{text!r} is not of the form PROPERTY=TOP", value=text) from error


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not (key and mark and value):
        raise InvalidOption(f"{text!r} is not of the form METRIC=OTHER", value=text)
    return key, value


async def _post(path: str, body: Mapping[str, Any], url: str) -> dict[str, Any]:
    async with connected(url) as client:
        return await client.post(path, body)


async def _document(
    project: str, experiment: str, asked: Mapping[str, Any], *, latest: bool, url: str
) -> Document:
    async with connected(url) as client:
        if latest:
            answer = await client.get(f"/api/v1/projects/{project}/experiments/{experiment}/results/latest")
            return Document.model_validate(answer["document"])
        with progress() as bar:
            computing = bar.add_task("Computing the result", total=1.0)
            answer = await client.results(
                project,
                experiment,
                asked=asked,
                progress=lambda share, note: bar.update(computing, completed=share, description=note),
            )
    return Document.model_validate(answer["document"])


async def _send(file: Path, *, project: str, environment: str, url: str) -> tuple[Counter[str], list[str]]:
    tally: Counter[str] = Counter()
    rejections: list[str] = []
    with progress() as bar:
        sending = bar.add_task(f"Sending {file.name}", total=_line_count(file))

        def sent(answer: Mapping[str, Any]) -> None:
            bar.advance(sending, len(answer["verdicts"]))
            for verdict in answer["verdicts"]:
                tally[verdict["verdict"]] += 1
                if verdict["reason"] is not None:
                    rejections.append(f"rejected {verdict['id'] or 'without id'}: {verdict['reason']}")

        async with connected(url) as client:
            await client.send(_lines(file), project=project, environment=environment, sent=sent)
    return tally, rejections


def _line_count(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError as error:
                raise UnreadableFile(f"line {number} of {file.name!r} is not JSON: {error}") from error


def json_object(file: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        UnreadableFile: It holds something else.
    """
    try:
        body: Any = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableFile(f"{file.name!r} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise UnreadableFile(f"{file.name!r} must hold one JSON object")
    return cast("dict[str, Any]", body)


def _cell(item: Mapping[str, Any], column: str) -> str:
    value = item["definition"]["kind"] if column == "kind" else item[column]
    return minute(value) if column.endswith("_at") and value is not None else str(value)
