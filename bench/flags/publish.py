"""How long 5,000 flags take from a file's bytes to being served, and one flag among them, step by step.

Run: `uv run python bench/flags/publish.py [flags]`. PostgreSQL is the embedded one, durable. Beside times on
the clock stands this process's processor time, which a busy machine lengthens much less; a step that runs
beside another (checking beside writing) has the processor time of both.
"""

import asyncio
import gc
import inspect
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from assay import migrations
from assay.audit import service as audit
from assay.core import embedded
from assay.core.config import Settings
from assay.core.database import Database, WriteSession, open_database
from assay.evaluation import snapshots
from assay.evaluation.snapshots import Snapshot
from assay.flags import documents, drafts, publishing, repository, service
from assay.flags.repository import By
from assay.projects import service as projects
from assay.projects.schemas import ProjectCreate
from assay_engine import Flag, FlagType, Ruleset, dumps, loads
from assay_engine.model import (
    BASIS_POINTS,
    Bucketing,
    Clause,
    Operator,
    Rule,
    ServeVariant,
    Split,
    SplitRange,
    Variant,
)

ROUNDS = 5
STEPS = (
    (documents, "loaded"),
    (repository, "served"),
    (service, "_texts"),
    (repository, "define"),
    (repository, "standing"),
    (publishing, "_check"),
    (repository, "revise"),
    (audit, "record"),
    (service, "published"),
    (snapshots, "build"),
)
BY = By("bench", datetime(2026, 1, 1, tzinfo=UTC))


def a_flag(number: int) -> Flag:
    """A rule of two clauses, then a 30 % rollout."""
    plan = Clause(("plan",), Operator.IN, ("pro", "team"))
    rollout = Split(
        Bucketing(f"flag-{number}"),
        (SplitRange(0, 3_000, "on"), SplitRange(3_000, BASIS_POINTS, "off")),
    )
    return Flag(
        key=f"flag-{number:05}",
        type=FlagType.BOOLEAN,
        variants=(Variant("on", value=True), Variant("off", value=False)),
        rules=(
            Rule("plan", ServeVariant("on"), condition=plan),
            Rule("rollout", rollout, condition=Clause(("country",), Operator.EQUALS, ("DE",))),
        ),
        fallthrough=ServeVariant("off"),
        off="off",
    )


class Stopwatch:
    """Milliseconds on the clock and of the processor, by what they were spent on."""

    def __init__(self) -> None:
        self._spent: dict[str, list[tuple[float, float]]] = {}
        self._within = ""

    async def time(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Adds how long the work took; steps inside are named after it."""
        self._within = name
        with self._noting(name):
            await work()

    def watch(self, module: ModuleType, name: str) -> None:
        """Times a function of a module whenever it is called from now on."""
        inner = getattr(module, name)
        label = f"{module.__name__.removeprefix('assay.')}.{name.strip('_')}"

        async def watched(*given: object, **named: object) -> object:
            with self._noting(f"{self._within}: {label}"):
                return await inner(*given, **named)

        def watched_at_once(*given: object, **named: object) -> object:
            with self._noting(f"{self._within}: {label}"):
                return inner(*given, **named)

        setattr(module, name, watched if inspect.iscoroutinefunction(inner) else watched_at_once)

    def print(self) -> None:
        """Medians, the steps below what they belong to."""
        for name, spent in sorted(self._spent.items()):
            _, of, step = name.partition(": ")
            clock, processor = (statistics.median(each) for each in zip(*spent, strict=True))
            shown = f"  {step}" if of else name
            print(f"{shown:52} {clock:7.0f} ms on the clock, {processor:6.0f} of the processor")

    @contextmanager
    def _noting(self, name: str) -> Generator[None]:
        clock, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            spent = (1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - processor))
            self._spent.setdefault(name, []).append(spent)


async def a_round(database: Database, number: int, datafile: bytes, watch: Stopwatch) -> None:
    """Everything once, in a project of its own."""
    project = f"bench-{number}"
    await database.write(lambda tx: projects.create(tx, ProjectCreate(key=project, name=project)))
    async with database.reading() as tx:
        environment = await projects.get_environment(tx, project, "production")

    earlier: Snapshot | None = None

    async def publish_all() -> None:
        # The rounds before have published the same texts.
        documents.forget()
        await publish()

    async def publish() -> None:
        ruleset = documents.loaded(datafile)
        await database.write(lambda tx: service.put_published(tx, project, "production", ruleset, by=BY))

    async def serve() -> None:
        nonlocal earlier
        async with database.reading() as tx:
            published = await service.published(tx, environment.id)
        earlier = snapshots.build(environment.id, published.ruleset, published.datafile, earlier)

    async def follow() -> None:
        # As another process does, which has not read what this one has written.
        documents.forget()
        await serve()

    async def one_more() -> None:
        place = (project, "flag-00000", "production")

        async def change(tx: WriteSession) -> None:
            await drafts.set_draft(tx, *place, {"rules": []}, whole=False, if_match="*", by=BY)
            await drafts.publish(tx, *place, if_match="*", by=BY)

        await database.write(change)

    async def parse() -> None:
        loads(datafile)

    # The yardstick of this machine at this moment.
    await watch.time("0 only parse the file", parse)
    await watch.time("1 publish the file", publish_all)
    await watch.time("2 serve it in another process", follow)
    await watch.time("3 publish one flag among them", one_more)
    await watch.time("4 serve that", serve)
    await watch.time("5 publish a file of which one flag differs", publish)


async def main(flags: int) -> None:
    """Prints the median and the slowest of a few rounds."""
    datafile = dumps(Ruleset(flags=tuple(map(a_flag, range(flags)))))
    watch = Stopwatch()
    for module, step in STEPS:
        watch.watch(module, step)
    gc.collect()
    gc.freeze()  # as a server does once it has started
    with (
        tempfile.TemporaryDirectory(prefix="assay-bench-", ignore_cleanup_errors=True) as folder,
        embedded.start(Path(folder), durable=True, note="a benchmark") as postgres,
    ):
        migrations.upgrade(postgres.url, schema="assay")
        database = open_database(Settings(), postgres.url)
        for number in range(ROUNDS):
            await a_round(database, number, datafile, watch)
        await database.close()
    print(f"{flags:,} flags, {len(datafile):,} bytes, {ROUNDS} rounds")
    watch.print()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000))
