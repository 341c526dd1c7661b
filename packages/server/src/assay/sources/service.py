"""Opening tables to analyse and checking that they can be measured."""

from assay.sources.files import open_file, readable, require_columns, require_measurable
from assay.sources.local import local_engine, records

__all__ = [
    "local_engine",
    "open_file",
    "readable",
    "records",
    "require_columns",
    "require_measurable",
]
