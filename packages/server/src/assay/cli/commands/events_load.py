"""`assay events load`."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from assay.cli import mapping, tables
from assay.cli.checkpoint import Checkpoint, state_directory
from assay.cli.client import Client, EventsRefused, connected
from assay.cli.console import Format, err, print_json, progress

BATCH_ROWS = 1_000
CONCURRENT_BATCHES = 4
SHOWN_REJECTIONS = 10

Batch = tuple[int, Sequence[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be loaded, and where it goes."""

    patterns: list[str]
    given: Mapping[str, str]
    constant: Mapping[str, str]
    with_properties: bool
    restart: bool
    project: str
    environment: str
    url: str

    def task(self, columns: mapping.Columns) -> dict[str, object]:
        """What makes this load another one than that of the same file elsewhere."""
        place: dict[str, object] = {"url": self.url, "project": self.project, "environment": self.environment}
        return place | {"named": sorted(columns.named.items()), "constant": sorted(self.constant.items())}


@dataclass(slots=True)
class Outcome:
    """What became of the rows."""

    verdicts: Counter[str]
    rejections: list[str]
    skipped: int = 0

    def note(self, answer: Mapping[str, Any]) -> None:
        """Counts the answer to a batch."""
        self.verdicts.update({each: answer[each] for each in ("accepted", "repeated", "rejected")})
        refused = [each for each in answer["verdicts"] if each["reason"] is not None]
        room = SHOWN_REJECTIONS - len(self.rejections)
        self.rejections += [f"rejected {each['id']}: {each['reason']}" for each in refused[:room]]


def load(order: Load, *, output: Format) -> None:
    """Loads files and says what became of their rows."""
    files = tables.find(order.patterns)
    outcome = Outcome(Counter(), [])
    try:
        asyncio.run(_load(order, files, outcome))
    except KeyboardInterrupt:
        err.print("Stopped; the same command goes on where it was, and nothing is counted twice.")
        raise
    counts = {each: outcome.verdicts[each] for each in ("accepted", "repeated", "rejected")}
    if output is Format.JSON:
        print_json(json.dumps({"files": len(files), "skipped": outcome.skipped, **counts}, indent=2))
    for line in outcome.rejections:
        err.print(line, style="yellow", markup=False, soft_wrap=True)
    if output is Format.TABLE:
        before = f", {outcome.skipped:,} loaded before" if outcome.skipped else ""
        err.print(", ".join(f"{count:,} {name}" for name, count in counts.items()) + before)
    if counts["rejected"]:
        raise EventsRefused(counts["rejected"])


async def _load(order: Load, files: Sequence[Path], outcome: Outcome) -> None:
    async with connected(order.url) as client:
        for file in files:
            header = tables.header(file)
            columns = mapping.choose(
                header,
                given=order.given,
                constant=order.constant,
                with_properties=order.with_properties,
            )
            mapping.require_an_event(header, columns)
            checkpoint = Checkpoint(state_directory(), file, order.task(columns))
            if order.restart:
                checkpoint.rows = 0
            await load_file(client, order, file, columns, checkpoint, outcome)
            checkpoint.done()


async def load_file(
    client: Client,
    order: Load,
    file: Path,
    columns: mapping.Columns,
    checkpoint: Checkpoint,
    outcome: Outcome,
) -> None:
    """Sends the rows of a file that are not acknowledged yet."""
    outcome.skipped += checkpoint.rows
    batches = _batches(file, columns, begin=checkpoint.rows)
    with progress() as bar:
        loading = bar.add_task(f"Loading {file.name}", total=tables.length(file), completed=checkpoint.rows)

        def acknowledged(first: int, size: int, answer: Mapping[str, Any]) -> None:
            outcome.note(answer)
            checkpoint.acknowledged(first, first + size)
            bar.advance(loading, size)

        await _send_all(client, order, batches, acknowledged)


async def _send_all(
    client: Client,
    order: Load,
    batches: Iterator[Batch],
    acknowledged: Callable[[int, int, Mapping[str, Any]], None],
) -> None:
    async def work() -> None:
        for first, batch in batches:
            answer = await client.deliver(batch, project=order.project, environment=order.environment)
            acknowledged(first, len(batch), answer)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENT_BATCHES):
                group.create_task(work())
    except ExceptionGroup as failures:
        # The senders fail for the same reason; people need one sentence, not a group.
        raise failures.exceptions[0] from failures


def _batches(file: Path, columns: mapping.Columns, *, begin: int) -> Iterator[Batch]:
    rows = islice(tables.rows(file), begin, None)
    events = (mapping.event(row, columns, file=file.name, number=n) for n, row in enumerate(rows, begin))
    first = begin
    while batch := list(islice(events, BATCH_ROWS)):
        yield first, batch
        first += len(batch)
