"""Queries, and other processes that run a PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg

HOLD = """
import sys, time
from pathlib import Path
from assay.core.embedded import start
postgres = start(Path(sys.argv[1]), durable=False, note=sys.argv[2])
print(postgres.pid, flush=True)
time.sleep(600)
"""

HOLD_WITH_CHILDREN = """
import os, subprocess, sys, time
from pathlib import Path
from assay.core.embedded import start
postgres = start(Path(sys.argv[1]), durable=False)
spawned = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, close_fds=False)
if not os.fork():
    print(os.getpid(), spawned.pid, flush=True)
os.close(1)
time.sleep(600)
"""

Hold = Callable[..., tuple[subprocess.Popen[bytes], list[int]]]


def one(dsn: str, query: str) -> object:
    """The first value of the first row."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def run(dsn: str, *statements: str) -> None:
    """Run statements in one transaction."""
    with psycopg.connect(dsn) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def python(script: str, *arguments: object) -> str:
    """What another interpreter prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def lives(pid: int) -> bool:
    """Whether a process runs; the dead remain as zombies where a container's first process reaps nobody."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def postmasters_of(data: Path) -> list[int]:
    """The ids in the data directory's pid file."""
    pid_file = data / "postgres/cluster/postmaster.pid"
    return [int(pid_file.read_text().splitlines()[0])] if pid_file.exists() else []
