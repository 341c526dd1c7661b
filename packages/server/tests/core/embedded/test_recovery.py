"""What `kill -9` leaves behind: of Assay, of the server, of both, in the middle of anything."""

import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from assay.core.embedded import Change, GaveUp, Restarted, StartFailed, start
from assay.core.embedded.supervisor import restart_pause

from .support import HOLD, Hold, lives, one, postmasters_of, run


def kill(pid: int) -> None:
    """`kill -9`, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    while lives(pid):
        time.sleep(0.005)


def test_a_killed_assay_leaves_a_server_that_the_next_one_replaces(used: Path, hold: Hold) -> None:
    holder, [orphan] = hold(used)
    holder.kill()
    holder.wait()
    assert lives(orphan)

    with start(used, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1
        assert postgres.pid != orphan
        assert not lives(orphan)


def test_rows_of_an_orphan_are_kept(used: Path, hold: Hold) -> None:
    holder, _ = hold(used)
    password = (used / "postgres/password").read_text()
    run(
        f"host={used}/postgres/run user=assay password={password}",
        "DROP TABLE IF EXISTS kept",
        "CREATE TABLE kept (n int)",
        "INSERT INTO kept VALUES (7)",
    )
    holder.kill()
    holder.wait()

    with start(used, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT n FROM kept") == 7


def test_a_killed_server_is_started_again_under_the_same_url(used: Path) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    with start(used, on_change=changes.put) as postgres:
        run(
            postgres.dsn,
            "DROP TABLE IF EXISTS kept",
            "CREATE TABLE kept (n int)",
            "INSERT INTO kept VALUES (7)",
        )
        killed, dsn = postgres.pid, postgres.dsn

        kill(killed)

        assert changes.get(timeout=10) == Restarted(postgres.pid)
        assert postgres.pid != killed
        assert one(dsn, "SELECT n FROM kept") == 7


def test_no_acknowledged_row_is_lost_however_often_the_server_is_killed(used: Path) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    acknowledged = 0
    with start(used, on_change=changes.put) as postgres:
        run(postgres.dsn, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept (n int PRIMARY KEY)")
        for kills in range(3):
            with psycopg.connect(postgres.dsn, autocommit=True) as connection:
                for _ in range(20 + kills):
                    connection.execute("INSERT INTO kept VALUES (%s)", [acknowledged])
                    acknowledged += 1
                kill(postgres.pid)
            assert isinstance(changes.get(timeout=10), Restarted)

        assert one(postgres.dsn, "SELECT count(*) FROM kept") == acknowledged


def test_a_busy_backend_that_outlives_its_server_does_not_block_the_next(used: Path, hold: Hold) -> None:
    holder, [server] = hold(used)
    password = (used / "postgres/password").read_text()
    connection = psycopg.connect(f"host={used}/postgres/run user=assay password={password}")
    busy = connection.info.backend_pid
    connection.pgconn.send_query(b"DO $$BEGIN LOOP PERFORM 1; END LOOP; END$$")
    while psutil.Process(busy).cpu_times().user < 0.05:
        time.sleep(0.01)
    holder.kill()
    holder.wait()
    kill(server)
    assert lives(busy)

    with start(used, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1
        assert not lives(busy)
    connection.close()


def test_a_pid_file_that_names_a_stranger_neither_blocks_nor_harms_it(used: Path) -> None:
    owner = (used / "postgres/cluster").stat()
    user = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "600"], user=user) as stranger:
        cluster = used / "postgres/cluster"
        (cluster / "postmaster.pid").write_text(
            f"{stranger.pid}\n{cluster}\n1700000000\n5432\n\n\n1 2\nready\n"
        )
        os.chown(cluster / "postmaster.pid", owner.st_uid, owner.st_gid)

        with start(used, durable=False) as postgres:
            assert one(postgres.dsn, "SELECT 1") == 1

        assert stranger.poll() is None
        stranger.kill()


def test_a_pid_file_that_names_the_server_of_another_directory_leaves_it_alone(
    used: Path, spare: Path
) -> None:
    with start(used, durable=False) as postgres:
        pid_file = used / "postgres/cluster/postmaster.pid"
        subprocess.run(["cp", "-a", pid_file, spare / "postgres/cluster"], check=True)

        with start(spare, durable=False) as other:
            assert one(other.dsn, "SELECT 1") == 1

        assert one(postgres.dsn, "SELECT 1") == 1


@pytest.mark.parametrize("files", [5, 900])
def test_a_cluster_half_made_is_made_again(folder: Path, files: int) -> None:
    folder.chmod(0o755)
    assert any(_is_killed_half_made(folder / str(attempt), files) for attempt in range(5))
    (half,) = (path for path in folder.iterdir() if not (path / "postgres/cluster").exists())

    with start(half, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1


def _is_killed_half_made(folder: Path, files: int) -> bool:
    """Whether the kill came between so many files and the end, which a busy machine can miss."""
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, folder, ""], stdout=subprocess.DEVNULL) as maker:
        while sum(1 for _ in folder.glob("postgres/cluster.new-*/**/*")) < files:
            assert maker.poll() is None
            if (folder / "postgres/cluster").exists():
                break
        maker.kill()
    return not (folder / "postgres/cluster").exists()


def test_leftovers_of_half_made_clusters_are_removed(used: Path) -> None:
    (used / "postgres/cluster.new-0a1b2c3d/base").mkdir(parents=True)

    start(used, durable=False).stop()

    assert [path.name for path in (used / "postgres").glob("cluster*")] == ["cluster"]


def test_a_temporary_socket_folder_of_a_killed_assay_is_removed(folder: Path, used: Path, hold: Hold) -> None:
    data = folder / ("d" * 100)
    subprocess.run(["cp", "-a", used, data], check=True)
    folder.chmod(0o755)
    holder, _ = hold(data)
    left = Path((data / "postgres/run-elsewhere").read_text())
    holder.kill()
    holder.wait()
    assert left.exists()

    with start(data, durable=False) as postgres:
        assert postgres.socket_folder != left
        assert not left.exists()


@pytest.mark.parametrize("content", [None, "", "half a passw"])
def test_a_lost_password_is_set_anew(used: Path, content: str | None) -> None:
    password = used / "postgres/password"
    password.unlink()
    if content is not None:
        password.write_text(content)

    with start(used, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1


def test_a_server_that_cannot_come_back_is_given_up_with_its_last_words(spare: Path) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    with start(spare, durable=False, on_change=changes.put) as postgres:
        (spare / "postgres/cluster/postgresql.auto.conf").write_text("no_such_setting = 1\n")

        kill(postgres.pid)

        assert isinstance(changes.get(timeout=10), GaveUp)
        with pytest.raises(StartFailed, match="no_such_setting"):
            postgres.wait()


def test_pauses_grow_until_it_has_died_too_often() -> None:
    assert restart_pause([100.0], now=100.0) == 0
    pauses = [restart_pause([100.0] * deaths, now=100.0) for deaths in range(1, 7)]
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, None]


def test_deaths_of_long_ago_are_forgotten() -> None:
    assert restart_pause([0.0] * 50 + [100.0], now=100.0) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_server_stopped_by_somebody_else_is_started_again(used: Path, number: signal.Signals) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    with start(used, durable=False, on_change=changes.put) as postgres:
        psutil.Process(postgres.pid).send_signal(number)

        assert isinstance(changes.get(timeout=10), Restarted)
        assert postmasters_of(used) == [postgres.pid]
