"""The experimentation platform."""

from importlib.metadata import version

__version__ = version("assay")
