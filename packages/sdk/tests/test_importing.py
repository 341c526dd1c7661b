"""What the SDK brings into other people's processes."""

import subprocess
import sys

FOREIGN = {"assay", "assay_stats", "numpy", "scipy", "fastapi", "sqlalchemy"}


def test_importing_the_sdk_loads_nothing_of_the_server() -> None:
    program = "import sys, assay_openfeature; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert "assay_openfeature" in loaded.split()
    assert FOREIGN.isdisjoint(loaded.split())
