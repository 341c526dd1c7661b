"""What is in the repository belongs to everyone: no path of one machine, no host of one network."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A folder that people or build machines live in, at the start of an absolute path.
SOMEBODYS_FOLDER = re.compile(r"(?<![\w.~$}/])/(?:root|work|Users/\w+|home/(?!user/)\w+)/\w")
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org"}


def test_no_tracked_file_names_a_folder_of_one_machine() -> None:
    found = [f"{path}: {match.group()}" for path, text in tracked_texts() for match in machine_paths(text)]

    assert found == []


@pytest.mark.parametrize("line", ["cd /" + "root/assay", "see '/" + "home/ann/data'", "(/" + "work/x)"])
def test_a_folder_of_one_machine_is_seen(line: str) -> None:
    assert machine_paths(line)


def test_the_lock_file_names_public_hosts_only() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text()))

    assert hosts <= PUBLIC_HOSTS


def test_nothing_tells_tools_which_index_or_python_to_use() -> None:
    names = {path for path, _ in tracked_texts()}
    configuration = (ROOT / "pyproject.toml").read_text()

    assert not names & {".python-version", "pip.conf", "uv.toml", ".env"}
    assert "index" not in re.findall(r"^\[+tool\.uv\.(\w+)", configuration, re.MULTILINE)


def machine_paths(text: str) -> list[re.Match[str]]:
    """Absolute paths into somebody's folder."""
    return list(SOMEBODYS_FOLDER.finditer(text))


def tracked_texts() -> list[tuple[str, str]]:
    """Every tracked text file that exists, with its content."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [(name, text) for name in paths if (text := _text(ROOT / name)) is not None]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
