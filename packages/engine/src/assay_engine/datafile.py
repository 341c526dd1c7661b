"""The datafile: the one wire format of a ruleset; `datafile.schema.json` is the same as a JSON Schema."""

import json
from collections.abc import Callable
from importlib import resources
from typing import NoReturn, cast

from assay_engine.fields import DatafileError
from assay_engine.model import Flag, Ruleset
from assay_engine.parsing import LARGEST_DATAFILE_BYTES, ruleset_from_json
from assay_engine.records import without_collecting
from assay_engine.writing import ruleset_to_json


def schema() -> dict[str, object]:
    """The format as a JSON Schema (draft 2020-12)."""
    text = resources.files("assay_engine").joinpath("datafile.schema.json").read_text("utf-8")
    return cast("dict[str, object]", json.loads(text))


def loads(data: bytes | str, read_flag: Callable[[object], Flag] | None = None) -> Ruleset:
    """The ruleset of a datafile.

    Args:
        read_flag: In place of `flag_from_json`, from who keeps the flags that he has read before.

    Raises:
        DatafileError: The document is not of the format.
    """
    if len(data) > LARGEST_DATAFILE_BYTES:
        raise DatafileError(
            f"the datafile has {len(data)} bytes; at most {LARGEST_DATAFILE_BYTES} are allowed"
        )
    with without_collecting():
        return ruleset_from_json(_decoded(data), read_flag)


def dumps(ruleset: Ruleset) -> bytes:
    """The datafile of a ruleset: UTF-8 JSON without spaces, keys in a fixed order, defaults left out."""
    return json.dumps(ruleset_to_json(ruleset), separators=(",", ":"), allow_nan=False).encode()


def _decoded(data: bytes | str) -> object:
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise DatafileError("the datafile is nested too deeply") from None
    except ValueError as error:
        raise DatafileError(f"the datafile is not JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
