"""The user PostgreSQL runs under: it refuses root, and Assay creates no user and opens no folder for it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from assay.core.embedded.errors import USE_YOUR_OWN, DataDirectoryUnusable, UnsupportedPlatform

UNPRIVILEGED_NAMES = ("nobody", "daemon", "postgres")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system; `is_switched` when Assay runs as root and PostgreSQL as somebody else."""

    uid: int
    gid: int
    name: str
    is_switched: bool

    @property
    def user(self) -> int | None:
        """What `subprocess` should switch to."""
        return self.uid if self.is_switched else None

    @property
    def group(self) -> int | None:
        """What `subprocess` should switch to."""
        return self.gid if self.is_switched else None

    @property
    def extra_groups(self) -> list[int] | None:
        """None at all after a switch, so that root's groups stay behind."""
        return [] if self.is_switched else None

    def may_enter(self, folder: Path) -> bool:
        """Whether the permission bits let this user pass through `folder`."""
        return self._has(folder.stat(), stat.S_IXOTH)

    def may_read(self, file: Path) -> bool:
        """Whether the permission bits let this user read `file`, and run it if it can be run at all."""
        status = file.stat()
        wanted = stat.S_IROTH | (stat.S_IXOTH if status.st_mode & stat.S_IXUSR else 0)
        return self._has(status, wanted)

    def _has(self, status: os.stat_result, wanted: int) -> bool:
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & wanted == wanted


def account_for(*existing: Path) -> Account:
    """This user; for root the first of these folders' owners that is not root, else an unprivileged user."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), _name_of(os.geteuid()), is_switched=False)
    for folder in existing:
        if folder.exists() and (status := folder.stat()).st_uid != 0:
            return Account(status.st_uid, _group_of(status), _name_of(status.st_uid), is_switched=True)
    return _unprivileged()


def first_closed_folder(path: Path, account: Account) -> Path | None:
    """The topmost existing folder on the way to and including `path` that a switched account may not enter.

    This process's own user may come in by other groups and access lists: the kernel answers for it later.
    """
    if not account.is_switched:
        return None
    way = [folder for folder in (*reversed(path.parents), path) if folder.exists()]
    return next((folder for folder in way if not account.may_enter(folder)), None)


def require_open_way(path: Path, account: Account) -> None:
    """Refuse a folder that the server's user cannot come to.

    Raises:
        DataDirectoryUnusable: A folder on the way is closed to that user; the message names it.
    """
    closed = first_closed_folder(path, account)
    if closed is None:
        return
    status = closed.stat()
    raise DataDirectoryUnusable(
        f"PostgreSQL refuses to run as root, so Assay starts it as user {account.name!r}, who may not enter "
        f"{closed} (mode {stat.S_IMODE(status.st_mode):04o}, owner {_name_of(status.st_uid)}); give a data "
        f"directory elsewhere, such as /var/lib/assay, start Assay as an ordinary user, or {USE_YOUR_OWN}",
        value=str(closed),
    )


def is_home(folder: Path) -> bool:
    """Whether `folder` is the home of some user."""
    import pwd  # noqa: PLC0415 — absent on Windows

    return any(entry.pw_dir == str(folder) for entry in pwd.getpwall())


def _unprivileged() -> Account:
    import pwd  # noqa: PLC0415 — absent on Windows

    for name in UNPRIVILEGED_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name, is_switched=True)
    raise UnsupportedPlatform(
        f"PostgreSQL refuses to run as root and there is none of the users {', '.join(UNPRIVILEGED_NAMES)}; "
        f"start Assay as an ordinary user, or {USE_YOUR_OWN}"
    )


def _name_of(uid: int) -> str:
    import pwd  # noqa: PLC0415 — absent on Windows

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_of(status: os.stat_result) -> int:
    import pwd  # noqa: PLC0415 — absent on Windows

    try:
        return pwd.getpwuid(status.st_uid).pw_gid
    except KeyError:
        return status.st_gid
