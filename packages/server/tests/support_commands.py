"""Commands of `assay` in processes of their own, forked from one that has loaded them already.

Loading takes a second or more of processor time, and the suite runs hundreds of commands and dozens of
servers. The forked process does the rest as from a shell: with its arguments, folder, environment, streams,
signals and exit code. `tests/journeys/test_readme.py` starts the command itself.
"""

import gc
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

COMMANDS = (
    "analyze",
    "demo",
    "events",
    "events_load",
    "experiment",
    "flag",
    "part",
    "results",
    "up",
    "worker",
)
LOADED_BY_AN_ANALYSIS = ("assay.events.facts", "assay.analysis.days", "assay.analysis.options", "scipy.stats")
# A console reads its width once, when it is loaded; no threads may run where processes are forked from.
LOADED_WITH = {"COLUMNS": "200", "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1"}
PATIENCE_SECONDS = 200

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(
    ["assay.cli", *(f"assay.cli.commands.{name}" for name in COMMANDS), *LOADED_BY_AN_ANALYSIS]
)


def assay(
    *arguments: str | Path, folder: Path | None = None, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with no settings but those given by their names in the environment."""
    with TemporaryDirectory() as streams:
        out, err = Path(streams) / "out", Path(streams) / "err"
        process = begun(*arguments, folder=folder, settings=settings, out=out, err=err)
        process.join(PATIENCE_SECONDS)
        assert process.exitcode is not None, f"still running: {arguments}"
        words = ["assay", *map(str, arguments)]
        return subprocess.CompletedProcess(words, process.exitcode, out.read_text(), err.read_text())


def begun(
    *arguments: str | Path,
    out: Path,
    err: Path,
    folder: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> BaseProcess:
    """Begins a command whose streams go to files; it ends with this process at the latest."""
    words = ["assay", *map(str, arguments)]
    environment = own_environment() | LOADED_WITH | dict(settings or {})
    with _environment(environment):
        forkserver.ensure_running()
    process = _forking.Process(target=_run, args=(words, folder, environment, out, err), daemon=True)
    process.start()
    return process


def own_environment() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}


def _run(words: list[str], folder: Path | None, environment: dict[str, str], out: Path, err: Path) -> None:
    from assay.__main__ import run  # noqa: PLC0415 — where it runs it is loaded already

    # What was loaded stays; looking through it would copy all of its memory.
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder or Path.cwd())
    for stream, path in ((0, Path(os.devnull)), (1, out), (2, err)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    sys.argv = words
    run()


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Generator[None, None, None]:
    known = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(known)
