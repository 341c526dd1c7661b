"""What a draft would change, asked of the API and put into words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from assay.cli.commands.flag import CONFIGURATION, Place, json_context, print_changes
from assay.cli.commands.part import PartPlace, configuration_in
from assay.cli.commands.resources import json_object
from assay.cli.console import Format, out, print_json


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask: contexts as JSON objects, and how many units of recent exposures."""

    contexts: Sequence[str]
    recent: int


def of_flag(place: Place, key: str, file: Path | None, asked: Asked, *, output: Format) -> None:
    """Prints who would get another variant of a flag."""
    document = None if file is None else json_object(file)
    configuration = document and {name: document[name] for name in CONFIGURATION if name in document}
    found = _ask(place, key, configuration, asked)
    _print(found, _flag_lines(found), output=output)


def of_part(place: PartPlace, key: str, file: Path | None, asked: Asked, *, output: Format) -> None:
    """Prints which flags would answer whom differently with another segment, layer or holdout."""
    configuration = None if file is None else configuration_in(json_object(file))
    found = _ask(place, key, configuration, asked)
    _print(found, _part_lines(found), output=output)


def _ask(place: Place, key: str, configuration: Mapping[str, Any] | None, asked: Asked) -> Any:  # noqa: ANN401 — JSON
    contexts = [json_context(text) for text in asked.contexts]
    body = {"configuration": configuration, "contexts": contexts, "recent": asked.recent}
    return place.run(lambda client: client.post(f"{place.of(key)}/preview", body))


def _print(found: Mapping[str, Any], lines: Iterator[str], *, output: Format) -> None:
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    print_changes(found["changes"], none="Publishing would change nothing.")
    for line in lines:
        out.print(line, highlight=False, soft_wrap=True)


def _flag_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield _recent_line(found["recent"])
    for context in found["contexts"]:
        sign = "[yellow]~[/]" if context["changed"] else " "
        yield f"{sign} {_unit(context)}: {_variant(context['before'])} → {_variant(context['after'])}"
    yield _experiments_line(found["experiments"])


def _part_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield _recent_line(found["recent"])
    for flag in found["flags"]:
        yield f"  {escape(flag['flag'])}: {flag['changed']} of those asked get another variant"
    for context in found["contexts"]:
        for change in context["flags"]:
            answers = f"{_variant(change['before'])} → {_variant(change['after'])}"
            yield f"[yellow]~[/] {_unit(context)}, {escape(change['flag'])}: {answers}"
    yield _experiments_line(found["experiments"])


def _recent_line(recent: Mapping[str, Any]) -> str:
    if not recent["asked"]:
        return "No recent exposures to ask about; give contexts with --context."
    return f"{recent['changed']} of {recent['asked']} units of recent exposures would get something else."


def _experiments_line(experiments: Sequence[str]) -> str:
    return f"Experiments touched: {escape(', '.join(experiments)) or 'none'}"


def _unit(context: Mapping[str, Any]) -> str:
    return escape(context["targeting_key"] or "(no targeting key)")


def _variant(name: str | None) -> str:
    return "the code's default" if name is None else escape(name)
