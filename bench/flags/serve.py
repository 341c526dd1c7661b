"""How long from a publication's first byte until another process serves it: 5,000 flags, and one of them.

Run: `uv run python bench/flags/serve.py [flags]`. Two servers share a durable PostgreSQL; the first is told,
the second is asked over OFREP until it answers with the new value. Servers, database and this script share
the machine's cores, so the load matters: it is printed, and beside times on the clock the processor time of
both servers, which a busy machine lengthens much less.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
from publish import a_flag

from assay.core import embedded
from assay_engine import Flag, Ruleset, dumps
from assay_engine.model import ServeVariant

ROUNDS = 7
ASK_EVERY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves."""

    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Processor time it has used."""
        times = self.process.cpu_times()
        return times.user + times.system


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds of a publication: on the clock until served and confirmed, and of the processors."""

    served: float
    confirmed: float
    told_cpu: float
    asked_cpu: float


@contextmanager
def server(folder: Path, database_url: str, port: int) -> Generator[Server]:
    """A process that serves."""
    settings = {
        "ASSAY_DATABASE_URL": database_url,
        "ASSAY_WORKER_ENABLED": "false",
        "ASSAY_DELIVERY_RATE_PER_SECOND": "0",
        "ASSAY_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "assay", "up", "--port", str(port), "--data", str(folder / str(port))]
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log, cwd=folder)
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield Server(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()


def wait_for(url: str) -> None:
    """Waits until something answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx2.get(url)
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answers at {url}")


def changed(flag: Flag, variant: str) -> Flag:
    """The flag, serving everyone this variant."""
    return Flag(flag.key, flag.type, flag.variants, fallthrough=ServeVariant(variant), off="off")


class Scene:
    """An environment of its own, told by one server and asked of another."""

    def __init__(self, client: httpx2.AsyncClient, told: Server, asked: Server, project: str) -> None:
        self._client, self._servers = client, (told, asked)
        self._ruleset = f"{told.url}/api/v1/projects/{project}/environments/production/ruleset"
        self._asked = f"{asked.url}/ofrep/v1/evaluate/flags"
        self._where = {"project": project, "environment": "production"}

    async def variant(self, key: str) -> str | None:
        """What the asked server serves of a flag."""
        context = {"context": {"targetingKey": "u1"}}
        answer = await self._client.post(f"{self._asked}/{key}", params=self._where, json=context)
        return answer.json().get("variant")

    async def publish(self, datafile: bytes, key: str, variant: str) -> Taken:
        """Tells, and asks until the flag serves the variant."""
        before = [each.cpu_seconds() for each in self._servers]
        start = time.perf_counter()
        telling = asyncio.create_task(self._told(datafile))
        while await self.variant(key) != variant:  # noqa: ASYNC110 — another process tells no event
            await asyncio.sleep(ASK_EVERY_SECONDS)
        served = time.perf_counter()
        confirmed = await telling
        spent = [each.cpu_seconds() - earlier for each, earlier in zip(self._servers, before, strict=True)]
        return Taken(*(1000 * each for each in (served - start, confirmed - start, *spent)))

    async def _told(self, datafile: bytes) -> float:
        (await self._client.post(self._ruleset, content=datafile)).raise_for_status()
        return time.perf_counter()


async def measure(told: Server, asked: Server, flags: int) -> dict[str, list[Taken]]:
    """Each publication a few times, in projects of their own."""
    first, *others = map(a_flag, range(flags))
    on, off = (changed(first, variant) for variant in ("on", "off"))
    steps = (
        ("all, each of them new", (on, *others), "on"),
        ("one of them", (off,), "off"),
        ("a file in which one differs", (on, *others), "on"),
    )
    taken: dict[str, list[Taken]] = {name: [] for name, _, _ in steps}
    async with httpx2.AsyncClient(timeout=60) as client:
        for number in range(ROUNDS):
            body = {"key": f"bench-{number}", "name": "A benchmark"}
            (await client.post(f"{told.url}/api/v1/projects", json=body)).raise_for_status()
            scene = Scene(client, told, asked, f"bench-{number}")
            await scene.variant(first.key)
            for name, published, variant in steps:
                datafile = dumps(Ruleset(flags=published))
                taken[name].append(await scene.publish(datafile, first.key, variant))
    return taken


def report(name: str, rounds: list[Taken]) -> str:
    """One kind of publication as a line."""
    served = [each.served for each in rounds]
    middle = [
        statistics.median(times)
        for times in zip(*((each.confirmed, each.told_cpu, each.asked_cpu) for each in rounds), strict=True)
    ]
    return (
        f"{name:28} served elsewhere: median {statistics.median(served):5.0f} ms, slowest {max(served):5.0f};"
        f" confirmed {middle[0]:5.0f}; processor {middle[1]:5.0f} told, {middle[2]:5.0f} asked"
    )


def main(flags: int) -> None:
    """Prints medians and the slowest of a few rounds."""
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="assay-bench-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        folder.chmod(0o755)
        database = embedded.start(folder / "postgres", durable=True, note="a benchmark")
        postgres = stack.enter_context(database)
        told, asked = (stack.enter_context(server(folder, postgres.url, port)) for port in (8394, 8395))
        taken = asyncio.run(measure(told, asked, flags))
    print(f"{flags:,} flags, {ROUNDS} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, rounds in taken.items():
        print(report(name, rounds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
