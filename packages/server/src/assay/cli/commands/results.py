"""`assay results …`."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.analysis.bundle import Bundle, from_json, load, save
from assay.analysis.document import Document
from assay.analysis.reproduce import reproduce as concluded_again
from assay.cli.client import connected
from assay.cli.console import Format, err, out, print_json
from assay.shared.errors import Conflict


class NotReproduced(Conflict):
    """A number of a document does not follow from its record."""

    code = "not_reproduced"


def export(project: str, experiment: str, target: Path, *, task: str | None, url: str) -> None:
    """Writes a finished analysis as a bundle."""
    bundle = asyncio.run(_bundle(project, experiment, task, url))
    save(bundle, target)
    err.print(f"Wrote [bold]{target}[/], content hash {bundle.document.content_hash}")


def cancel(project: str, experiment: str, task: str, *, url: str) -> None:
    """Asks for an analysis to be stopped, and says where it stands."""
    path = f"/api/v1/projects/{project}/experiments/{experiment}/results/{task}/cancel"
    found = asyncio.run(_post(path, url))
    is_over = found["state"] in {"COMPLETED", "FAILED"}
    err.print(f"It is {found['state']} and stays so" if is_over else "It is being stopped", highlight=False)


def reproduce(path: Path, *, output: Format) -> None:
    """Prints whether a bundle's document follows from its record.

    Raises:
        NotReproduced: A number differs.
    """
    found = concluded_again(load(path))
    if output is Format.JSON:
        print_json(json.dumps(asdict(found), indent=2))
    if found.difference is not None:
        raise NotReproduced(f"{path.name} is not reproduced: {found.difference}", value=found.difference)
    if output is Format.TABLE:
        out.print(
            f"{path.name}: all {found.numbers:,} numbers are identical, made by Assay {found.made_by}",
            f"content hash {found.content_hash}",
            sep="\n",
            highlight=False,
        )


async def _post(path: str, url: str) -> dict[str, Any]:
    async with connected(url) as client:
        return await client.post(path)


async def _bundle(project: str, experiment: str, task: str | None, url: str) -> Bundle:
    results = f"/api/v1/projects/{project}/experiments/{experiment}/results"
    async with connected(url) as client:
        found = await client.get(f"{results}/latest" if task is None else f"{results}/{task}/document")
        record = await client.get(f"{results}/{found['task']['id']}/record")
    return Bundle(Document.model_validate(found["document"]), from_json(record))
