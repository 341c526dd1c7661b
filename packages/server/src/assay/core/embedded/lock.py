"""One Assay process per data directory, and a sentence that says which one.

The lock is `flock(2)`: the kernel drops it when its holder dies, even by `kill -9`. POSIX record locks would
do so too, but any code of the same process that opens and closes the file would drop them silently.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypedDict, cast

from assay.core.embedded.errors import DataDirectoryBusy, DataDirectoryUnusable

LOCK_NAME = "assay.lock"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that works in a data directory."""

    pid: int
    started_at: datetime
    note: str

    def __str__(self) -> str:
        """The words for a person."""
        where = f" ({self.note})" if self.note else ""
        return f"Assay process {self.pid}{where}, started at {self.started_at:%Y-%m-%d %H:%M:%S} UTC"


class DirectoryLock:
    """The exclusive right to work in one data directory, held until `release` or this process's death."""

    def __init__(self, descriptor: int, holder: Holder) -> None:
        self._descriptor: int | None = descriptor
        self._holder = holder
        _held.add(self)
        self.describe(holder.note)

    @classmethod
    def acquire(cls, data_directory: Path, *, now: datetime, note: str = "") -> Self:
        """Take the lock of an existing directory.

        Raises:
            DataDirectoryBusy: Another process, or this one, holds it; the message says who.
            DataDirectoryUnusable: The lock file cannot be written, or locks do not work there.
        """
        path = data_directory / LOCK_NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise DataDirectoryUnusable(
                f"{path} cannot be opened ({error.strerror}); give a data directory that you may write",
                value=str(data_directory),
            ) from error
        try:
            _lock(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, Holder(os.getpid(), now, note))

    def describe(self, note: str) -> None:
        """Say something a second caller can act on, such as the address of the pages."""
        if self._descriptor is None:
            return
        self._holder = Holder(self._holder.pid, self._holder.started_at, note)
        fields = asdict(self._holder) | {"started_at": self._holder.started_at.isoformat()}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(fields).encode(), 0)

    def release(self) -> None:
        """Let go; harmless when done twice."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
        self.forget()

    def forget(self) -> None:
        """Close the handle without unlocking: a forked child must not keep its parent's lock alive."""
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(self)
        if descriptor is not None:
            os.close(descriptor)


def holder_of(data_directory: Path) -> Holder | None:
    """Who wrote last that they hold the directory; `None` when nobody did or the words cannot be read."""
    try:
        return _parsed((data_directory / LOCK_NAME).read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _Fields(TypedDict):
    pid: int
    started_at: str
    note: str


def _parsed(content: bytes) -> Holder:
    fields = cast("_Fields", json.loads(content))
    started_at = datetime.fromisoformat(fields["started_at"]).astimezone(UTC)
    return Holder(int(fields["pid"]), started_at, str(fields["note"]))


def _lock(descriptor: int, path: Path) -> None:
    import fcntl  # noqa: PLC0415 — absent on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = holder_of(path.parent) or "another Assay process"
        raise DataDirectoryBusy(
            f"{path.parent} is in use by {holder}; stop it first, or give another data directory",
            value=str(path.parent),
        ) from error
    except OSError as error:
        raise DataDirectoryUnusable(
            f"{path} cannot be locked ({error.strerror}); give a data directory on a local file system",
            value=str(path.parent),
        ) from error


_held: set[DirectoryLock] = set()


def _forget_all() -> None:
    for lock in tuple(_held):
        lock.forget()


_register_at_fork: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register_at_fork is not None:
    _register_at_fork(after_in_child=_forget_all)
