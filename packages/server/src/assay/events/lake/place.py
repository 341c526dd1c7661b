"""Where an environment's table lies, and making sure that what is written there survives a power cut."""

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pyarrow import fs

from assay.core.config import Settings

S3 = "s3://"


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one environment's table.

    Attributes:
        url: As Delta Lake reads it: an absolute path, or `s3://bucket/prefix/…`.
        root: The lake's own folder as Arrow's file system names it.
        path: The table's folder, likewise.
    """

    url: str
    root: str
    path: str

    @property
    def is_local(self) -> bool:
        """Whether files are on this machine, so that we answer for their reaching the disk."""
        return not self.url.startswith(S3)

    def filesystem(self) -> fs.FileSystem:
        """Arrow's way to the files; an object store is told of by the environment, under AWS's own names."""
        if self.is_local:
            return fs.LocalFileSystem()
        return fs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL"))

    def of(self, relative: str) -> str:
        """The path of a file that the table names."""
        return f"{self.path}/{relative}"


def place_of(settings: Settings, environment_id: uuid.UUID) -> Place:
    """Where the settings put an environment's table."""
    where = settings.lake_url or str(settings.data_directory.resolve() / "lake")
    where = where.rstrip("/")
    root = where.removeprefix(S3)
    return Place(url=f"{where}/{environment_id}/events", root=root, path=f"{root}/{environment_id}/events")


def make_durable(place: Place, files: Iterable[str]) -> None:
    """Returns once the files and the folders that lead to them are on the disk.

    An object store acknowledges only what it keeps; there is nothing to do then.
    """
    if not place.is_local:
        return
    folders: set[PurePosixPath] = set()
    for file in files:
        path = place.of(file)
        _sync(path, os.O_RDONLY)
        folders.update(_between(place.root, PurePosixPath(path).parent))
    for folder in sorted(folders, reverse=True):
        _sync(str(folder), os.O_RDONLY | os.O_DIRECTORY)


def log_files(place: Place) -> list[str]:
    """The files of the table's log, relative to the table; local places only."""
    folder = Path(place.path) / "_delta_log"
    return [f"_delta_log/{file.name}" for file in folder.iterdir() if file.is_file()]


def _between(root: str, folder: PurePosixPath) -> Iterable[PurePosixPath]:
    top = PurePosixPath(root).parent
    while folder not in {top, folder.parent}:
        yield folder
        folder = folder.parent


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
