"""Files by others are the ones their list says."""

import hashlib
import re
from pathlib import Path

from assay.web.assets import FOLDER, assets

VENDOR = FOLDER / "vendor"


def test_every_vendored_file_is_listed_with_its_checksum() -> None:
    listed = dict(re.findall(r"\| (\S+\.(?:js|css)) \| (\w{64}) \|", (VENDOR / "README.md").read_text()))

    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.suffix in {".js", ".css"}
    }

    assert found == listed


def test_a_licence_stands_beside_vendored_files() -> None:
    folders = {path.parent for path in VENDOR.rglob("*.js")}

    assert folders
    assert all((folder / "LICENSE").is_file() for folder in folders)


def test_no_two_files_have_one_name() -> None:
    names = [path.name for path in FOLDER.rglob("*") if path.name in assets()]

    assert len(names) == len(set(names))


def test_our_own_files_name_no_other_host() -> None:
    ours = [path for path in Path(FOLDER).glob("*.*") if path.suffix != ".svg"]

    assert [path.name for path in ours if re.search(r"(?:https?:)?//\w+\.\w", path.read_text())] == []
