"""What the commands about segments, layers and holdouts do, as those about flags."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from assay.cli.client import Client, ServerProblem
from assay.cli.commands.flag import InvalidFlagOption, Place, print_done, serve_draft
from assay.cli.commands.resources import json_object, show_list
from assay.cli.console import Format, err, print_json

COLUMNS = ("key", "description", "updated_at")
NAMES = ("id", "key", "description")


@dataclass(frozen=True, slots=True)
class PartPlace(Place):
    """An environment's segments, layers or holdouts."""

    kind: str

    @property
    def noun(self) -> str:
        """What is kept there."""
        return self.kind

    @property
    def all(self) -> str:
        """Where all of them are."""
        return f"/api/v1/projects/{self.project}/environments/{self.environment}/{self.kind}s"

    def of(self, key: str) -> str:
        """Where one of them is."""
        return f"{self.all}/{key}"

    def state(self, key: str) -> str:
        """Where what is served is read beside its draft."""
        return f"{self.of(key)}/draft"


def listing(place: PartPlace, *, output: Format) -> None:
    """Prints an environment's segments, layers or holdouts."""
    show_list(place.all, COLUMNS, url=place.url, output=output)


def change(place: PartPlace, key: str, file: Path, *, draft: bool, note: str, output: Format) -> None:
    """Makes what a file says of a segment, layer or holdout, and serves it unless only a draft is wanted."""
    document = json_object(file)
    if (named := document.get("id", document.get("key", key))) != key:
        raise InvalidFlagOption(f"the file is about {place.kind} {named!r}, not {key!r}", value=key)

    async def work(client: Client) -> tuple[Any, Any]:
        state = await _state(client, place, key)
        if state is None:
            state = await _made(client, place, key, document, draft=draft)
            return _all_of(state["published"]["document"]), state
        return await _changed(client, place, key, document, etag=state["etag"], draft=draft, note=note)

    changes, state = place.run(work)
    print_done(key, changes, state, output=output, done="drafted" if draft else "published")


def delete(place: PartPlace, key: str, *, output: Format) -> None:
    """Removes a segment, layer or holdout that nothing needs."""

    async def work(client: Client) -> Any:  # noqa: ANN401 — JSON
        part = await client.get(place.of(key))
        await client.delete(place.of(key), if_match=part["etag"])
        return part

    part = place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(part, indent=2))
    else:
        err.print(f"[bold]{key}[/] is deleted from {place.environment}")


def configuration_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a document says beside what the part is called."""
    return {name: value for name, value in document.items() if name not in NAMES}


async def _state(client: Client, place: PartPlace, key: str) -> Any:  # noqa: ANN401 — JSON
    try:
        return await client.get(place.state(key))
    except ServerProblem as error:
        if error.value != HTTPStatus.NOT_FOUND:
            raise
        return None


async def _made(
    client: Client, place: PartPlace, key: str, document: Mapping[str, Any], *, draft: bool
) -> Any:  # noqa: ANN401 — JSON
    if draft:
        raise InvalidFlagOption(
            f"{place.environment!r} has no {place.kind} {key!r} to draft a change of; "
            "a new one is served at once, so leave --draft out",
            value=key,
        )
    description = document.get("description", "")
    await client.post(place.all, {**configuration_in(document), "key": key, "description": description})
    return await client.get(place.state(key))


async def _changed(
    client: Client,
    place: PartPlace,
    key: str,
    document: Mapping[str, Any],
    *,
    etag: str,
    draft: bool,
    note: str,
) -> tuple[Any, Any]:
    if "description" in document:
        described = {"description": document["description"]}
        etag = (await client.patch(place.of(key), described, if_match=etag))["etag"]
    drafted = await client.put(place.state(key), configuration_in(document), if_match=etag)
    if draft or not drafted["changes"]:
        return drafted["changes"], drafted
    return drafted["changes"], await serve_draft(client, place, key, drafted["etag"], note)


def _all_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everything a new document says, as differences to nothing."""
    return [
        {"kind": "added", "path": [name], "before": None, "after": value}
        for name, value in configuration_in(document).items()
    ]
