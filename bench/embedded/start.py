"""From nothing, and from yesterday's data, to the first answered query: ours beside PostgreSQL's own tools.

Run: `uv run python bench/embedded/start.py [repetitions]`. The floor does the least that gives an answer:
`initdb --no-sync` that trusts everybody, `pg_ctl start -w`, one query. Ours adds a lock, a search for
orphans, a role with a password, a database, and the fsync of the new cluster.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from assay.core.embedded import account_for, find_installation, start
from assay.core.embedded.binaries import reachable_installation
from assay.core.embedded.layout import make_server_folder

COLD_LIMIT_SECONDS = 2.0
WARM_LIMIT_SECONDS = 0.5

Measured = dict[str, list[float]]


def main(repetitions: int) -> int:
    """Measure both in turn, print medians and ratios, and fail when a limit is passed."""
    us: Measured = {"cold": [], "warm": [], "connect": []}
    floor: Measured = {"cold": [], "warm": []}
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
            measure_us(Path(folder), us)
        with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
            measure_floor(Path(folder), floor)
    return report(us, floor)


def measure_us(folder: Path, into: Measured) -> None:
    """Cold start, stop, warm start, one more connection."""
    for kind in ("cold", "warm"):
        began = time.perf_counter()
        with start(folder) as postgres:
            ask(postgres.dsn)
            into[kind].append(time.perf_counter() - began)
            if kind == "warm":
                into["connect"].append(seconds(lambda dsn=postgres.dsn: ask(dsn)))


def measure_floor(folder: Path, into: Measured) -> None:
    """The same with PostgreSQL's own tools and nothing else."""
    account = account_for()
    make_server_folder(folder, account)
    programs = reachable_installation(find_installation(), account, folder)
    data = folder / "data"

    def tool(name: str, *arguments: str) -> None:
        command = [str(programs.program(name)), "-D", str(data), *arguments]
        subprocess.run(
            command,
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=account.user,
            group=account.group,
        )

    def start_and_ask() -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
        tool("pg_ctl", "start", "-w", "-o", options, "-l", str(folder / "log"))
        ask(f"host={folder} user=postgres dbname=postgres")

    began = time.perf_counter()
    tool("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--locale=C", "--encoding=UTF8")
    start_and_ask()
    into["cold"].append(time.perf_counter() - began)
    tool("pg_ctl", "stop", "-w", "-m", "fast")
    into["warm"].append(seconds(start_and_ask))
    tool("pg_ctl", "stop", "-w", "-m", "fast")


def report(us: Measured, floor: Measured) -> int:
    """Print a table; 1 when a limit is passed."""
    passed = 0
    for kind, limit in (("cold", COLD_LIMIT_SECONDS), ("warm", WARM_LIMIT_SECONDS)):
        ours, least = statistics.median(us[kind]), statistics.median(floor[kind])
        verdict = "ok" if ours <= limit else "TOO SLOW"
        passed |= ours > limit
        print(
            f"{kind} start to first answer: {ours:.3f} s (max {max(us[kind]):.3f}), floor {least:.3f} s, "
            f"ratio {ours / least:.2f}, limit {limit:.1f} s: {verdict}"
        )
    print(f"one more connection and query: {statistics.median(us['connect']) * 1000:.1f} ms")
    return int(passed)


def ask(dsn: str) -> None:
    """One query over a new connection."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT 1")


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
