"""`assay demo`."""

import asyncio
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np

from assay.analysis.document import Document
from assay.cli import shop
from assay.cli.client import Client, connected
from assay.cli.console import Format, err, out, print_json, progress, table
from assay.cli.report import report
from assay.cli.serving import serving
from assay.core.clock import utc_now
from assay.core.config import Settings, load_settings
from assay.core.logging import configure_logging
from assay.shared.numbers import number

PROJECT = "shop"


def demo(*, headless: bool, visitors: int, seed: int, port: int | None, output: Format) -> None:
    """Serves a simulated shop from a throw-away folder and shows what the analysis makes of it."""
    with tempfile.TemporaryDirectory(prefix="assay-demo-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        settings = load_settings(data_directory=Path(folder) / "data", port=port, log_level="warning")
        configure_logging(settings, sys.stderr)
        asyncio.run(_show(settings, headless=headless, visitors=visitors, seed=seed, output=output))


async def _show(settings: Settings, *, headless: bool, visitors: int, seed: int, output: Format) -> None:
    async with serving(settings) as running, connected(running.url) as client:
        await _register(client)
        await _stream(client, visitors=visitors, seed=seed)
        document = await _results(client)
        if output is Format.JSON:
            print_json(document.model_dump_json(indent=2))
        else:
            out.print(report(document), _truth(document))
        if headless:
            return
        page = f"{running.url}/projects/{PROJECT}/experiments/{shop.EXPERIMENT}"
        err.print(f"\nThe result as a page: [bold]{page}[/]  (Ctrl-C stops the demo and removes its data)")
        webbrowser.open(page)
        await running.finished


async def _register(client: Client) -> None:
    await client.post("/api/v1/projects", {"key": PROJECT, "name": "Simulated shop"})
    for metric in shop.METRICS:
        await client.post(f"/api/v1/projects/{PROJECT}/metrics", metric)
    await client.post(f"/api/v1/projects/{PROJECT}/experiments", shop.experiment())


async def _stream(client: Client, *, visitors: int, seed: int) -> None:
    events = list(shop.events(visitors, rng=np.random.default_rng(seed), start=shop.first_visit(utc_now())))
    with progress() as bar:
        streaming = bar.add_task("Streaming the shop's events", total=len(events))

        def sent(answer: Any) -> None:  # noqa: ANN401 — JSON
            bar.advance(streaming, len(answer["verdicts"]))

        await client.send(events, project=PROJECT, sent=sent)


async def _results(client: Client) -> Document:
    with progress() as bar:
        computing = bar.add_task("Computing the result", total=1.0)
        answer = await client.results(
            PROJECT,
            shop.EXPERIMENT,
            progress=lambda share, note: bar.update(computing, completed=share, description=note),
        )
    return Document.model_validate(answer["document"])


def _truth(document: Document) -> Any:  # noqa: ANN401 — a rich renderable
    effects = shop.true_effects()
    rows: list[list[str]] = []
    for metric in document.metrics:
        estimate, truth = metric.comparisons[0].difference, effects[metric.metric]
        covered = (
            estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high
        )
        rows.append(
            [
                metric.name,
                number(estimate.estimate),
                f"[{number(estimate.low)}, {number(estimate.high)}]",
                number(truth),
                "yes" if covered else "no",
            ]
        )
    columns = ["metric", "estimated difference", "interval", "true difference", "covered"]
    return table("Estimates beside the truth", columns, rows)
