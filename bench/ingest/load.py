"""Durable, deduplicated events per second over HTTP, beside PostgreSQL alone doing the same rows.

Run: `uv run python bench/ingest/load.py [--minutes 2]`. Assay, its PostgreSQL and the sender share the
machine. Three figures: the highest rate with batches of 500, the tail of acknowledgements at half of it, and
the memory of the server while it is kept at full load.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from harness import Machine, assay
from postgres import rows_per_second
from sender import Sender, batches

EVENTS = 500
CONNECTIONS = 32
SECONDS = 10
TARGET = 80_000


@dataclass(frozen=True, slots=True)
class Load:
    """What was acknowledged, how fast, and who used the processors for it (in cores)."""

    rate: float
    p50_milliseconds: float
    p99_milliseconds: float
    server_cores: float
    postgres_cores: float
    sender_cores: float


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0, help="Keep at full load and watch memory.")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, assay(Path(folder)) as machine:
        asyncio.run(measure(machine, rounds=arguments.rounds, minutes=arguments.minutes))


async def measure(machine: Machine, *, rounds: int, minutes: float) -> None:
    """All figures of a running Assay."""
    await loaded(machine, seconds=2, rate=None)
    alone: list[float] = []
    full: list[Load] = []
    for _ in range(rounds):
        alone.append(await asyncio.to_thread(rows_per_second, machine.database_url))
        full.append(await loaded(machine, seconds=SECONDS, rate=None))
        print(f"PostgreSQL alone {alone[-1]:9,.0f} rows/s    Assay {_line(full[-1])}", flush=True)
    best = max(full, key=lambda load: load.rate)
    ratio = statistics.median(load.rate / base for load, base in zip(full, alone, strict=True))
    print(f"best {best.rate:,.0f} events/s (target {TARGET:,}), median ratio to PostgreSQL alone {ratio:.2f}")
    half = await loaded(machine, seconds=SECONDS, rate=best.rate / 2)
    print(f"at half of it: {_line(half)} (target p99 100 ms)")
    if minutes:
        await watch(machine, minutes)


async def watch(machine: Machine, minutes: float) -> None:
    """Memory of the server process at full load, every ten seconds."""
    readings: list[float] = []
    for _ in range(round(minutes * 60 / SECONDS)):
        load = await loaded(machine, seconds=SECONDS, rate=None)
        readings.append(psutil.Process(machine.process).memory_info().rss / 2**20)
        print(f"{readings[-1]:6.0f} MiB  {_line(load)}", flush=True)
    half = len(readings) // 2
    first, second = statistics.median(readings[:half]), statistics.median(readings[half:])
    print(f"memory: {first:.0f} MiB in the first half, {second:.0f} MiB in the second")


async def loaded(machine: Machine, *, seconds: float, rate: float | None) -> Load:
    """The machine under load for so long; at so many events a second, or at as many as it takes."""
    before, begun = machine.cpu_seconds(), time.perf_counter()
    until = begun + seconds
    pace = None if rate is None else EVENTS * CONNECTIONS / rate
    senders = [Sender(machine.host, machine.port, batches(EVENTS), pace) for _ in range(CONNECTIONS)]
    times = [each for taken in await asyncio.gather(*(one.send(until) for one in senders)) for each in taken]
    elapsed = time.perf_counter() - begun
    server, postgres, sender = (
        (after - earlier) / elapsed for after, earlier in zip(machine.cpu_seconds(), before, strict=True)
    )
    p50, p99 = _quantile(times, 0.5), _quantile(times, 0.99)
    return Load(len(times) * EVENTS / elapsed, 1000 * p50, 1000 * p99, server, postgres, sender)


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _line(load: Load) -> str:
    return (
        f"{load.rate:9,.0f} events/s, "
        f"p50 {load.p50_milliseconds:.0f} ms, p99 {load.p99_milliseconds:.0f} ms, "
        f"cores: Assay {load.server_cores:.2f}, PostgreSQL {load.postgres_cores:.2f}, "
        f"sender {load.sender_cores:.2f}"
    )


if __name__ == "__main__":
    main()
