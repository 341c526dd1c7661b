"""Kill -9 at random moments of ingest, commit, sealing, merging and analysis: each event counts once.

Server, worker and PostgreSQL are processes of their own. A sender streams a file, again and again until the
killing is over, and each batch until it is acknowledged. `ASSAY_TEST_KILLS` says how often there is a kill.
PostgreSQL's own views say what is under way in the moment before: each kill waits for the next kind of work.
"""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest

from assay.core import embedded
from assay.core.config import Settings
from assay.core.database import libpq_url
from assay.events import service as events
from assay.shared.errors import AssayError
from assay.sources.service import local_engine
from journey_support import (
    METRICS,
    SUPPORT_PATH,
    RunningAssay,
    data_folder,
    events_of,
    figures,
    free_port,
    players,
    register,
    results,
    send,
    start_assay,
    write_players,
)
from support_commands import own_environment

log = logging.getLogger(__name__)

KILLS = int(os.environ.get("ASSAY_TEST_KILLS", "20"))
PLAYERS = 4_000
SEED = 20261121
# The database is killed less often than it may fall before its supervisor gives up on it.
KILLING = (
    ("ingest", "server"),
    ("sealing", "worker"),
    ("analysis", "worker"),
    ("commit", "server"),
    ("merging", "worker"),
    ("ingest", "sender"),
    ("analysis", "worker"),
    ("sealing", "worker"),
    ("commit", "postgres"),
    ("merging", "worker"),
)
# As the database sees it. Sealing counts while there is a slot to seal, merging while the lake is tidied.
UNDER_WAY = {
    "ingest": """
        SELECT FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND state <> 'idle' AND query ~ 'COPY "event_'
    """,
    "commit": """
        SELECT FROM pg_stat_activity
        WHERE state <> 'idle' AND (query LIKE 'INSERT INTO event_tally%' OR query = 'COMMIT')
    """,
    "sealing": """
        SELECT FROM pg_stat_activity, event_buffer AS buffer WHERE application_name = 'assay sealing'
        AND EXISTS (SELECT FROM event WHERE event.slot = 1 - buffer.slot)
    """,
    "merging": "SELECT FROM pg_stat_activity WHERE application_name = 'assay merging'",
    "analysis": "SELECT FROM task_run WHERE kind = 'results' AND state = 'PROCESSING'",
}
LONGEST_WAIT_SECONDS = 30

CHAOTIC = """
    SELECT environment.id FROM environment JOIN project ON project.id = project_id
    WHERE project.key = 'default' AND environment.key = 'production'
"""
SEALED = "SELECT sum(sealed) FROM event_tally"

SENDER = """
import asyncio, os, sys
from itertools import islice
from pathlib import Path
from assay.cli.client import connected
from journey_support import events_of

url, source, state, stop = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])

async def main():
    done = int(state.read_text()) if state.exists() else 0
    async with connected(url) as client:
        while True:
            events = islice(events_of(source), done, None)
            while batch := list(islice(events, 250)):
                await client.send(batch)
                done += len(batch)
                state.with_suffix(".new").write_text(str(done))
                os.replace(state.with_suffix(".new"), state)
                if not stop.exists():
                    await asyncio.sleep(0.05)
            if stop.exists():
                return
            done = 0

asyncio.run(main())
"""


@dataclass(slots=True)
class Cluster:
    """What is running, and how to start each of it again."""

    postgres: embedded.RunningPostgres
    data: Path
    source: Path
    port: int
    settings: Mapping[str, str]
    server: RunningAssay = field(init=False)
    worker: subprocess.Popen[bytes] = field(init=False)
    sender: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.start_server()
        register(self.server.url)
        self.start_worker()
        self.start_sender()

    def kill(self, victim: str) -> None:
        match victim:
            case "server":
                self.server.kill()
                self.start_server()
            case "worker":
                _kill(self.worker)
                self.start_worker()
            case "sender":
                _kill(self.sender)
                self.start_sender()
            case _:
                # Its supervisor, in this process, brings it back.
                with_postmaster = psutil.Process(self.postgres.pid)
                with_postmaster.send_signal(signal.SIGKILL)

    def start_server(self) -> None:
        settings = {**self.settings, "ASSAY_WORKER_ENABLED": "false"}
        self.server = start_assay(self.data, port=self.port, settings=settings)

    def start_worker(self) -> None:
        with (self.data.parent / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "assay", "worker"], env=self._environment(), stderr=log
            )

    def start_sender(self) -> None:
        folder = self.data.parent
        arguments = [self.server.url, self.source, folder / "acknowledged", folder / "stop"]
        self.sender = subprocess.Popen([sys.executable, "-c", SENDER, *arguments], env=self._environment())

    def finish_sending(self) -> None:
        (self.data.parent / "stop").touch()
        if self.sender.wait(timeout=300) != 0:
            self.start_sender()
            assert self.sender.wait(timeout=300) == 0

    def stop(self) -> None:
        for process in (self.sender, self.worker):
            _kill(process)
        self.server.kill()

    def _environment(self) -> dict[str, str]:
        return own_environment() | dict(self.settings) | {"PYTHONPATH": SUPPORT_PATH}


