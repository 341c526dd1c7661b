"""A PostgreSQL from nothing, its settings, its end, and its one holder."""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from assay.core.embedded import DataDirectoryBusy, DirectoryLock, holder_of, running, start
from assay.core.embedded.processes import trim_log

from .support import HOLD_WITH_CHILDREN, Hold, lives, one, postmasters_of, python, run

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_rows_survive_a_stop_and_a_start(folder: Path) -> None:
    with start(folder, durable=False) as first:
        run(first.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")

    with start(folder, durable=False) as second:
        assert one(second.dsn, "SELECT n FROM kept") == 7


def test_the_url_is_one_of_sqlalchemy(used: Path) -> None:
    with start(used, durable=False) as postgres:
        engine = sqlalchemy.create_engine(postgres.url)
        with engine.connect() as connection:
            found = connection.execute(sqlalchemy.text("SELECT current_user, current_database()")).one()
        engine.dispose()

    assert tuple(found) == ("assay", "assay")


@pytest.fixture(scope="module")
def settings(used: Path) -> dict[str, str]:
    """All settings of a durable server."""
    with start(used) as postgres, psycopg.connect(postgres.dsn) as connection:
        return {name: value for name, value, _ in connection.execute("SHOW ALL").fetchall()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server_version_num", "18"),
        ("listen_addresses", ""),
        ("max_connections", "100"),
        ("shared_buffers", "128MB"),
        ("jit", "off"),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("password_encryption", "scram-sha-256"),
    ],
)
def test_the_settings_suit_an_embedded_server(settings: dict[str, str], name: str, value: str) -> None:
    assert settings[name].startswith(value)


def test_tests_may_do_without_the_disk(used: Path) -> None:
    with start(used, durable=False) as postgres:
        assert one(postgres.dsn, "SHOW fsync") == "off"


def test_text_is_ordered_by_code_point_whatever_the_system_offers(used: Path) -> None:
    with start(used, durable=False) as postgres:
        locale = one(
            postgres.dsn, "SELECT datlocale FROM pg_database WHERE datname = 'assay' AND datlocprovider = 'b'"
        )
        ordered = one(
            postgres.dsn, "SELECT string_agg(t, '' ORDER BY t) FROM unnest('{b,A,a,B,é}'::text[]) t"
        )

    assert locale == "C.UTF-8"
    assert ordered == "ABabé"


def test_a_stopped_server_is_gone_and_may_be_stopped_again(used: Path) -> None:
    postgres = start(used, durable=False)
    pid = postgres.pid
    assert postgres.is_running
    assert not postgres.wait(0)

    postgres.stop()
    postgres.stop()

    assert not postgres.is_running
    assert not lives(pid)
    assert postgres.wait(0)
    assert not postgres.socket_folder.exists()


def test_open_transactions_do_not_delay_the_stop(used: Path) -> None:
    with start(used, durable=False) as postgres:
        connection = psycopg.connect(postgres.dsn)
        connection.execute("SELECT 1")
        began = time.monotonic()

    assert time.monotonic() - began < 5
    connection.close()


def test_a_forgotten_server_ends_with_its_process(used: Path) -> None:
    pid = python(
        "import sys, pathlib; from assay.core.embedded import start\n"
        "print(start(pathlib.Path(sys.argv[1]), durable=False).pid)",
        used,
    )

    assert not lives(int(pid.splitlines()[-1]))
    assert not postmasters_of(used)


def test_an_event_loop_can_run_it(used: Path) -> None:
    async def answer() -> tuple[int] | None:
        async with (
            running(used, durable=False) as postgres,
            await psycopg.AsyncConnection[tuple[int]].connect(postgres.dsn) as connection,
        ):
            cursor = await connection.execute("SELECT 42")
            return await cursor.fetchone()

    assert asyncio.run(answer()) == (42,)
    assert holder_of(used) is None


def test_a_start_cancelled_meanwhile_leaves_no_server(used: Path) -> None:
    async def start_and_cancel() -> None:
        async def stay() -> None:
            async with running(used, durable=False):
                await asyncio.sleep(60)

        task = asyncio.create_task(stay())
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(start_and_cancel())

    assert holder_of(used) is None
    assert not postmasters_of(used)


def test_a_second_process_is_told_who_holds_the_directory(used: Path, hold: Hold) -> None:
    holder, _ = hold(used, "http://127.0.0.1:8000")

    with pytest.raises(DataDirectoryBusy) as refused:
        start(used, durable=False)

    said = f"{used} is in use by Assay process {holder.pid} (http://127.0.0.1:8000), started at 20"
    assert str(refused.value).startswith(said)


def test_the_same_process_cannot_start_twice_either(used: Path) -> None:
    with start(used, durable=False) as postgres:
        postgres.describe("http://127.0.0.1:9000")

        with pytest.raises(DataDirectoryBusy, match=rf"process {os.getpid()} \(http://127\.0\.0\.1:9000\)"):
            start(used, durable=False)

        assert one(postgres.dsn, "SELECT 1") == 1


def test_children_do_not_inherit_the_lock(used: Path, hold: Hold) -> None:
    holder, children = hold(used, script=HOLD_WITH_CHILDREN)
    holder.kill()
    holder.wait()

    with start(used, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1
    assert [lives(child) for child in children] == [True, True]
    for child in children:
        os.kill(child, signal.SIGKILL)


def test_a_lock_holds_even_if_its_words_are_lost(folder: Path) -> None:
    lock = DirectoryLock.acquire(folder, now=NOW, note="a")
    (folder / "assay.lock").write_bytes(b'{"pid": 1')

    with pytest.raises(DataDirectoryBusy, match="is in use by another Assay process"):
        DirectoryLock.acquire(folder, now=NOW, note="b")

    lock.release()
    DirectoryLock.acquire(folder, now=NOW, note="c").release()


def test_the_log_stays_small_while_the_server_writes_it(used: Path) -> None:
    with start(used, durable=False) as postgres:
        log = used / "postgres/server.log"
        for _ in range(3):
            run(postgres.dsn, "DO $$BEGIN FOR i IN 1..500 LOOP RAISE LOG 'line %', i; END LOOP; END$$")
            trim_log(log, limit_bytes=20_000)

        assert log.stat().st_size < 20_000
        assert b"line 500" in log.with_name("server.log.1").read_bytes()
        run(postgres.dsn, "DO $$BEGIN RAISE LOG 'still here'; END$$")
        assert b"still here" in log.read_bytes()
        assert b"\0" not in log.read_bytes()


@pytest.mark.parametrize("name", ["deep/" * 25 + "data", "a, b:c", 'it\'s "ä" \\ %41 ?&=#'])
def test_any_path_will_do(folder: Path, used: Path, name: str) -> None:
    data = folder / name
    data.parent.mkdir(parents=True, exist_ok=True)
    for parent in (folder, *folder.rglob("deep")):
        parent.chmod(0o755)
    python(
        "import shutil, sys, subprocess; subprocess.run(['cp', '-a', *sys.argv[1:]], check=True)",
        used,
        data,
    )

    with start(data, durable=False) as postgres:
        engine = sqlalchemy.create_engine(postgres.url)
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 1")).scalar_one() == 1
        engine.dispose()
        assert one(postgres.dsn, "SELECT 1") == 1
    assert not postgres.socket_folder.exists()
