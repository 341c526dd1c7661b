"""The list of faults stays true to the sources, and each fault is noticed."""

import importlib.util
import sys
from pathlib import Path
from typing import Protocol

import pytest


class Fault(Protocol):
    """What these tests read of `faults.inject.Fault`."""

    name: str
    file: str


class Script(Protocol):
    """What these tests use of `faults/inject.py`, which is no module of a package."""

    SOURCES: Path

    def all_faults(self) -> list[Fault]: ...
    def with_fault(self, source: str, fault: Fault) -> str: ...
    def main(self, arguments: list[str]) -> int: ...
    def Fault(  # noqa: N802 — a class
        self, *, name: str, file: str, old: str, new: str, tests: tuple[str, ...]
    ) -> Fault: ...


def loaded_script() -> Script:
    path = Path(__file__).parent / "faults" / "inject.py"
    spec = importlib.util.spec_from_file_location("faults_inject", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module  # pyright: ignore[reportReturnType]  # a module has no static members here


inject = loaded_script()
FAULTS = inject.all_faults()


def test_there_are_faults_enough() -> None:
    assert len(FAULTS) >= 25
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_applies_to_exactly_one_place_and_still_compiles(fault: Fault) -> None:
    path = inject.SOURCES / "assay_stats" / fault.file

    broken = inject.with_fault(path.read_text(encoding="utf-8"), fault)

    compile(broken, str(path), "exec")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_fault_is_killed() -> None:
    assert inject.main([]) == 0


def test_a_fault_whose_text_is_gone_is_refused() -> None:
    fault = inject.Fault(name="gone", file="srm.py", old="no such text", new="", tests=())

    with pytest.raises(ValueError, match="'no such text' occurs 0 times"):
        inject.with_fault("x = 1", fault)
