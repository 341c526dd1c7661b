"""Writes the pages that follow from the code: settings, commands, API, and the drawing of the layers."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from assay.analysis.document import SCHEMA_VERSION, Document
from assay.core.config import Settings, default_data_directory
from assay.main import build_app
from drawing import layers_drawing

ROOT = Path(__file__).parent.parent
NOTE = "<!-- Written by `task docs:reference` from the code. -->\n\n"


def settings_page() -> str:
    """Every setting: its name in the environment and in the file, default, values and meaning."""
    rows = [" | ".join(["", *_setting_cells(name, schema), ""]).strip() for name, schema in _settings()]
    return (
        NOTE + "# Settings\n\n"
        "Read once when a command starts: from the environment, then from `.env`, then from `assay.toml`,\n"
        "both in the working directory; the first that has a value wins. A value that cannot be used stops\n"
        "the start with a sentence that names the setting.\n\n"
        "| Environment, `.env` | `assay.toml` | Default | Values | Meaning |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def example_environment() -> str:
    """Every setting as a comment that can be taken away."""
    blocks = [
        f"# {schema['description']}\n# {_variable(name)}={_plain_default(name)}\n"
        for name, schema in _settings()
    ]
    return (
        "# Copy to `.env` and take the `#` away where you want another value.\n"
        "# docs/reference/settings.md says which values are possible.\n\n" + "\n".join(blocks)
    )


def commands_page() -> str:
    """Every command with its options, as Typer describes them."""
    command = [sys.executable, "-m", "typer", "assay.cli", "utils", "docs", "--name", "assay"]
    described = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout  # noqa: S603 — fixed words
    return NOTE + described.strip().replace("# `assay`", "# Commands", 1) + "\n"


def api_page() -> str:
    """Every route of the HTTP API, by section."""
    sections: dict[str, list[str]] = {}
    for path, operations in _openapi()["paths"].items():
        for method, operation in operations.items():
            sections.setdefault(operation["tags"][0], []).append(_route(method, path, operation))
    tables = [
        f"## {section.capitalize()}\n\n| Route | Body | Answer | What it does |\n|---|---|---|---|\n"
        + "\n".join(rows)
        for section, rows in sections.items()
    ]
    return (
        NOTE + "# HTTP API\n\n"
        "A running Assay describes it in full at `/docs` and `/openapi.json`. Lists take `limit` and\n"
        "`cursor`; every failure is `application/problem+json` (RFC 9457) with a stable `code`. `/metrics`\n"
        "gives the figures of the process in Prometheus' format.\n\n" + "\n\n".join(tables) + "\n"
    )


def result_schema() -> str:
    """JSON Schema of the result document, whichever way it is asked for."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:assay:result:{SCHEMA_VERSION}",
        **Document.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def result_page() -> str:
    """Every part of the result document."""
    definitions: dict[str, Any] = json.loads(result_schema())
    parts = {"The document": definitions, **definitions["$defs"]}
    tables = [
        f"## {name}\n\n{part.get('description', '')}\n\n| Field | Type | Meaning |\n|---|---|---|\n"
        + "\n".join(_field(field, schema) for field, schema in part["properties"].items())
        for name, part in parts.items()
        if "properties" in part
    ]
    return (
        NOTE + "# The result document\n\n"
        "`assay analyze --format json`, `assay experiment results --format json` and the API give the same\n"
        "document; [`result.schema.json`](result.schema.json) is its JSON Schema. A number that cannot be\n"
        "computed is `null`, and `undefined` beside it says why. Shares and lifts are fractions, not\n"
        "percent.\n\n" + "\n\n".join(tables) + "\n"
    )


PAGES: Mapping[str, Callable[[], str]] = {
    ".env.example": example_environment,
    "docs/reference/settings.md": settings_page,
    "docs/reference/cli.md": commands_page,
    "docs/reference/api.md": api_page,
    "docs/reference/result.md": result_page,
    "docs/reference/result.schema.json": result_schema,
    "docs/layers.svg": lambda: layers_drawing(ROOT),
}


@cache
def pages() -> Mapping[str, str]:
    """Every page by its name; written once, for describing the API takes seconds."""
    return {name: page() for name, page in PAGES.items()}


def stale_pages(root: Path) -> list[str]:
    """The pages under `root` that do not say what the code says."""
    return [
        name
        for name, page in pages().items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != page
    ]


def write_pages(root: Path) -> None:
    """Writes all pages under `root`."""
    for name, page in pages().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(page, encoding="utf-8")


def _field(name: str, schema: dict[str, Any]) -> str:
    return f"| `{name}` | {_type(schema)} | {schema.get('description', '')} |"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    kind: str = schema["type"]
    return "numbers by name" if kind == "object" else kind


def _setting_cells(name: str, schema: dict[str, Any]) -> list[str]:
    return [f"`{_variable(name)}`", f"`{name}`", _default(name), _values(schema), schema["description"]]


def _settings() -> list[tuple[str, dict[str, Any]]]:
    return list(Settings.model_json_schema()["properties"].items())


def _variable(name: str) -> str:
    return f"ASSAY_{name.upper()}"


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is default_data_directory:
        return (default_data_directory.__doc__ or "").partition(": ")[2].removesuffix(".")
    plain = _plain_default(name)
    return f"`{plain}`" if plain else "unset" if field.default is None else "empty"


def _plain_default(name: str) -> str:
    default = Settings.model_fields[name].default
    match default:
        case bool():
            return str(default).lower()
        case str() | int() | float():
            return str(default)
        case _:
            return ""


def _values(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "pattern" in schema:
        return f"`{schema['pattern'].replace('|', '&#124;')}`"
    kind = {"boolean": "`true`, `false`", "integer": "whole number", "number": "number"}.get(
        schema.get("type", "")
    )
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{words} {schema[bound]:g}" for bound, words in bounds.items() if bound in schema]
    return ", ".join([kind or "text", *limits])


def _openapi() -> dict[str, Any]:
    def never_opened() -> Any:  # noqa: ANN401 — describing the API opens nothing
        raise AssertionError("the description of the API must not open a database")

    return build_app(Settings.model_construct(), never_opened).openapi()


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    status, answer = next(item for item in operation["responses"].items() if item[0].startswith("2"))
    cells = [
        f"`{method.upper()} {path}`",
        _schema_name(operation.get("requestBody", {})),
        f"{status} {_schema_name(answer)}".strip(),
        operation["description"].splitlines()[0],
    ]
    return f"| {' | '.join(cells)} |"


def _schema_name(content: dict[str, Any]) -> str:
    schema = content.get("content", {}).get("application/json", {}).get("schema", {})
    # A body that may be left out is a schema or null.
    parts = schema.get("oneOf") or schema.get("anyOf") or [schema]
    names = [part["$ref"].rpartition("/")[2] for part in parts if "$ref" in part]
    if names:
        return " or ".join(f"`{name}`" for name in names)
    return f"`{schema.get('title', schema['type'])}`" if schema else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pages, or with `--check` names those that are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a page is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder the pages stand in")
    options = parser.parse_args(arguments)
    if not options.check:
        write_pages(options.root)
        return 0
    stale = stale_pages(options.root)
    for name in stale:
        print(f"{name} does not say what the code says; run `task docs:reference`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
