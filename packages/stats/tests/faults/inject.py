"""Break the package on purpose, one fault at a time, and see that its tests notice.

    python packages/stats/tests/faults/inject.py [--only TEXT] [--workers N] [--format json]

Each fault of the `*.toml` files beside this script replaces one exact text in a temporary copy of the sources
and runs the named tests against that copy; the work tree is never touched. A fault that no test notices
survives, and then the script exits with 1.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

FAULTS = Path(__file__).parent
TESTS = FAULTS.parent
SOURCES = TESTS.parent / "src"
TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A wrong formula that someone might write.

    Attributes:
        name: What is wrong, in words.
        file: Path below the package.
        old: Text that occurs exactly once.
        new: What replaces it.
        tests: Test files that must notice.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


class Outcome(StrEnum):
    """What the tests made of a fault."""

    KILLED = "killed"
    SURVIVED = "survived"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault and what became of it; `witness` is the first test that failed."""

    fault: str
    outcome: Outcome
    witness: str


def all_faults() -> list[Fault]:
    """Every fault of the lists beside this script, in the order of their files."""
    found: list[Fault] = []
    for path in sorted(FAULTS.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]:
            tests = tuple(entry.pop("tests"))
            found.append(Fault(**entry, tests=tests))
    return found


def with_fault(source: str, fault: Fault) -> str:
    """The source with the fault in it.

    Raises:
        ValueError: The text to replace does not occur exactly once, so the list is out of date.
    """
    occurrences = source.count(fault.old)
    if occurrences != 1:
        raise ValueError(f"fault '{fault.name}': {fault.old!r} occurs {occurrences} times in {fault.file}")
    return source.replace(fault.old, fault.new)


def tried(fault: Fault) -> Finding:
    """Inject one fault into a copy and run its tests."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / "assay_stats" / fault.file
        path.write_text(with_fault(path.read_text(encoding="utf-8"), fault), encoding="utf-8")
        return _judged(fault.name, tested(copy, fault.tests, folder))


def tested(sources: Path, tests: Sequence[str], folder: str) -> "subprocess.CompletedProcess[str]":
    """Run test files against the package found in `sources`, leaving nothing outside `folder`."""
    environment = os.environ | {
        "PYTHONPATH": str(sources),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": folder,
    }
    options = [
        "-x",
        "-q",
        "--no-header",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
    ]
    command = [sys.executable, "-m", "pytest", *options, *(str(TESTS / test) for test in tests)]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def _judged(name: str, run: "subprocess.CompletedProcess[str]") -> Finding:
    lines = [line for line in run.stdout.splitlines() if line.startswith("FAILED ")]
    witness = lines[0].split(" - ")[0].rpartition("::")[2] if lines else ""
    if run.returncode == 0:
        return Finding(fault=name, outcome=Outcome.SURVIVED, witness="")
    # Anything but a failed assertion (a syntax error, a missing file) proves nothing about the tests.
    outcome = Outcome.KILLED if run.returncode == 1 and witness else Outcome.BROKEN
    return Finding(fault=name, outcome=outcome, witness=witness or run.stdout[-500:])


def sound() -> bool:
    """Whether the untouched package passes the tests that faults must fail, from a copy as well."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
        tests = sorted({test for fault in all_faults() for test in fault.tests})
        return tested(copy, tests, folder).returncode == 0


def report(findings: Sequence[Finding]) -> str:
    """The findings as a table, survivors last."""
    ordered = sorted(findings, key=lambda finding: finding.outcome is not Outcome.KILLED)
    rows = [f"{finding.outcome:9} {finding.fault:72} {finding.witness}" for finding in ordered]
    killed = sum(finding.outcome is Outcome.KILLED for finding in findings)
    return "\n".join([*rows, f"{killed} of {len(findings)} faults killed"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults; 0 when each was killed."""
    parser = argparse.ArgumentParser(description="Inject faults into assay_stats and run its tests.")
    parser.add_argument("--only", default="", help="faults whose name contains this text")
    parser.add_argument("--workers", type=int, default=2, help="faults tried at once")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    options = parser.parse_args(arguments)
    if not sound():
        sys.stderr.write("the tests fail without any fault; mend that first\n")
        return 2
    chosen = [fault for fault in all_faults() if options.only in fault.name]
    with ThreadPoolExecutor(options.workers) as pool:
        findings = list(pool.map(tried, chosen))
    as_json = json.dumps([asdict(finding) for finding in findings], indent=2)
    sys.stdout.write((as_json if options.format == "json" else report(findings)) + "\n")
    return 0 if all(finding.outcome is Outcome.KILLED for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
