"""One place commits; everything else composes into its transaction."""

import ast
from pathlib import Path

SERVER = Path(__file__).parents[2] / "packages/server/src/assay"
# Migrations run on a synchronous connection of their own, before anything else uses the database.
MAY_COMMIT = {"core/database.py", "migrations/__init__.py"}


def test_only_the_database_commits() -> None:
    assert files_that_call("commit") == MAY_COMMIT


def test_only_the_database_opens_sessions() -> None:
    assert files_that_call("AsyncSession") == {"core/database.py"}


def test_a_commit_is_found_wherever_it_hides() -> None:
    assert "commit" in calls("async def f(tx):\n    if tx:\n        await tx.inner.commit()")


def files_that_call(name: str) -> set[str]:
    """The server's modules that call something of this name."""
    return {
        path.relative_to(SERVER).as_posix()
        for path in SERVER.glob("**/*.py")
        if name in calls(path.read_text(encoding="utf-8"))
    }


def calls(source: str) -> set[str]:
    """The last names of everything the source calls."""
    called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {node.attr for node in called if isinstance(node, ast.Attribute)} | {
        node.id for node in called if isinstance(node, ast.Name)
    }
