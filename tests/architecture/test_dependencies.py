"""A distribution imports what it declares; whatever else is installed beside it does not count."""

import ast
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
PROVIDERS = packages_distributions()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_distribution_imports_only_what_it_declares(package: Path) -> None:
    declared = required_distributions(package) | optional_distributions(package)

    imported = {name for path in package.glob("src/**/*.py") for name in imported_modules(path.read_text())}

    own = {path.name for path in package.glob("src/*")}
    foreign = imported - own - sys.stdlib_module_names
    assert {module for module in foreign if not distributions_of(module) & declared} == set()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("engine", {"mmh3", "msgspec"}),
        ("stats", {"numpy", "scipy"}),
        ("sdk", {"assay-engine", "httpx2", "openfeature-sdk"}),
    ],
)
def test_what_runs_in_foreign_processes_stays_small(name: str, allowed: set[str]) -> None:
    assert required_distributions(ROOT / "packages" / name) == allowed


def test_an_import_is_found_wherever_it_hides() -> None:
    source = "import numpy.linalg\ndef f():\n    from fastapi import routing\nfrom . import near"

    assert imported_modules(source) == {"numpy", "fastapi"}


def required_distributions(package: Path) -> set[str]:
    """The distributions a package always brings along."""
    return _names_of(_project(package)["dependencies"])


def optional_distributions(package: Path) -> set[str]:
    """The distributions of a package's extras."""
    return _names_of(chain.from_iterable(_project(package).get("optional-dependencies", {}).values()))


def distributions_of(module: str) -> set[str]:
    """The installed distributions that provide a module; the workspace's own are named like theirs."""
    return {str(canonicalize_name(name)) for name in PROVIDERS.get(module, [module])}


def imported_modules(source: str) -> set[str]:
    """The top-level names a module imports, also inside functions."""
    return {name.partition(".")[0] for node in ast.walk(ast.parse(source)) for name in _names(node)}


def _project(package: Path) -> dict[str, Any]:
    return tomllib.loads((package / "pyproject.toml").read_text())["project"]


def _names_of(requirements: Iterable[str]) -> set[str]:
    return {str(canonicalize_name(Requirement(line).name)) for line in requirements}


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case _:
            return []
