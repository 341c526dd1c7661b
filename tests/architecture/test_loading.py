"""What a start loads with itself: what only an analysis needs takes longer to load than all the rest."""

import ast
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(ROOT.glob("packages/*/src"))
SLOW = {"adbc_driver_postgresql", "deltalake", "duckdb", "ibis", "pandas", "pyarrow", "scipy.stats", "typst"}


def test_a_start_loads_nothing_that_only_an_analysis_needs() -> None:
    loaded = loaded_with("assay.cli.commands.up")

    assert {"assay.main", "assay.web.report_forms", "fastapi"} <= loaded
    assert loaded & SLOW == set()


def test_what_is_loaded_later_does_not_count() -> None:
    source = """
import a.b
from c import d
if TYPE_CHECKING:
    import e
else:
    import f
def later():
    import g
class Now:
    import h
"""

    assert set(imported_at_once(ast.parse(source))) == {"a.b", "c", "c.d", "f", "h"}


def loaded_with(module: str) -> set[str]:
    """A module and all that it imports while it loads, ours followed, with the packages around each."""
    found, waiting = set[str](), [module]
    while waiting:
        if (name := waiting.pop()) in found:
            continue
        found.add(name)
        waiting += accumulate(name.split("."), "{}.{}".format)
        if (source := source_of(name)) is not None:
            waiting += imported_at_once(ast.parse(source.read_text(encoding="utf-8")))
    return found


def source_of(name: str) -> Path | None:
    """The file of a module, if it is ours."""
    places = [source / name.replace(".", "/") for source in SOURCES]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


def imported_at_once(node: ast.AST) -> Iterator[str]:
    """The names that code imports when it runs, without what its functions import when they are called."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            return
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            yield module
            yield from (f"{module}.{alias.name}" for alias in names)
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
            for each in otherwise:
                yield from imported_at_once(each)
        case _:
            for each in ast.iter_child_nodes(node):
                yield from imported_at_once(each)
