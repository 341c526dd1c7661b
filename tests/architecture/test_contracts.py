"""Every import contract holds, and each goes red for a violation of its own."""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(ROOT.glob("packages/*/src/*"))
CONFIGURATION: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
NAMES: dict[str, str] = {contract["id"]: contract["name"] for contract in CONFIGURATION["contracts"]}


@dataclass(frozen=True, slots=True)
class Planted:
    """A line that breaks a contract, and the module it is added to."""

    contract: str
    module: str
    line: str


PLANTED = (
    Planted("distributions", "assay_stats/srm.py", "import assay_engine.values"),
    Planted("distributions", "assay_engine/values.py", "import assay"),
    Planted("distributions", "assay_openfeature/__init__.py", "import assay.core.config"),
    Planted("sdk", "assay_openfeature/__init__.py", "import numpy"),
    Planted("pure", "assay_engine/values.py", "import os"),
    Planted("pure", "assay_stats/srm.py", "from urllib import request"),
    Planted("floors", "assay/jobs/service.py", "import assay.projects.service"),
    Planted("floors", "assay/metrics/service.py", "import assay.events.service"),
    Planted("floors", "assay/billing/__init__.py", ""),
    Planted("rooms", "assay/projects/repository.py", "import assay.projects.service"),
    Planted("rooms", "assay/projects/models.py", "import assay.projects.schemas"),
    Planted("edge", "assay/projects/service.py", "from fastapi import HTTPException"),
    Planted("edge", "assay/metrics/models.py", "import starlette"),
    Planted("decisions", "assay/events/ingest.py", "import sqlalchemy"),
    Planted("tables", "assay/analysis/service.py", "import assay.experiments.repository"),
    Planted("tables", "assay/experiments/service.py", "import assay.metrics.models"),
    Planted("tables", "assay/analysis/handlers.py", "import assay.events.repository"),
    Planted("tables", "assay/events/service.py", "import assay.projects.models"),
    Planted("tables", "assay/analysis/service.py", "import assay.jobs.repository"),
    Planted("tables", "assay/cli/serving.py", "import assay.jobs.models"),
    Planted("tables", "assay/migrations/__init__.py", "import assay.events.repository"),
    Planted("cycles", "assay/analysis/plan.py", "def late() -> None:\n    import assay.analysis.document"),
    Planted("cycles", "assay_stats/undefined.py", "import assay_stats.srm"),
)


def test_the_sources_keep_every_contract() -> None:
    assert broken_contracts(SOURCES[0].parents[3], SOURCES) == set()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.contract}:{planted.module}")
def test_a_planted_violation_breaks_its_contract(planted: Planted, tmp_path: Path) -> None:
    sources = copy_of_sources(tmp_path)
    module = tmp_path / planted.module
    module.parent.mkdir(exist_ok=True)
    with module.open("a", encoding="utf-8") as file:
        file.write(f"\n{planted.line}\n")

    assert planted.contract in broken_contracts(tmp_path, sources)


def test_a_violation_is_planted_for_every_contract() -> None:
    assert {planted.contract for planted in PLANTED} == set(NAMES)


def broken_contracts(folder: Path, sources: list[Path]) -> set[str]:
    """The contracts that the sources break, by the words of `lint-imports` itself."""
    finished = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sorted({str(source.parent) for source in sources})),
            "COLUMNS": "400",
        },
    )
    broken = {identifier for identifier, name in NAMES.items() if f"{name} BROKEN" in finished.stdout}
    assert f"{len(NAMES) - len(broken)} kept, {len(broken)} broken." in finished.stdout, finished.stdout
    assert finished.returncode == bool(broken)
    return broken


def copy_of_sources(folder: Path) -> list[Path]:
    """All packages side by side in the folder, with the contracts."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    only_python = shutil.ignore_patterns("__pycache__", "static", "templates", "*.sql")
    return [Path(shutil.copytree(source, folder / source.name, ignore=only_python)) for source in SOURCES]
