"""A process killed between any two steps of sealing, tidying or forgetting leaves each event once."""

import subprocess
import sys
from pathlib import Path

import pytest

from assay.events import buffer, forgetting, upkeep
from assay.events.sealing import Step
from lake_support import DAY, NOON, Lake, events

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("lake_url", [None])]

# Does the work of a worker until it has reached a step, and is then killed as the kernel would.
WORKER = """
import asyncio, os, signal, sys
from datetime import datetime
from assay.core.config import Settings
from assay.core.database import open_database
from assay.events import buffer, sealing, upkeep

url, data, last, now = sys.argv[1], sys.argv[2], sys.argv[3], datetime.fromisoformat(sys.argv[4])
settings = Settings.model_validate({"database_url": url, "data_directory": data})

def reached(step):
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    database = open_database(settings, url)
    sealer = sealing.Sealer(settings, database, url, reached)
    async with buffer.leading(database) as leads:
        assert leads
        await sealing.seal_all(sealer, now=now)
        await upkeep.tidy(settings, database, now=now, reached=reached)

asyncio.run(main())
"""


def killed_at(lake: Lake, step: str) -> None:
    now = (NOON + 300 * DAY).isoformat()
    command = [sys.executable, "-c", WORKER, lake.url, str(lake.settings.data_directory), step, now]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()


# Each of these starts a process; one of them, between the two commits, is in every run.
@pytest.mark.parametrize(
    "step",
    [
        step if step is Step.COMMITTED else pytest.param(step, marks=pytest.mark.reliability)
        for step in Step
        if step is not Step.RECORDED
    ],
)
async def test_sealing_goes_on_where_it_was_killed(lake: Lake, step: Step) -> None:
    await lake.send(events(5, value=1.0))
    await lake.seal()
    await lake.send(events(8, start=2, value=2.0))
    before = await lake.rows()

    killed_at(lake, step)
    between = await lake.rows()
    await lake.send(events(3, start=9))
    await lake.seal()

    assert between == before
    assert [row["event_id"] for row in before] == [f"{number:06}" for number in range(10)]
    assert await lake.ids() == [f"{number:06}" for number in range(12)]
    assert await lake.one("SELECT count(*) FROM event") == 0
    assert await lake.one("SELECT sealed FROM event_tally") == 12


@pytest.mark.reliability
async def test_a_slot_that_was_recorded_is_sealed(lake: Lake) -> None:
    await lake.send(events(5))

    killed_at(lake, Step.RECORDED)

    assert await lake.one("SELECT count(*) FROM event") == 0
    assert len(await lake.ids()) == 5


@pytest.mark.parametrize("step", ["merged", pytest.param("tidied", marks=pytest.mark.reliability)])
async def test_merging_goes_on_where_it_was_killed(lake: Lake, step: str) -> None:
    for part in range(2):
        await lake.send(events(5, start=5 * part))
        await lake.seal()
    before = await lake.rows()

    killed_at(lake, step)
    between = await lake.rows()
    async with buffer.leading(lake.database):
        await upkeep.tidy(lake.settings, lake.database, now=NOON + 300 * DAY)

    assert before == between == await lake.rows()
    assert await lake.one("SELECT files FROM lake_table") == 1


@pytest.mark.reliability
async def test_events_that_come_while_a_killed_slot_waits_are_sealed_after_it(lake: Lake) -> None:
    await lake.send(events(5))
    killed_at(lake, Step.CLOSED)
    await lake.send(events(9))

    sealed = await lake.seal()

    assert sealed == 9
    assert len(await lake.ids()) == 9


@pytest.mark.reliability
async def test_forgetting_between_commit_and_record_forgets_both_sides(lake: Lake) -> None:
    await lake.send(events(5))
    killed_at(lake, Step.COMMITTED)

    async with buffer.leading(lake.database):
        await forgetting.forget(
            lake.settings, lake.database, lake.environment_id, "u-000002", now=NOON + 301 * DAY
        )
    await lake.seal()

    assert await lake.ids() == ["000000", "000001", "000003", "000004"]
    assert not any(b"u-000002" in path.read_bytes() for path in data_files(lake.settings.data_directory))


def data_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
