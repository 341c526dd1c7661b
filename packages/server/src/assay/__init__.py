"""The experimentation platform."""

from importlib import import_module
from importlib.metadata import version

__version__ = version("assay")

# What a notebook uses, loaded when it is asked for: whoever imports a part does not pay for the others.
# Their types stand in `__init__.pyi`: an import here would put every part below the notebook.
_OFFERED = {
    "analyze_file": "assay.notebook.files",
    "Result": "assay.notebook.result",
    "open_bundle": "assay.notebook.bundles",
    "reproduce": "assay.notebook.bundles",
    "connect": "assay.notebook.server",
    "experiment": "assay.notebook.server",
}


def __getattr__(name: str) -> object:
    if name not in _OFFERED:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    return getattr(import_module(_OFFERED[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_OFFERED])
