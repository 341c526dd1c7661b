"""What keeps the embedded PostgreSQL from running; every sentence names the way out."""

import errno
from pathlib import Path
from typing import ClassVar

from assay.shared.errors import AssayError

USE_YOUR_OWN = "set ASSAY_DATABASE_URL to a PostgreSQL server (15 or newer) of yours"
MAKE_ROOM = f"free some space, give another data directory, or {USE_YOUR_OWN}"


class EmbeddedPostgresError(AssayError):
    """The embedded PostgreSQL cannot run."""

    code: ClassVar[str] = "embedded_postgres"


class UnsupportedPlatform(EmbeddedPostgresError):
    """This machine has no PostgreSQL that Assay could run itself."""

    code = "embedded_postgres_unsupported"


class DataDirectoryBusy(EmbeddedPostgresError):
    """Another process works in the data directory."""

    code = "data_directory_busy"


class DataDirectoryUnusable(EmbeddedPostgresError):
    """The data directory cannot be written, entered or read."""

    code = "data_directory_unusable"


class DiskFull(EmbeddedPostgresError):
    """The file system of the data directory has too little room."""

    code = "disk_full"


class WrongMajorVersion(EmbeddedPostgresError):
    """The data directory was written by another major version of PostgreSQL."""

    code = "wrong_postgres_version"


class StartFailed(EmbeddedPostgresError):
    """PostgreSQL or one of its tools gave up; the message carries its last words."""

    code = "embedded_postgres_start_failed"


def from_os_error(error: OSError, data_directory: Path) -> EmbeddedPostgresError:
    """What the operating system refused, in words a person can act on."""
    where = error.filename or data_directory
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"the disk of {where} is full; {MAKE_ROOM}", value=str(where))
    if error.errno == errno.ENOEXEC:
        return UnsupportedPlatform(f"{where} does not run on this machine; {USE_YOUR_OWN}", value=str(where))
    return DataDirectoryUnusable(
        f"{where} cannot be used ({error.strerror}); start Assay as the user who made {data_directory}, "
        f"give another data directory, or {USE_YOUR_OWN}",
        value=str(where),
    )
