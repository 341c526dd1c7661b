"""How far a file has been loaded, so that an interrupted load goes on where it was."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path


def state_directory() -> Path:
    """Where this user's programs keep what they need to go on."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "assay" / "loads"


class Checkpoint:
    """The number of rows from the beginning of a file that are acknowledged, on disk."""

    def __init__(self, directory: Path, file: Path, task: Mapping[str, object]) -> None:
        """A file that has changed, or goes somewhere else, begins anew.

        Args:
            task: What else makes this load what it is: address, project, mapping.
        """
        stat = file.stat()
        identity = [str(file.resolve()), stat.st_size, stat.st_mtime_ns, sorted(task.items())]
        digest = hashlib.blake2b(json.dumps(identity, default=str).encode(), digest_size=16).hexdigest()
        self._path = directory / f"{digest}.json"
        self._ends: dict[int, int] = {}
        self.rows = self._read()

    def acknowledged(self, first: int, end: int) -> None:
        """Notes that rows from `first` up to before `end` are stored; batches may come in any order."""
        self._ends[first] = end
        if first != self.rows:
            return
        while self.rows in self._ends:
            self.rows = self._ends.pop(self.rows)
        self._write()

    def done(self) -> None:
        """Forgets it: the file is loaded as a whole."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> int:
        try:
            return int(json.loads(self._path.read_text(encoding="utf-8"))["rows"])
        except (OSError, ValueError, KeyError, TypeError):
            # None, or not whole: what is sent again is a repeat and changes nothing.
            return 0

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps({"rows": self.rows}), encoding="utf-8")
        unfinished.replace(self._path)
