"""PostgreSQL without an installation: the wheel's PostgreSQL 18, run inside the data directory.

`start(directory)` gives a `RunningPostgres` with a `url`; `async with running(directory)` does too.
"""

from assay.core.embedded.account import account_for, first_closed_folder
from assay.core.embedded.binaries import Installation, find_installation
from assay.core.embedded.errors import (
    DataDirectoryBusy,
    DataDirectoryUnusable,
    DiskFull,
    EmbeddedPostgresError,
    StartFailed,
    UnsupportedPlatform,
    WrongMajorVersion,
)
from assay.core.embedded.lock import DirectoryLock, Holder, holder_of
from assay.core.embedded.starting import running, start
from assay.core.embedded.supervisor import Change, GaveUp, Restarted, RunningPostgres

__all__ = [
    "Change",
    "DataDirectoryBusy",
    "DataDirectoryUnusable",
    "DirectoryLock",
    "DiskFull",
    "EmbeddedPostgresError",
    "GaveUp",
    "Holder",
    "Installation",
    "Restarted",
    "RunningPostgres",
    "StartFailed",
    "UnsupportedPlatform",
    "WrongMajorVersion",
    "account_for",
    "find_installation",
    "first_closed_folder",
    "holder_of",
    "running",
    "start",
]