@pytest.mark.reliability
@pytest.mark.timeout(300 + 60 * KILLS)
def test_every_acknowledged_event_is_in_the_result_exactly_once(tmp_path: Path) -> None:
    source = write_players(tmp_path / "players.csv", players(PLAYERS))
    rng = random.Random(SEED)
    with running_cluster(source) as cluster:
        with asking(cluster.server.url):
            hits = Counter(
                kill_within(cluster, *KILLING[number % len(KILLING)], rng) for number in range(KILLS)
            )
        cluster.finish_sending()
        # Asked for twice: the first may be one that was begun before the last event came.
        results(cluster.server.url)
        streamed = figures(results(cluster.server.url))
        uninterrupted = calm_figures(cluster.server.url, source)
        read = Counter(read_identifiers(cluster))
        sealed = int(value(cluster, SEALED))

    log.info("%d kills: %s", KILLS, dict(hits))
    assert set(hits) >= set(UNDER_WAY)
    sent = {str(event["id"]) for event in events_of(source)}
    assert set(read) == sent
    assert max(read.values()) == 1
    assert streamed == pytest.approx(uninterrupted, rel=1e-12, abs=1e-15, nan_ok=True)
    assert sealed > 0


def kill_within(cluster: Cluster, work: str, victim: str, rng: random.Random) -> str:
    """Kills a process while such work is under way; says so, or that it was not met in time."""
    time.sleep(rng.uniform(0.0, 1.0))
    met = is_under_way(cluster, work)
    time.sleep(rng.uniform(0.0, 0.02) if work in {"sealing", "merging", "analysis"} else 0.0)
    cluster.kill(victim)
    return work if met else f"not met: {work}"


def is_under_way(cluster: Cluster, work: str) -> bool:
    """Waits until it is, for a while."""
    until = time.monotonic() + LONGEST_WAIT_SECONDS
    query = f"SELECT EXISTS ({UNDER_WAY[work]})"
    while time.monotonic() < until:
        with suppress(psycopg.OperationalError), connected(cluster) as connection:
            while time.monotonic() < until:
                row = connection.execute(query.encode()).fetchone()
                if row is not None and row[0]:
                    return True
                time.sleep(0.001)
    return False


def connected(cluster: Cluster) -> psycopg.Connection:
    """The cluster's database, unless it is just coming back."""
    return psycopg.connect(libpq_url(cluster.postgres.url), options="-csearch_path=assay", autocommit=True)


def calm_figures(url: str, source: Path) -> dict[str, float]:
    """The figures of the same events, sent to a project of their own while nothing is killed."""
    register(url, project="calm")
    send(url, source, project="calm")
    return figures(results(url, project="calm"))


@contextmanager
def running_cluster(source: Path) -> Generator[Cluster, None, None]:
    with data_folder() as data, embedded.start(data.parent / "postgres", durable=True) as postgres:
        settings = {
            "ASSAY_DATABASE_URL": postgres.url,
            "ASSAY_DATA_DIRECTORY": str(data),
            "ASSAY_EVENT_SEAL_ROWS": "400",
            "ASSAY_EVENT_SEAL_AFTER_SECONDS": "0.5",
            "ASSAY_EVENT_TIDY_SECONDS": "1",
            "ASSAY_WORKER_STALLED_SECONDS": "3",
            "ASSAY_LOG_LEVEL": "warning",
        }
        cluster = Cluster(postgres, data, source, free_port(), settings)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def asking(url: str) -> Generator[None, None, None]:
    """Somebody who wants the result all the time, so that analyses are killed too."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.5):
            ignoring_failures(lambda: results(url))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(timeout=60)


def ignoring_failures(work: Callable[[], object]) -> None:
    try:
        work()
    except (AssayError, OSError):
        # The server is away, or the database; that is what this is about.
        return


def read_identifiers(cluster: Cluster) -> list[str]:
    """The identifiers of all events of the experiment, as often as analysis reads them."""
    names = sorted({str(metric["event"]) for metric in METRICS.values()})
    settings = Settings.model_validate({"data_directory": cluster.data})
    engine = local_engine()
    with events.facts(
        settings,
        cluster.postgres.url,
        engine,
        environment_id=uuid.UUID(value(cluster, CHAOTIC)),
        experiment="gate",
        names=names,
    ) as facts:
        return facts.table.select("event_id").to_pyarrow()["event_id"].to_pylist()


def value(cluster: Cluster, query: str) -> str:
    """What the database holds, as text."""
    with connected(cluster) as connection:
        row = connection.execute(query.encode()).fetchone()
    return "" if row is None else str(row[0])


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
