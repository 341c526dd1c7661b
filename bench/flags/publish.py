"""How long a file of 5,000 flags takes from its bytes to being served, and one flag among them.

Run: `uv run python bench/flags/publish.py [flags]`. PostgreSQL is the embedded one, durable.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from assay import migrations
from assay.core import embedded
from assay.core.config import Settings
from assay.core.database import Database, WriteSession, open_database
from assay.flags import drafts, service
from assay.flags.repository import By
from assay.projects import service as projects
from assay.projects.schemas import ProjectCreate
from assay_engine import Flag, FlagType, Ruleset, compile_ruleset, dumps, loads
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


async def timed(times: dict[str, list[float]], name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Adds how long the work took, in milliseconds."""
    start = time.perf_counter()
    await work()
    times.setdefault(name, []).append(1000 * (time.perf_counter() - start))


async def a_round(database: Database, number: int, datafile: bytes, times: dict[str, list[float]]) -> None:
    """Everything once, in a project of its own."""
    project = f"bench-{number}"
    await database.write(lambda tx: projects.create(tx, ProjectCreate(key=project, name=project)))
    async with database.reading() as tx:
        environment = await projects.get_environment(tx, project, "production")

    async def publish() -> None:
        ruleset = loads(datafile)
        await database.write(lambda tx: service.put_published(tx, project, "production", ruleset, by=BY))

    async def serve() -> None:
        async with database.reading() as tx:
            ruleset = await service.published_ruleset(tx, environment.id)
        compile_ruleset(ruleset)

    async def one_more() -> None:
        place = (project, "flag-00000", "production")

        async def change(tx: WriteSession) -> None:
            await drafts.set_draft(tx, *place, {"rules": []}, whole=False, if_match="*", by=BY)
            await drafts.publish(tx, *place, if_match="*", by=BY)

        await database.write(change)

    async def parse() -> None:
        loads(datafile)

    # The yardstick of this machine at this moment.
    await timed(times, "parse the file, which the next includes", parse)
    await timed(times, "publish the file", publish)
    await timed(times, "read, check and compile what is served", serve)
    await timed(times, "publish one flag among them", one_more)
    await timed(times, "publish a file of which one flag differs", publish)


async def main(flags: int) -> None:
    """Prints the median and the slowest of a few rounds."""
    datafile = dumps(Ruleset(flags=tuple(map(a_flag, range(flags)))))
    times: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="assay-bench-", ignore_cleanup_errors=True) as folder,
        embedded.start(Path(folder), durable=True, note="a benchmark") as postgres,
    ):
        migrations.upgrade(postgres.url, schema="assay")
        database = open_database(Settings(), postgres.url)
        for number in range(ROUNDS):
            await a_round(database, number, datafile, times)
        await database.close()
    print(f"{flags:,} flags, {len(datafile):,} bytes, {ROUNDS} rounds")
    for name, each in times.items():
        print(f"{name:42} median {statistics.median(each):7.0f} ms   slowest {max(each):7.0f} ms")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000))
