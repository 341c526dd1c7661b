"""The places inside the data directory, and who may come to them.

assay.lock                     who works here
postgres/                      0700, or 0710 with the server's group when Assay runs as root
  cluster/                     PGDATA, 0700, the server's
  run/                         the socket, 0700, the server's; elsewhere when the path is too long
  password                     0600, Assay's
  postgresql.conf pg_hba.conf  written anew at each start, Assay's: the server cannot change its own rules
  server.log server.log.1      0600, Assay's
  binaries-<version>/          only when the server's user cannot come to the installed ones
"""

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assay.core.embedded.account import Account, first_closed_folder, is_home, require_open_way
from assay.core.embedded.errors import MAKE_ROOM, USE_YOUR_OWN, DataDirectoryUnusable, DiskFull

PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the final zero included.
_LONGEST_SOCKET_PATH = 103
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths inside one data directory (absolute, without symbolic links)."""

    data: Path

    @property
    def postgres(self) -> Path:
        """Everything of PostgreSQL."""
        return self.data / "postgres"

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self.postgres / "cluster"

    @property
    def run(self) -> Path:
        """The usual folder of the socket."""
        return self.postgres / "run"

    @property
    def run_elsewhere(self) -> Path:
        """A file that names the folder of the socket when it is a temporary one."""
        return self.postgres / "run-elsewhere"

    @property
    def password(self) -> Path:
        """The file with the password of the application's role."""
        return self.postgres / "password"

    @property
    def configuration(self) -> Path:
        """The settings of the server."""
        return self.postgres / "postgresql.conf"

    @property
    def client_rules(self) -> Path:
        """Who may connect."""
        return self.postgres / "pg_hba.conf"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.postgres / "server.log"


def open_data_directory(data: Path) -> None:
    """Create the data directory, private to this user, unless it is there.

    Raises:
        DataDirectoryUnusable: It cannot be created, or is a file.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirectoryUnusable(
            f"the data directory {data} cannot be created ({error.strerror}); give another data directory",
            value=str(data),
        ) from error


def prepare(layout: Layout, account: Account) -> None:
    """Make the folder of PostgreSQL and let the server's user pass through it, and through nothing of others.

    Raises:
        DataDirectoryUnusable: The server's user cannot come here.
    """
    require_open_way(layout.data.parent, account)
    _let_pass(layout.data, account)
    require_open_way(layout.data, account)
    layout.postgres.mkdir(mode=0o700, exist_ok=True)
    _let_pass(layout.postgres, account)
    require_open_way(layout.postgres, account)


def require_space(folder: Path, floor_bytes: int) -> None:
    """Refuse a file system that is about to be full.

    Raises:
        DiskFull: Less than the floor is free.
    """
    free = shutil.disk_usage(folder).free
    if free < floor_bytes:
        raise DiskFull(
            f"the disk of {folder} has {free // _MIB} MiB free and PostgreSQL needs "
            f"{-(-floor_bytes // _MIB)} MiB; {MAKE_ROOM}",
            value=free,
        )


def make_server_folder(folder: Path, account: Account) -> None:
    """Create a folder, private to the server's user."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if account.is_switched:
            os.fchown(descriptor, account.uid, account.gid)
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def write_file(path: Path, content: str, *, readers: Account | None = None) -> None:
    """Replace a file as a whole: readable by this user and, when given, by the server's group.

    The order of the steps means that neither a crash nor a reader ever meets half a file.
    """
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.fsencode(content))
        if readers is not None and readers.is_switched:
            os.fchown(descriptor, -1, readers.gid)
            os.fchmod(descriptor, 0o640)
        file.flush()
        os.fsync(descriptor)
    unfinished.replace(path)


def open_socket_folder(layout: Layout, account: Account) -> Path:
    """A private folder for the socket: inside the data directory unless its path is too long or too odd."""
    close_socket_folder(layout)
    if _fits(layout.run):
        make_server_folder(layout.run, account)
        return layout.run
    folder = Path(tempfile.mkdtemp(prefix="assay-", dir=_short_temporary_folder(account)))
    make_server_folder(folder, account)
    write_file(layout.run_elsewhere, str(folder))
    return folder


def close_socket_folder(layout: Layout) -> None:
    """Remove what a server left, sockets and a temporary folder included."""
    for folder in (layout.run, _elsewhere(layout)):
        if folder is not None:
            for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
    layout.run_elsewhere.unlink(missing_ok=True)


def _let_pass(folder: Path, account: Account) -> None:
    """Root's own private folder gets the server's group and, for that group, passage without reading."""
    if account.may_enter(folder) or not account.is_switched or is_home(folder):
        return
    status = folder.stat()
    if status.st_uid == 0 and stat.S_IMODE(status.st_mode) == stat.S_IRWXU:
        os.chown(folder, -1, account.gid)
        folder.chmod(stat.S_IRWXU | stat.S_IXGRP)


def _fits(folder: Path) -> bool:
    # libpq reads a comma, and SQLAlchemy a colon, as the end of a host.
    return len(os.fsencode(folder / SOCKET_NAME)) <= _LONGEST_SOCKET_PATH and not set(str(folder)) & set(",:")


def _short_temporary_folder(account: Account) -> Path:
    usual = Path(tempfile.gettempdir()).resolve()
    for candidate in (usual, Path("/tmp"), Path("/var/tmp")):  # noqa: S108 — a private folder is made inside
        is_open = candidate.is_dir() and first_closed_folder(candidate, account) is None
        if is_open and _fits(candidate / "assay-12345678"):
            return candidate
    raise DataDirectoryUnusable(
        "the path of the data directory is too long for a socket and no folder for temporary files will do; "
        f"give a data directory with a shorter path, or {USE_YOUR_OWN}"
    )


def _elsewhere(layout: Layout) -> Path | None:
    try:
        folder = Path(os.fsdecode(layout.run_elsewhere.read_bytes()))
    except FileNotFoundError:
        return None
    is_ours = folder.name.startswith("assay-") and folder.is_dir() and not folder.is_symlink()
    return folder if is_ours else None
