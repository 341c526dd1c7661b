"""What the flag commands do: requests to the API, and the differences as people read them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar, cast

from rich.markup import escape

from assay.cli.client import Client, ServerProblem, connected
from assay.cli.commands.resources import json_object
from assay.cli.console import Format, err, minute, out, print_json, table
from assay.shared.errors import Invalid

T = TypeVar("T")

BASIS_POINTS = 10_000
CONFIGURATION = ("enabled", "rules", "fallthrough", "off")
DEFINITION = ("variants", "metadata")
SIGNS = {"added": "[green]+", "removed": "[red]-", "changed": "[yellow]~", "reordered": "[blue]↕"}


class InvalidFlagOption(Invalid):
    """An option of a flag command cannot be used."""

    code = "invalid_flag_option"


@dataclass(frozen=True, slots=True)
class Place:
    """An environment of a project on a running Assay."""

    url: str
    project: str
    environment: str

    @property
    def flags(self) -> str:
        """Where the project's flags are."""
        return f"/api/v1/projects/{self.project}/flags"

    @property
    def noun(self) -> str:
        """What is kept there."""
        return "flag"

    def of(self, key: str) -> str:
        """Where a flag is in this environment."""
        return f"{self.flags}/{key}/environments/{self.environment}"

    def state(self, key: str) -> str:
        """Where what is served is read beside its draft."""
        return self.of(key)

    def run(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """What the work gives over a connection."""

        async def connect() -> T:
            async with connected(self.url) as client:
                return await work(client)

        return asyncio.run(connect())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `set` makes of a flag, as far as the command line says."""

    file: Path | None = None
    on: bool = False
    rollout: str | None = None
    serve: str = "on"


def show(place: Place, key: str, *, output: Format) -> None:
    """Prints what an environment serves of a flag, and what publishing would change."""
    state = place.run(lambda client: client.get(place.state(key)))
    if output is Format.JSON:
        print_json(json.dumps(state, indent=2))
        return
    published = state["published"]
    if published is None:
        out.print(f"{key} is not published in {place.environment}")
    else:
        revision = f"revision {published['number']} of {minute(published['at'])}"
        out.print(f"{key} in {place.environment}, {revision}")
        out.print_json(json.dumps(published["document"]))
    print_changes(state["changes"], none="The draft is what is served.")


def difference(place: Place, key: str, *, output: Format) -> None:
    """Prints what publishing would change."""
    state = place.run(lambda client: client.get(place.state(key)))
    if output is Format.JSON:
        print_json(json.dumps(state["changes"], indent=2))
    else:
        print_changes(state["changes"], none="Publishing would change nothing.")


def change(place: Place, key: str, wanted: Wanted, *, draft: bool, note: str, output: Format) -> None:
    """Changes a flag, making it when it is new, and publishes that unless only a draft is wanted."""
    document = {} if wanted.file is None else json_object(wanted.file)
    if document.get("key", key) != key:
        raise InvalidFlagOption(f"the file is about flag {document['key']!r}, not {key!r}", value=key)

    async def work(client: Client) -> tuple[Any, Any]:
        flag = await _defined(client, place, key, document)
        state = await client.get(place.of(key))
        configuration = _configured(state["draft"], flag, document, wanted)
        drafted = await client.put(f"{place.of(key)}/draft", configuration, if_match=state["etag"])
        if draft or not drafted["changes"]:
            return drafted["changes"], drafted
        return drafted["changes"], await serve_draft(client, place, key, drafted["etag"], note)

    changes, state = place.run(work)
    print_done(key, changes, state, output=output, done="drafted" if draft else "published")


def publish(place: Place, key: str, *, note: str, output: Format) -> None:
    """Serves the draft."""

    async def work(client: Client) -> tuple[Any, Any]:
        state = await client.get(place.state(key))
        return state["changes"], await serve_draft(client, place, key, state["etag"], note)

    changes, state = place.run(work)
    print_done(key, changes, state, output=output, done="published")


def switch(place: Place, key: str, *, enabled: bool, note: str, output: Format) -> None:
    """Switches a flag on or off at once."""
    word = "on" if enabled else "off"
    state = place.run(lambda client: client.post(f"{place.of(key)}/{word}", {"note": note}))
    if output is Format.JSON:
        print_json(json.dumps(state, indent=2))
    else:
        err.print(f"[bold]{key}[/] is {word} in {place.environment}, revision {state['published']['number']}")


def revert(place: Place, key: str, *, number: int | None, note: str, output: Format) -> None:
    """Serves an earlier revision again, the one before the last when none is named."""

    async def work(client: Client) -> tuple[Any, Any]:
        state = await client.get(place.state(key))
        wanted = _previous(place, key, state) if number is None else number
        served = await client.post(f"{place.of(key)}/revert", {"revision": wanted, "note": note})
        return wanted, served

    wanted, state = place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(state, indent=2))
    else:
        served = state["published"]["number"]
        err.print(f"[bold]{key}[/] is again as in revision {wanted}; that is revision {served} now")


def evaluate(place: Place, key: str, context: Mapping[str, Any], *, draft: bool, output: Format) -> None:
    """Prints a flag's value for a context."""
    answer = _explained(place, key, context, draft=draft)
    if output is Format.JSON:
        print_json(json.dumps({name: value for name, value in answer.items() if name != "steps"}, indent=2))
    else:
        out.print(_outcome(answer))


def explain(place: Place, key: str, context: Mapping[str, Any], *, draft: bool, output: Format) -> None:
    """Prints why a flag has its value for a context."""
    answer = _explained(place, key, context, draft=draft)
    if output is Format.JSON:
        print_json(json.dumps(answer, indent=2))
        return
    out.print(_outcome(answer))
    for line in _steps(answer["steps"]):
        out.print(line, highlight=False)


def listing(place: Place, *, search: str | None, tag: str | None, archived: bool, output: Format) -> None:
    """Prints a project's flags."""

    async def work(client: Client) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await client.get(
                place.flags, search=search, tag=tag, archived=str(archived).lower(), cursor=cursor, limit=500
            )
            items += page["items"]
            if (cursor := page["next_cursor"]) is None:
                return items

    flags = place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(flags, indent=2))
        return
    rows = [
        [flag["key"], flag["type"], ", ".join(flag["variants"]), flag["owner"], ", ".join(flag["tags"])]
        for flag in flags
    ]
    out.print(table("", ["key", "type", "variants", "owner", "tags"], rows))


