"""What the SDK brings into other people's processes."""

import subprocess
import sys

FOREIGN = {"assay", "assay_stats", "numpy", "scipy", "fastapi", "sqlalchemy"}


def test_importing_the_sdk_loads_nothing_of_the_server() -> None:
    command = [sys.executable, "-c", "import sys, assay_openfeature; print(*sys.modules)"]

    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

    assert "assay_openfeature" in loaded
    assert not FOREIGN & loaded
