"""What only one place may call: commits, sessions, the clock."""

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
SERVER = PACKAGES / "server/src/assay"
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}
# Migrations run on a synchronous connection of their own, before anything else uses the database.
MAY_COMMIT = {"core/database.py", "migrations/__init__.py"}

# The clock that is passed on; the start, before which nobody could pass one; PostgreSQL's own, in defaults.
MAY_READ_THE_CLOCK = {"core/clock.py", "core/embedded/starting.py", "shared/base_model.py"}


def test_only_the_database_commits() -> None:
    assert files_that_call({"commit"}, SERVER) == MAY_COMMIT


def test_only_the_database_opens_sessions() -> None:
    assert files_that_call({"AsyncSession"}, SERVER) == {"core/database.py"}


def test_the_server_reads_the_clock_at_its_edge() -> None:
    assert files_that_call(CLOCKS - {"time"}, SERVER) == MAY_READ_THE_CLOCK


@pytest.mark.parametrize("package", ["engine", "stats"])
def test_pure_packages_are_told_the_time(package: str) -> None:
    assert files_that_call(CLOCKS, PACKAGES / package / "src") == set()


def test_a_commit_is_found_wherever_it_hides() -> None:
    assert "commit" in calls("async def f(tx):\n    if tx:\n        await tx.inner.commit()")


def files_that_call(names: set[str], folder: Path) -> set[str]:
    """The modules below a folder that call something of these names."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.glob("**/*.py")
        if names & calls(path.read_text(encoding="utf-8"))
    }


@cache
def calls(source: str) -> set[str]:
    """The last names of everything the source calls."""
    called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {node.attr for node in called if isinstance(node, ast.Attribute)} | {
        node.id for node in called if isinstance(node, ast.Name)
    }
