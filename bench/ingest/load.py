"""Durable, deduplicated events per second over HTTP, beside PostgreSQL alone doing the same rows.

Assay, its PostgreSQL, what seals and the sender share the machine. Each command prints a verdict:

    uv run python bench/ingest/load.py full     the highest rate, in batches of 500
    uv run python bench/ingest/load.py tail     acknowledgements at half of it, from when each was due
    uv run python bench/ingest/load.py soak     memory and the sealer's backlog at full load, ten minutes

`--seconds` says how long, or `--minutes` for the soak, which sees only the start in a few; `tail --rate`
takes a rate of its own.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Machine, assay
from postgres import rows_per_second
from sender import Sender, batches
from soak import Reading, read, trend

EVENTS = 500
CONNECTIONS = 32
TARGET_RATE = 80_000
TARGET_P99_MILLISECONDS = 100
# A process at rest wanders more than this within ten minutes; a leak of ten bytes an event passes it in one.
TARGET_MEBIBYTES_PER_MINUTE = 1.0
TARGET_BACKLOG_SHARE = 0.01
WARM_UP_SECONDS = 3
MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


@dataclass(frozen=True, slots=True)
class Load:
    """What was acknowledged, how fast, and the processor time of each event (in microseconds)."""

    rate: float
    milliseconds: Sequence[float]
    server: float
    postgres: float
    sender: float

    def quantile(self, share: float) -> float:
        """Milliseconds in which this share was acknowledged."""
        return self.milliseconds[min(len(self.milliseconds) - 1, int(share * len(self.milliseconds)))]

    def __str__(self) -> str:
        return (
            f"{self.rate:9,.0f} events/s, p50 {self.quantile(0.5):.0f} ms, p99 {self.quantile(0.99):.0f} ms, "
            f"microseconds an event: server {self.server:.1f}, PostgreSQL {self.postgres:.1f}, "
            f"sender {self.sender:.1f}"
        )


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["full", "tail", "soak"], nargs="?", default="full")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="Of `full`.")
    parser.add_argument("--rate", type=float, help="Of `tail`, in events a second.")
    parser.add_argument("--minutes", type=float, default=10, help="Of `soak`.")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        assay(Path(folder), seals=asked.command == "soak") as machine,
    ):
        match asked.command:
            case "full":
                asyncio.run(full(machine, rounds=asked.rounds, seconds=asked.seconds))
            case "tail":
                asyncio.run(tail(machine, rate=asked.rate, seconds=asked.seconds))
            case _:
                asyncio.run(soak(machine, minutes=asked.minutes))


async def full(machine: Machine, *, rounds: int, seconds: float) -> None:
    """The highest rate, in turn with PostgreSQL alone."""
    await loaded(machine, seconds=WARM_UP_SECONDS)
    ratios: list[float] = []
    best = 0.0
    for _ in range(rounds):
        alone = await asyncio.to_thread(rows_per_second, machine.database_url)
        load = await loaded(machine, seconds=seconds)
        print(f"PostgreSQL alone {alone:9,.0f} rows/s    Assay {load}", flush=True)
        ratios.append(load.rate / alone)
        best = max(best, load.rate)
    print(f"median ratio to PostgreSQL alone {statistics.median(ratios):.2f}")
    verdict(best >= TARGET_RATE, f"best {best:,.0f} events/s, asked {TARGET_RATE:,}")


async def tail(machine: Machine, *, rate: float | None, seconds: float) -> None:
    """How long acknowledgements take at a rate; whoever is kept waiting waits from when it was due."""
    await loaded(machine, seconds=WARM_UP_SECONDS)
    if rate is None:
        rate = (await loaded(machine, seconds=seconds)).rate / 2
    load = await loaded(machine, seconds=seconds, rate=rate)
    print(load)
    for low, high in zip((0, *MILLISECONDS), MILLISECONDS, strict=False):
        share = sum(low < each <= high for each in load.milliseconds) / len(load.milliseconds)
        print(f"up to {high:5,} ms {share:6.1%} {'#' * round(60 * share)}")
    p99 = load.quantile(0.99)
    sentence = f"p99 {p99:.0f} ms at {rate:,.0f} events/s, asked {TARGET_P99_MILLISECONDS} ms"
    verdict(p99 <= TARGET_P99_MILLISECONDS and load.rate >= 0.95 * rate, sentence)


async def soak(machine: Machine, *, minutes: float) -> None:
    """Full load for so long: does memory grow, does the sealer fall behind?"""
    await loaded(machine, seconds=WARM_UP_SECONDS)
    stop = asyncio.Event()
    reading = asyncio.create_task(keep_reading(machine, stop))
    load = await loaded(machine, seconds=60 * minutes)
    stop.set()
    # The first fifth fills pools, caches and the first slots.
    readings = (await reading)[len(await reading) // 5 :]
    print(load)
    for name in readings[0].mebibytes:
        slope = trend(readings, lambda one, name=name: one.mebibytes[name])
        end = readings[-1].mebibytes[name]
        verdict(slope <= TARGET_MEBIBYTES_PER_MINUTE, f"{name}: {end:.0f} MiB, {slope:+.2f} MiB a minute")
    backlog = trend(readings, lambda one: one.buffered) / 60
    sealing = (
        f"backlog {backlog:+,.0f} events/s of {load.rate:,.0f}, at most "
        f"{max(one.buffered for one in readings):,} events, {max(one.lag for one in readings):.0f} s behind"
    )
    verdict(backlog <= TARGET_BACKLOG_SHARE * load.rate, sealing)


async def keep_reading(machine: Machine, stop: asyncio.Event) -> list[Reading]:
    """Memory and backlog every second."""
    readings: list[Reading] = []
    while not stop.is_set():
        readings.append(await asyncio.to_thread(read, machine))
        await asyncio.sleep(1)
    return readings


async def loaded(machine: Machine, *, seconds: float, rate: float | None = None) -> Load:
    """The machine under load for so long; at so many events a second, or at as many as it takes."""
    before, begun = machine.cpu_seconds(), time.perf_counter()
    until = begun + seconds
    # Each connection sends every second at least; the server closes those that are silent for five.
    connections = CONNECTIONS if rate is None else min(CONNECTIONS, max(1, round(rate / EVENTS)))
    pace = None if rate is None else EVENTS * connections / rate
    senders = [Sender(machine.host, machine.port, batches(EVENTS), pace) for _ in range(connections)]
    times = [each for taken in await asyncio.gather(*(one.send(until) for one in senders)) for each in taken]
    elapsed = time.perf_counter() - begun
    sent = len(times) * EVENTS
    server, postgres, sender = (
        1e6 * (after - earlier) / sent for after, earlier in zip(machine.cpu_seconds(), before, strict=True)
    )
    return Load(sent / elapsed, sorted(1000 * each for each in times), server, postgres, sender)


def verdict(held: bool, sentence: str) -> None:
    """Prints what was promised beside what was seen."""
    print(f"{'holds' if held else 'MISSED'}: {sentence}", flush=True)


if __name__ == "__main__":
    main()
