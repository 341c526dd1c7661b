"""JavaScript's loose reading of JSON values, as JsonLogic uses it; None stands for what is not a number."""

import math
import re

from assay_engine.values import LARGEST_INTEGER, is_array, is_object

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER = 100


def is_truthy(value: object) -> bool:
    """Whether JsonLogic takes the value for true: an empty object is, an empty array is not."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return is_object(value) or bool(value)


def settled(number: float) -> float | None:
    """A number as JSON writes it: whole where it is exact, None where it is infinite or undefined."""
    if isinstance(number, int):
        return number if abs(number) <= LARGEST_INTEGER else _as_double(number)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= LARGEST_INTEGER else number


def _as_double(number: int) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None


def number_of(value: object, *, prefix: bool = False) -> float | None:
    """The number a value stands for; with `prefix`, text may go on after it (`parseFloat`)."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return settled(value)
    if value is None:
        return 0
    return _number_in(value.strip(), prefix=prefix) if isinstance(value, str) else None


def _number_in(text: str, *, prefix: bool) -> float | None:
    if not text:
        return 0
    found = _DECIMAL.match(text[:_LONGEST_NUMBER])
    if found is None or (not prefix and found.end() < len(text)):
        return None
    return settled(float(found[0]))


def text_of(value: object) -> str:
    """The text of a value: whole numbers without a point, null as nothing, lists joined by commas."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = settled(value)
        return "" if number is None else str(number)
    if is_array(value):
        return ",".join(text_of(item) for item in value)
    return "[object Object]"


def strictly_equal(left: object, right: object) -> bool:
    """Equality of type and value; a list or object equals nothing, as in JavaScript."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if left is None or isinstance(left, str):
        return type(left) is type(right) and left == right
    return False


def loosely_equal(left: object, right: object) -> bool:
    """Equality after conversion to numbers where the types differ; null equals 0, as in flagd's engines."""
    if left is None or right is None:
        other = right if left is None else left
        return other is None or (isinstance(other, int | float) and other == 0)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if is_array(left) or is_array(right):
        return _equal_as_text(left, right)
    first, second = number_of(left), number_of(right)
    return first is not None and first == second


def _equal_as_text(left: object, right: object) -> bool:
    return not (is_array(left) and is_array(right)) and text_of(left) == text_of(right)
