"""Every public name is one import away and in the tables, and none costs a program that does not use it."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import assay_stats

README = Path(__file__).parents[1] / "README.md"
LATER = ["bandits", "bayesian", "posteriors", "power", "sequential"]
LATER_NAMES = [(module, name) for module in LATER for name in import_module(f"assay_stats.{module}").__all__]


def printed_by(code: str) -> str:
    """What a new interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("module", "name"), LATER_NAMES)
def test_a_name_of_a_later_module_is_the_packages_own(module: str, name: str) -> None:
    assert getattr(assay_stats, name) is getattr(import_module(f"assay_stats.{module}"), name)
    assert name in assay_stats.__all__


def test_every_public_name_exists_once_and_is_listed() -> None:
    assert len(set(assay_stats.__all__)) == len(assay_stats.__all__)
    assert set(assay_stats.__all__) <= set(dir(assay_stats))
    assert [name for name in assay_stats.__all__ if not hasattr(assay_stats, name)] == []


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'assay_stats' has no attribute 'welsh'"):
        _ = assay_stats.welsh  # pyright: ignore[reportUnknownVariableType, reportAttributeAccessIssue]  # so it is
    with pytest.raises(ImportError, match="welsh"):
        exec("from assay_stats import welsh")  # noqa: S102 — an import that must fail


def test_importing_the_package_loads_neither_special_functions_nor_later_modules() -> None:
    heavy = ["scipy.special", "scipy.stats", "scipy.optimize", "scipy.linalg", "pandas", "pyarrow"]
    later = [f"assay_stats.{module}" for module in [*LATER, "calibration"]]

    code = f"import sys, assay_stats; print([m for m in {heavy + later} if m in sys.modules])"

    assert printed_by(code) == "[]\n"


def test_a_sequential_method_loads_no_distributions_of_scipy() -> None:
    used = (
        "from assay_stats import GroupSequentialPlan, boundary; boundary(GroupSequentialPlan(), [0.5, 1.0])"
    )
    code = f"import sys; {used}; print([m for m in ['scipy.stats', 'scipy.optimize'] if m in sys.modules])"

    assert printed_by(code) == "[]\n"


def test_the_readme_names_every_public_name() -> None:
    in_code = re.findall(r"`([^`\n]+)`", README.read_text(encoding="utf-8").replace("```", ""))
    named = set(re.findall(r"\w+", " ".join(in_code)))

    assert [name for name in assay_stats.__all__ if name not in named] == []
