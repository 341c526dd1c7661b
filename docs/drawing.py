"""Draws the layers from the import contracts, so that the drawing cannot differ from what is enforced."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

COLUMN_WIDTH, COLUMN_GAP, ROW_HEIGHT, ROW_GAP, MARGIN, TITLE_HEIGHT = 520, 40, 40, 12, 24, 60
TITLE = "The layers of Assay: a box may import what stands below it, never what stands above or beside it"


@dataclass(frozen=True, slots=True)
class Room:
    """A package or module of a layer; `exists` is false for one whose place is kept free."""

    name: str
    exists: bool = True


@dataclass(frozen=True, slots=True)
class Column:
    """A stack of layers, highest first."""

    title: str
    subtitle: str
    layers: Sequence[Sequence[Room]]


def layers_drawing(root: Path) -> str:
    """The drawing as SVG.

    Args:
        root: The repository, with its `pyproject.toml` and `packages/`.
    """
    contracts = _contracts(root)
    columns = [
        Column("Distributions", "each knows only those below it", _layers(contracts["distributions"], None)),
        Column(
            "Packages of the server",
            "dashed: the floor is kept, the package is not built yet",
            _layers(contracts["floors"], root / "packages/server/src/assay"),
        ),
        Column(
            "Modules of a domain", "a module appears when it has content", _layers(contracts["rooms"], None)
        ),
    ]
    height = MARGIN * 2 + TITLE_HEIGHT + max(len(c.layers) for c in columns) * (ROW_HEIGHT + ROW_GAP)
    width = MARGIN * 2 + len(columns) * COLUMN_WIDTH + (len(columns) - 1) * COLUMN_GAP
    drawn = [
        line
        for number, column in enumerate(columns)
        for line in _column(column, left=MARGIN + number * (COLUMN_WIDTH + COLUMN_GAP))
    ]
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="15" fill="#1d2433">'
    )
    background = f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>'
    return "\n".join([opening, f"<title>{TITLE}</title>", background, *drawn, "</svg>\n"])


def _contracts(root: Path) -> dict[str, dict[str, Any]]:
    configuration = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract for contract in configuration["tool"]["importlinter"]["contracts"]}


def _layers(contract: dict[str, Any], package: Path | None) -> list[list[Room]]:
    return [[_room(name.strip(), package) for name in layer.split("|")] for layer in contract["layers"]]


def _room(name: str, package: Path | None) -> Room:
    plain = name.strip("()")
    if package is None:
        return Room(plain)
    files = (package / f"{plain}.py", package / plain / "__init__.py")
    return Room(plain, exists=any(file.is_file() for file in files))


def _column(column: Column, *, left: int) -> list[str]:
    lines = [
        f'<text x="{left}" y="{MARGIN + 16}" font-weight="600">{escape(column.title)}</text>',
        f'<text x="{left}" y="{MARGIN + 38}" font-size="13" fill="#5b6478">{escape(column.subtitle)}</text>',
    ]
    for number, layer in enumerate(column.layers):
        lines += _layer(layer, left=left, top=MARGIN + TITLE_HEIGHT + number * (ROW_HEIGHT + ROW_GAP))
    return lines


def _layer(layer: Sequence[Room], *, left: int, top: int) -> list[str]:
    gap = 8
    width = (COLUMN_WIDTH - gap * (len(layer) - 1)) / len(layer)
    return [
        line
        for number, room in enumerate(layer)
        for line in _box(room, left=left + number * (width + gap), top=top, width=width)
    ]


def _box(room: Room, *, left: float, top: int, width: float) -> list[str]:
    outline = "" if room.exists else ' stroke-dasharray="5 4"'
    fill, ink = ("#eaf1fb", "#1d2433") if room.exists else ("#ffffff", "#5b6478")
    box = (
        f'<rect x="{left:g}" y="{top}" width="{width:g}" height="{ROW_HEIGHT}" rx="6" fill="{fill}"'
        f' stroke="#7d9cc9"{outline}/>'
    )
    middle, baseline = left + width / 2, top + ROW_HEIGHT / 2 + 5
    name = (
        f'<text x="{middle:g}" y="{baseline:g}" text-anchor="middle" fill="{ink}">{escape(room.name)}</text>'
    )
    return [box, name]
