"""Bundles in a notebook: a result from a file, and whether it follows from its record."""

from pathlib import Path

from assay.analysis import reproduce as reproducing
from assay.analysis.bundle import load
from assay.analysis.reproduce import Reproduction
from assay.notebook.result import Result


def open_bundle(path: str | Path) -> Result:
    """The result in a file that `assay results export` or a report wrote.

    Raises:
        UnreadableBundle, TamperedBundle: It is not one, or was changed.
    """
    bundle = load(Path(path))
    return Result(bundle.document, bundle.written)


def reproduce(path: str | Path) -> Reproduction:
    """Concludes a bundle's record again and compares every number; needs no server.

    Raises:
        UnreadableBundle, TamperedBundle: It is not one, or was changed.
    """
    return reproducing.reproduce(load(Path(path)))
