"""Kill -9 of sender, server and database in the middle of a stream changes no digit."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from journey_support import (
    SUPPORT_PATH,
    RunningAssay,
    data_folder,
    figures,
    free_port,
    players,
    register,
    results,
    send,
    start_assay,
    write_players,
)

# Sends batch by batch and remembers on disk how many are acknowledged, as a careful sender would.
SENDER = """
import asyncio, os, sys
from itertools import islice
from pathlib import Path
from assay.cli.client import BATCH_EVENTS, connected
from journey_support import events_of

url, source, state = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

async def main():
    done = int(state.read_text()) if state.exists() else 0
    events = islice(events_of(source), done, None)
    async with connected(url) as client:
        while batch := list(islice(events, BATCH_EVENTS)):
            await client.send(batch)
            done += len(batch)
            state.with_suffix(".new").write_text(str(done))
            os.replace(state.with_suffix(".new"), state)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("rows", "kills"),
    [(1_500, 3), pytest.param(90_189, 20, marks=[pytest.mark.reliability, pytest.mark.timeout(900)])],
)
def test_a_stream_interrupted_by_kills_loses_and_doubles_nothing(
    rows: int, kills: int, tmp_path: Path
) -> None:
    source = _source(tmp_path, rows)
    rng = random.Random(rows)
    state, port = tmp_path / "acknowledged", free_port()
    with data_folder() as data:
        assay = start_assay(data, port=port)
        register(assay.url)
        for number in range(kills):
            with _sending(assay.url, source, state) as sender:
                time.sleep(rng.uniform(0.3, 1.2))
                assay = _kill_one((sender, assay), data, port, victim=number % 3)
        with _sending(assay.url, source, state) as sender:
            assert sender.wait(timeout=600) == 0
        streamed = figures(results(assay.url))
        register(assay.url, project="calm")
        send(assay.url, source, project="calm")
        uninterrupted = figures(results(assay.url, project="calm"))
        assay.stop()

    assert streamed == pytest.approx(uninterrupted, rel=1e-12, abs=1e-15, nan_ok=True)


def _source(folder: Path, rows: int) -> Path:
    given = os.environ.get("ASSAY_COOKIE_CATS")
    if given and rows == 90_189:
        return Path(given)
    return write_players(folder / "players.csv", players(rows))


def _kill_one(
    pair: tuple[subprocess.Popen[bytes], RunningAssay], data: Path, port: int, *, victim: int
) -> RunningAssay:
    sender, assay = pair
    if victim == 0:
        sender.kill()
        return assay
    database = _postmaster_of(assay)
    assay.kill()
    if victim == 1:
        os.kill(database.pid, signal.SIGKILL)
    return start_assay(data, port=port)


def _postmaster_of(assay: RunningAssay) -> psutil.Process:
    children = psutil.Process(assay.pid).children()
    return next(child for child in children if child.name() == "postgres")


@contextmanager
def _sending(url: str, source: Path, state: Path) -> Generator[subprocess.Popen[bytes], None, None]:
    environment = {**os.environ, "PYTHONPATH": SUPPORT_PATH}
    with subprocess.Popen([sys.executable, "-c", SENDER, url, source, state], env=environment) as sender:
        try:
            yield sender
        finally:
            if sender.poll() is None:
                sender.kill()