def context_of(unit: str | None, attributes: Sequence[str], context: str | None) -> dict[str, Any]:
    """Who asks, from a JSON object, a targeting key and NAME=VALUE pairs, where a value may be JSON."""
    found = json_context(context) if context else {}
    for attribute in attributes:
        name, equals, value = attribute.partition("=")
        if not (name and equals):
            raise InvalidFlagOption(f"{attribute!r} is not of the form NAME=VALUE", value=attribute)
        found[name] = _json_or_text(value)
    return found | ({"targetingKey": unit} if unit is not None else {})


def json_context(text: str) -> dict[str, Any]:
    """A context from a JSON object."""
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise InvalidFlagOption(f"the context {text!r} is not JSON: {error}", value=text) from error
    if not isinstance(found, dict):
        raise InvalidFlagOption(f"the context {text!r} is not a JSON object", value=text)
    return cast("dict[str, Any]", found)


def share_of(text: str) -> int:
    """A share such as `20%`, in basis points."""
    try:
        share = Decimal(text.strip().removesuffix("%")) * 100
    except InvalidOperation:
        share = Decimal(-1)
    if not share.is_finite() or not 0 <= share <= BASIS_POINTS or share % 1:
        raise InvalidFlagOption(
            f"{text!r} is not a share; write one from 0% to 100% with at most two decimals, such as 20%",
            value=text,
        )
    return int(share)


def rollout(fallthrough: Mapping[str, Any] | None, *, key: str, share: int, on: str, off: str) -> Any:  # noqa: ANN401 — JSON
    """The fallthrough that serves `on` to a share of units, and the same units first as before."""
    before: Mapping[str, Any] = (fallthrough or {}).get("split") or {}
    # The salt decides who comes first: keeping it keeps those in who are in.
    kept = {name: before[name] for name in ("salt", "unit") if name in before}
    ranges = [
        {"low": 0, "high": share, "variant": on},
        {"low": share, "high": BASIS_POINTS, "variant": off},
    ]
    return {"split": {"salt": key, **kept, "ranges": ranges}}


def change_line(change: Mapping[str, Any]) -> str:
    """One difference, as a line for people."""
    path = escape(".".join(change["path"]))
    before, after = (escape(json.dumps(change[side], ensure_ascii=False)) for side in ("before", "after"))
    sign = SIGNS[change["kind"]]
    match change["kind"]:
        case "added":
            return f"{sign}[/] {path}  {after}"
        case "removed":
            return f"{sign}[/] {path}  {before}"
        case _:
            return f"{sign}[/] {path}  {before} → {after}"


