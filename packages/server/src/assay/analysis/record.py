"""What a document was concluded from, kept so that anybody can conclude it again to the last digit.

A record is the plan and what was collected for it. Its structure is JSON; its arrays stand beside it, one
after another in a single column of numbers, because JSON has no word for NaN.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from importlib.metadata import version
from operator import itemgetter
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from assay.analysis import claims
from assay.analysis.collected import Arrivals, Collected, Disturbances
from assay.analysis.decision_words import Names
from assay.analysis.doctor import Traffic
from assay.analysis.document import Document
from assay.analysis.plan import Plan

ARRAY = "array"
KIND = "is"
"""Names the class of a part, where a plan may hold one of several."""
STATISTICS = "assay-stats"
NOTHING = Disturbances()
DATA = ("collected", "traffic", "disturbances")


@dataclass(frozen=True, slots=True)
class Record:
    """A plan and what was collected for it.

    Attributes:
        traffic: New units over time, where there is a calendar.
        arrivals: How the events came in; no number follows from it.
        names: What sentences call the arms, by key.
    """

    plan: Plan
    collected: Collected
    traffic: Traffic | None = None
    disturbances: Disturbances = NOTHING
    arrivals: Arrivals | None = None
    names: Names = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Written:
    """A record as it is stored.

    Attributes:
        structure: JSON in which an array is `{"array": [from, shape, dtype]}`.
        numbers: `(n,)` all arrays, one after another.
    """

    structure: dict[str, Any]
    numbers: NDArray[np.float64]


def concluded(record: Record) -> Document:
    """The document of a record, with the hash of everything that decides its digits."""
    document = claims.concluded(
        record.plan,
        record.collected,
        traffic=record.traffic,
        disturbances=record.disturbances,
        arrivals=record.arrivals,
        names=record.names,
    )
    return document.model_copy(update={"content_hash": content_hash(document, write(record))})


def content_hash(document: Document, written: Written) -> str:
    """SHA-256 over the digits, the plan, the data they come from, and the version of the methods."""
    parts = {
        "document": _content(document),
        "plan": written.structure["plan"],
        "data": data_digest(written),
        "methods": {STATISTICS: version(STATISTICS)},
    }
    return hashlib.sha256(canonical(parts)).hexdigest()


def data_digest(written: Written) -> str:
    """SHA-256 over what was collected: the version of the data as this plan sees it."""
    digest = hashlib.sha256(canonical([written.structure[part] for part in DATA]))
    digest.update(np.ascontiguousarray(written.numbers, dtype="<f8").tobytes())
    return digest.hexdigest()


def canonical(value: object) -> bytes:
    """JSON of which there is one spelling: keys in order, no spaces, numbers by their shortest exact form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def write(record: Record) -> Written:
    """The record as it is stored."""
    arrays: list[NDArray[np.float64]] = []
    structure = _frozen(record, arrays, [0])
    numbers = np.concatenate(arrays) if arrays else np.empty(0)
    return Written(structure, numbers)


def read(written: Written) -> Record:
    """The record that was stored.

    Raises:
        ValueError, KeyError, TypeError: It is not one.
    """
    return _thawed(Record, written.structure, written.numbers)


def _content(document: Document) -> dict[str, Any]:
    # When events came in depends on who sent them in which batches; the digits do not.
    return document.model_dump(mode="json", exclude={"content_hash", "arrivals"})


def _frozen(value: object, arrays: list[NDArray[np.float64]], length: list[int]) -> Any:  # noqa: ANN401 — JSON
    match value:
        case np.ndarray() | np.generic() | float():
            plain = _stored(np.asarray(value), arrays, length)
        case BaseModel():
            plain = value.model_dump(mode="json")
        case Enum():
            plain = value.value
        case date():
            plain = value.isoformat()
        case None | bool() | int() | str():
            plain = value
        case Mapping():
            # In order, so that where the arrays stand does not depend on who wrote the mapping.
            items = sorted(cast("Mapping[str, object]", value).items(), key=itemgetter(0))
            plain = {str(key): _frozen(item, arrays, length) for key, item in items}
        case Sequence():
            plain = [_frozen(item, arrays, length) for item in cast("Sequence[object]", value)]
        case _ if dataclasses.is_dataclass(value):
            parts = dataclasses.fields(value)
            plain = {part.name: _frozen(getattr(value, part.name), arrays, length) for part in parts}
            plain[KIND] = type(value).__name__
        case _:
            raise TypeError(f"a record holds {type(value).__name__}")
    return plain


def _stored(
    array: NDArray[Any], arrays: list[NDArray[np.float64]], length: list[int]
) -> dict[str, list[Any]]:
    start = length[0]
    arrays.append(array.astype(np.float64).ravel())
    length[0] += array.size
    return {ARRAY: [start, list(array.shape), array.dtype.str]}


def _thawed(kind: Any, plain: Any, numbers: NDArray[np.float64]) -> Any:  # noqa: ANN401 — decided by the annotation
    origin = get_origin(kind)
    if (place := _place_of(plain)) is not None:
        return _array(kind, place, numbers)
    if origin in {Union, UnionType}:
        return _thawed(_branch(get_args(kind), plain), plain, numbers)
    if origin is tuple:
        return tuple(_thawed(get_args(kind)[0], item, numbers) for item in plain)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _thawed(get_args(kind)[1], item, numbers) for key, item in plain.items()}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return [_thawed(get_args(kind)[0], item, numbers) for item in plain]
    return _simple(kind, plain, numbers)


def _place_of(plain: object) -> list[Any] | None:
    return cast("dict[str, list[Any]]", plain).get(ARRAY) if isinstance(plain, dict) else None


def _simple(kind: Any, plain: Any, numbers: NDArray[np.float64]) -> Any:  # noqa: ANN401 — as above
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_validate_json(json.dumps(plain))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(
            **{
                part.name: _thawed(hints[part.name], plain[part.name], numbers)
                for part in dataclasses.fields(kind)
                # What an earlier version did not know has the value that stands for not knowing it.
                if part.name in plain
            }
        )
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if isinstance(kind, type) and issubclass(kind, date):
        return kind.fromisoformat(plain)
    return plain


def _branch(kinds: Iterable[Any], plain: object) -> Any:  # noqa: ANN401 — an annotation
    def suits(kind: Any) -> bool:  # noqa: ANN401 — an annotation
        if plain is None or kind is type(None):
            return plain is None and kind is type(None)
        if isinstance(plain, dict) and KIND in plain:
            return getattr(kind, "__name__", None) == cast("dict[str, object]", plain)[KIND]
        is_list = get_origin(kind) is tuple or kind is tuple
        return is_list == isinstance(plain, list)

    return next(kind for kind in kinds if suits(kind))


def _array(kind: Any, place: list[Any], numbers: NDArray[np.float64]) -> Any:  # noqa: ANN401 — an array or a number
    start, shape, dtype = place
    size = int(np.prod(shape, dtype=np.int64))
    if start < 0 or start + size > len(numbers):
        raise ValueError(f"a record's array lies outside its {len(numbers)} numbers")
    found = numbers[start : start + size].reshape(shape).astype(np.dtype(dtype))
    return float(found) if kind is float else found[()]
