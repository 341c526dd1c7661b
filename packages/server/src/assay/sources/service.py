"""Opening tables to analyse and checking that they can be measured."""

from assay.sources.files import local_engine, open_file, readable, require_columns, require_measurable

__all__ = ["local_engine", "open_file", "readable", "require_columns", "require_measurable"]