async def serve_draft(client: Client, place: Place, key: str, etag: str, note: str) -> Any:  # noqa: ANN401 — JSON
    """Publishes the draft that the caller has read."""
    return await client.post(f"{place.of(key)}/publish", {"note": note}, if_match=etag)


def print_changes(changes: Sequence[Mapping[str, Any]], *, none: str) -> None:
    """Prints differences line by line, or that there are none."""
    for change in changes:
        out.print(change_line(change), highlight=False, soft_wrap=True)
    if not changes:
        out.print(none)


def print_done(
    key: str, changes: Sequence[Mapping[str, Any]], state: Mapping[str, Any], *, output: Format, done: str
) -> None:
    """Prints what has become of a change."""
    if output is Format.JSON:
        print_json(json.dumps(state, indent=2))
        return
    print_changes(changes, none="Nothing changes.")
    if changes:
        err.print(f"[bold]{key}[/] is {done} in {state['environment']}")


def _configured(
    draft: Mapping[str, Any], flag: Mapping[str, Any], document: Mapping[str, Any], wanted: Wanted
) -> dict[str, Any]:
    new = {**draft}
    if wanted.file is not None:
        new = {name: document[name] for name in CONFIGURATION if name in document}
    if wanted.on or wanted.rollout is not None:
        _require_variant(flag, wanted.serve)
        new |= {"enabled": True, "fallthrough": {"variant": wanted.serve}}
    if wanted.rollout is not None:
        off = _other_variant(flag, new, wanted.serve)
        share = share_of(wanted.rollout)
        new["fallthrough"] = rollout(
            draft["fallthrough"], key=flag["key"], share=share, on=wanted.serve, off=off
        )
    return new


def _require_variant(flag: Mapping[str, Any], name: str) -> None:
    if name not in flag["variants"]:
        variants = ", ".join(flag["variants"])
        raise InvalidFlagOption(
            f"flag {flag['key']!r} has no variant {name!r}; say which with --serve: {variants}", value=name
        )


def _other_variant(flag: Mapping[str, Any], configuration: Mapping[str, Any], serve: str) -> str:
    variants: Mapping[str, Any] = flag["variants"]
    candidates = [str(configuration.get("off")), "off", *variants]
    return next((name for name in candidates if name in variants and name != serve), serve)


async def _defined(client: Client, place: Place, key: str, document: Mapping[str, Any]) -> Any:  # noqa: ANN401 — JSON
    """The flag's definition, made or changed to be that of the document."""
    wanted = {name: document[name] for name in DEFINITION if name in document}
    try:
        flag = await client.get(f"{place.flags}/{key}")
    except ServerProblem as error:
        if error.value != HTTPStatus.NOT_FOUND:
            raise
        return await client.post(place.flags, {"key": key, "type": document.get("type", "boolean"), **wanted})
    if document.get("type", flag["type"]) != flag["type"]:
        raise InvalidFlagOption(f"flag {key!r} is of type {flag['type']}, the file says {document['type']}")
    if all(json.dumps(flag[name]) == json.dumps(value) for name, value in wanted.items()):
        return flag
    return await client.patch(f"{place.flags}/{key}", wanted, if_match=flag["etag"])


def _previous(place: Place, key: str, state: Mapping[str, Any]) -> int:
    published = state["published"]
    if published is None or published["number"] == 1:
        raise InvalidFlagOption(
            f"{place.noun} {key!r} has no revision before the one that is served", value=key
        )
    return published["number"] - 1


def _explained(place: Place, key: str, context: Mapping[str, Any], *, draft: bool) -> Any:  # noqa: ANN401 — JSON
    body = {"context": dict(context), "draft": draft}
    return place.run(lambda client: client.post(f"{place.of(key)}/explain", body))


def _outcome(answer: Mapping[str, Any]) -> str:
    reason = answer["error_message"] or answer["reason"]
    if answer["variant"] is None:
        return f"{answer['flag']}: the code's default ({escape(reason)})"
    value = escape(json.dumps(answer["value"], ensure_ascii=False))
    rule = f", rule {escape(answer['rule'])}" if answer["rule"] else ""
    return f"{answer['flag']}: {value} (variant {escape(answer['variant'])}, {reason}{rule})"


def _steps(steps: Sequence[Mapping[str, Any]], indent: str = "  ") -> Iterator[str]:
    for step in steps:
        sign = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}[step["holds"]]
        yield f"{indent}{sign} {escape(step['text'])}"
        yield from _steps(step["parts"], indent + "  ")


def _json_or_text(text: str) -> Any:  # noqa: ANN401 — JSON
    try:
        return json.loads(text)
    except ValueError:
        return text
