"""Typed fields of JSON objects, read strictly: an error is a sentence with its place in the document."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar, cast

from assay_engine.model import AttributePath
from assay_engine.values import (
    JsonValue,
    Scalar,
    freeze,
    is_array,
    is_finite_number,
    is_object,
    is_unicode,
)

LONGEST_KEY = 128
LONGEST_TEXT = 4_096
LONGEST_UNIT = 512
LARGEST_NUMBER = 2**31 - 1
DEEPEST_PATH = 10

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}", re.ASCII)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
JsonObject: TypeAlias = Mapping[str, object]
Readers: TypeAlias = Mapping[str, Callable[[object], object]]


class DatafileError(ValueError):
    """A document that is not of the format; the message begins with the place."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        self.path = path
        self.message = message
        super().__init__(f"{'.'.join(path)}: {message}" if path else message)

    def within(self, step: str) -> "DatafileError":
        """The same error seen from one level further out; an array and the place in it are one step."""
        if self.path and self.path[0].startswith("["):
            return DatafileError(self.message, (step + self.path[0], *self.path[1:]))
        return DatafileError(self.message, (step, *self.path))


def read_object(document: object, allowed: frozenset[str], needs: Sequence[str] = ()) -> JsonObject:
    """The document as an object with no key but those allowed, and all those needed."""
    if not is_object(document):
        raise DatafileError(f"an object is needed, not {shown(document)}")
    return read_keys(document, allowed, needs)


def read_keys(document: JsonObject, allowed: frozenset[str], needs: Sequence[str] = ()) -> JsonObject:
    """The object, which has no key but those allowed, and all those needed."""
    if not allowed.issuperset(document):
        unknown = sorted(document.keys() - allowed)
        raise DatafileError(f"unknown key {unknown[0]!r}; the keys here are {', '.join(sorted(allowed))}")
    for name in needs:
        if name not in document:
            raise DatafileError(f"the key {name!r} is missing")
    return document


def read_record(document: object, readers: Readers, needs: Collection[str] = ()) -> dict[str, Any]:
    """What an object's keys hold, each read by its own reader: arguments for a record, whose defaults stand
    for what is absent.
    """
    if not isinstance(document, dict):
        raise DatafileError(f"an object is needed, not {shown(document)}")
    found: dict[str, Any] = {}
    name = ""
    try:
        for name, value in cast("dict[str, object]", document).items():
            found[name] = readers[name](value)
    except DatafileError as error:
        raise error.within(name) from error
    except KeyError:
        # Of `readers`, as no reader raises one; looked at once it happened, which it hardly ever does.
        read_keys(cast("JsonObject", document), frozenset(readers))
        raise
    for need in needs:
        if need not in found:
            raise DatafileError(f"the key {need!r} is missing")
    return found


def array_of(parse: Callable[[object], T], most: int) -> Callable[[object], tuple[T, ...]]:
    """A reader of an array's items."""

    def read(items: object) -> tuple[T, ...]:
        if not is_array(items):
            raise DatafileError(f"an array is needed, not {shown(items)}")
        if len(items) > most:
            raise DatafileError(f"{len(items)} entries; at most {most} are allowed")
        parsed: list[T] = []
        try:
            parsed.extend(map(parse, items))
        except DatafileError as error:
            # What was parsed before stays in the list, so its length tells where it failed.
            raise error.within(f"[{len(parsed)}]") from error
        return tuple(parsed)

    return read


def read_at(step: str, parse: Callable[[object], T], value: object) -> T:
    """A value parsed, an error in it placed under `step`."""
    try:
        return parse(value)
    except DatafileError as error:
        raise error.within(step) from error


def by_value(choices: type[E]) -> Mapping[str, E]:
    """The members of an enumeration by value: the enumeration itself takes several steps to look one up."""
    return {each.value: each for each in choices}


def read_choice(fields: JsonObject, name: str, choices: Mapping[str, E], default: E) -> E:
    """A member of an enumeration by its value; the default where the key is absent."""
    return read_at(name, one_of(choices), fields[name]) if name in fields else default


def one_of(choices: Mapping[str, E]) -> Callable[[object], E]:
    """A reader of an enumeration's members by their value."""

    def read(value: object) -> E:
        found = choices.get(value) if isinstance(value, str) else None
        if found is not None:
            return found
        raise DatafileError(f"{shown(value)} is none of {', '.join(choices)}")

    return read


def text_up_to(longest: int) -> Callable[[object], str]:
    """A reader of text up to a length, empty allowed."""

    def read(value: object) -> str:
        if isinstance(value, str) and len(value) <= longest and (value.isascii() or is_unicode(value)):
            return value
        raise DatafileError(f"{shown(value)} is not text of at most {longest} characters")

    return read


def read_key(fields: JsonObject, name: str) -> str:
    """A key: what may stand in a URL's path."""
    return read_at(name, as_key, fields[name])


def as_key(value: object) -> str:
    """A key: what may stand in a URL's path."""
    if isinstance(value, str) and _KEY.fullmatch(value) and ".." not in value:
        return value
    raise DatafileError(
        f"{shown(value)} is not a key: 1 to {LONGEST_KEY} of A-Z a-z 0-9 _ . : @ -, beginning with a letter, "
        "a digit or _, without '..'"
    )


def read_name(value: object) -> str:
    """A name of 1 to 128 characters."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_KEY and (value.isascii() or is_unicode(value)):
        return value
    raise DatafileError(f"{shown(value)} is not a name of 1 to {LONGEST_KEY} characters")


def read_member(value: object) -> str:
    """A unit's id."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_UNIT and is_unicode(value):
        return value
    raise DatafileError(f"{shown(value)} is not a unit: text of 1 to {LONGEST_UNIT} characters")


def read_attribute(value: object) -> AttributePath:
    """An attribute: one name, or a path of names."""
    if isinstance(value, str):
        return _one_step(value)
    if is_array(value) and 1 < len(value) <= DEEPEST_PATH:
        return tuple(map(read_name, value))
    raise DatafileError(f"{shown(value)} is not an attribute: a name, or the names of a path of two or more")


# Few names stand in many clauses: each is looked at once, and its path shared.
@lru_cache(maxsize=4096)
def _one_step(name: str) -> AttributePath:
    return (read_name(name),)


def read_scalar(value: object) -> Scalar:
    """A boolean, a finite number or text."""
    if isinstance(value, str):
        if len(value) <= LONGEST_TEXT and (value.isascii() or is_unicode(value)):
            return value
    elif isinstance(value, bool) or is_finite_number(value):
        return value
    raise DatafileError(
        f"{shown(value)} is neither a boolean, a number nor text of at most {LONGEST_TEXT} characters"
    )


def as_number(value: object) -> float:
    """A finite number."""
    if is_finite_number(value) and abs(value) <= LARGEST_NUMBER:
        return value
    raise DatafileError(f"{shown(value)} is not a number up to {LARGEST_NUMBER}")


def as_whole(value: object, *, least: int, most: int) -> int:
    """A whole number between two bounds."""
    if type(value) is int and least <= value <= most:
        return value
    raise DatafileError(f"{shown(value)} is not a whole number from {least} to {most}")


def as_boolean(value: object) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise DatafileError(f"{shown(value)} is not true or false")


def read_frozen(value: object) -> JsonValue:
    """Any JSON value in read-only containers."""
    try:
        return freeze(value)
    except TypeError as error:
        raise DatafileError(str(error)) from error
    except RecursionError:
        raise DatafileError("the value is nested too deeply") from None


def shown(value: object) -> str:
    """A value as an error message shows it, cut to a line."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value))
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 — a line of a message
