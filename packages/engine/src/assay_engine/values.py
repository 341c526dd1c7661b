"""The values a flag can serve and an attribute can hold."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NoReturn, TypeAlias, TypeGuard

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
AttributeValue: TypeAlias = "JsonValue | datetime"
Scalar: TypeAlias = bool | int | float | str

# Beyond it a JSON number loses digits in every client that reads numbers as IEEE doubles.
LARGEST_INTEGER = 2**53 - 1


_ARRAYS = (list, tuple)


class FlagType(StrEnum):
    """What a flag serves; integer and float differ, so that 1 and 1.0 stay apart on the wire."""

    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    JSON = "json"


class FrozenDict(dict[str, JsonValue]):
    """A JSON object nobody can change: evaluations share it with the ruleset."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a flag's JSON value is read-only; copy it with dict(value) to change it")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = _refuse
    setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]  # overloads that only ever refuse

    def __reduce__(self) -> tuple[type[dict[str, JsonValue]], tuple[dict[str, JsonValue]]]:
        return dict, (dict(self),)


class FrozenList(list[JsonValue]):
    """A JSON array nobody can change: evaluations share it with the ruleset."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a flag's JSON value is read-only; copy it with list(value) to change it")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = _refuse
    sort = _refuse  # pyright: ignore[reportAssignmentType]  # an overload that only ever refuses

    def __reduce__(self) -> tuple[type[list[JsonValue]], tuple[list[JsonValue]]]:
        return list, (list(self),)


def is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a parsed JSON value is an object (its keys are strings by JSON's own rule)."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a parsed JSON value is an array."""
    return isinstance(value, _ARRAYS)  # a union would be made anew at each call


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number one can order: neither a boolean nor NaN."""
    return type(value) is int or (type(value) is float and value == value)  # noqa: PLR0124 — NaN alone differs


def is_finite_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number JSON can carry."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def is_unicode(text: str) -> bool:
    """Whether text can be encoded: JSON may escape half of a surrogate pair, which UTF-8 cannot hold."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def freeze(value: object) -> JsonValue:
    """The same JSON value in read-only containers.

    Raises:
        TypeError: The value is not JSON (a NaN, a set, text with a lone surrogate).
    """
    if value is None or isinstance(value, bool) or is_finite_number(value):
        return value
    if isinstance(value, str) and is_unicode(value):
        return value
    if is_array(value):
        return FrozenList(freeze(item) for item in value)
    if is_object(value):
        return FrozenDict((str(freeze(key)), freeze(item)) for key, item in value.items())
    raise TypeError(f"{value!r} is not a JSON value")


def fits(flag_type: FlagType, value: object) -> bool:
    """Whether a variant of a flag of this type may hold the value."""
    return _FITS[flag_type](value)


_FITS: Mapping[FlagType, Callable[[object], bool]] = {
    FlagType.BOOLEAN: lambda value: isinstance(value, bool),
    FlagType.STRING: lambda value: isinstance(value, str) and is_unicode(value),
    FlagType.INTEGER: lambda value: type(value) is int and abs(value) <= LARGEST_INTEGER,
    FlagType.FLOAT: lambda value: type(value) is float and math.isfinite(value),
    FlagType.JSON: lambda value: isinstance(value, dict | list),
}
