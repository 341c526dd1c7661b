"""JsonLogic with flagd's operators, total: what other engines raise is null here, and effort is bounded.

An expression is compiled to closures over a scope and an environment. Where engines differ, the reading is
the one that flagd's Python and Node engines share; where they do not, that of the JavaScript reference.
Source: jsonlogic.com/operations.html; flagd.dev/reference/custom-operations.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import TypeAlias

from assay_engine.context import TARGETING_KEY
from assay_engine.model import BucketerName, JsonLogic
from assay_engine.rules.fractional import Shorthand, fractional_pick
from assay_engine.rules.generate import Values
from assay_engine.rules.loose import (
    is_truthy,
    loosely_equal,
    number_of,
    settled,
    strictly_equal,
    text_of,
)
from assay_engine.rules.scalars import Precedence, version
from assay_engine.values import is_array, is_object

LARGEST_EXPRESSION = 5_000
DEEPEST_EXPRESSION = 50

_STEP_BUDGET = 100_000
_LONGEST_TEXT = 65_536
_LONGEST_LIST = 1_000
_CLOCK = "$flagd.timestamp"


class UnknownLogic(ValueError):
    """An expression with an operator nobody defined, or one too large."""


class _Exhausted(Exception):
    """Loops used up the budget of one evaluation."""


@dataclass(slots=True)
class Environment:
    """What one evaluation knows besides the scope, and the steps its loops have left."""

    flag_key: str
    targeting_key: object
    steps_left: int = _STEP_BUDGET

    def spend(self, steps: int) -> None:
        """Count the steps of one turn of a loop."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise _Exhausted


Node: TypeAlias = Callable[[object, Environment], object]
Build: TypeAlias = Callable[["_Operands"], Node]


@dataclass(frozen=True, slots=True)
class _Operands:
    """An operation's operands, compiled and as written."""

    nodes: tuple[Node, ...]
    written: tuple[object, ...]
    fractional: BucketerName

    def at(self, index: int) -> Node:
        return self.nodes[index] if index < len(self.nodes) else _null


def compile_logic(logic: JsonLogic, flag_key: str) -> Callable[[Values, datetime], object]:
    """The expression as a function of a context's values and a moment; null stands for any failure.

    Raises:
        UnknownLogic: It uses an unknown operator or is too large.
    """
    refuse_excess(logic.expression)
    node = _compile(logic.expression, logic.fractional)

    def run(values: Values, now: datetime) -> object:
        clock = {"flagKey": flag_key, "timestamp": int(now.timestamp())}
        try:
            return node({**values, "$flagd": clock}, Environment(flag_key, values.get(TARGETING_KEY)))
        except _Exhausted:
            return None

    return run


def reads_the_clock(expression: object) -> bool:
    """Whether the expression mentions flagd's clock, so that time alone may change its result."""
    return any(written == _CLOCK or written == "$flagd" for written in _leaves(expression))  # noqa: PLR1714


def variant_named(result: object) -> str | None:
    """The variant a result names, as flagd reads it: booleans and numbers by their JSON text."""
    return None if is_array(result) or is_object(result) else text_of(result)


def refuse_excess(expression: object) -> None:
    """Refuse an expression too large or too deep to evaluate safely.

    Raises:
        UnknownLogic: It has more nodes or levels than allowed.
    """
    if _depth(expression, DEEPEST_EXPRESSION) < 0:
        raise UnknownLogic(f"the JsonLogic expression is nested deeper than {DEEPEST_EXPRESSION} levels")
    if (size := _size(expression)) > LARGEST_EXPRESSION:
        raise UnknownLogic(
            f"the JsonLogic expression has {size} nodes; at most {LARGEST_EXPRESSION} are allowed"
        )


def _depth(expression: object, left: int) -> int:
    if left < 0:
        return left
    return min((_depth(part, left - 1) for part in _parts(expression)), default=left)


def _size(expression: object) -> int:
    return 1 + sum(_size(part) for part in _parts(expression))


def _leaves(expression: object) -> Iterator[object]:
    if not is_array(expression) and not is_object(expression):
        yield expression
    for part in _parts(expression):
        yield from _leaves(part)


def _parts(expression: object) -> Sequence[object]:
    if is_array(expression):
        return expression
    return list(expression.values()) if is_object(expression) else ()


def _compile(expression: object, fractional: BucketerName) -> Node:
    if is_array(expression):
        items = tuple(_compile(item, fractional) for item in expression)
        return lambda scope, env: [item(scope, env) for item in items]
    if not is_object(expression) or len(expression) != 1:
        return lambda _, __: expression
    ((operator, written),) = expression.items()
    build = OPERATIONS.get(operator)
    if build is None:
        raise UnknownLogic(f"no JsonLogic operator {operator!r}")
    operands = tuple(written) if is_array(written) else (written,)
    nodes = tuple(_compile(operand, fractional) for operand in operands)
    return build(_Operands(nodes, operands, fractional))


def _null(_: object, __: Environment) -> object:
    return None


def _plain(function: Callable[[Sequence[object]], object]) -> Build:
    """An operation on its evaluated operands."""

    def build(operands: _Operands) -> Node:
        nodes = operands.nodes
        return lambda scope, env: function([node(scope, env) for node in nodes])

    return build


def _var(operands: _Operands) -> Node:
    path_of, default = operands.at(0), operands.at(1)

    def read(scope: object, env: Environment) -> object:
        found = _look_up(scope, path_of(scope, env))
        return default(scope, env) if found is None else found

    return read


def _look_up(scope: object, path: object) -> object:
    if path is None or path == "" or is_array(path):
        return scope
    for step in text_of(path).split("."):
        scope = _child(scope, step)
        if scope is None:
            return None
    return scope


def _child(scope: object, step: str) -> object:
    if is_object(scope):
        return scope.get(step)
    if is_array(scope) and step.isdecimal() and len(step) < 9 and int(step) < len(scope):  # noqa: PLR2004 — an index
        return scope[int(step)]
    return None


def _if(operands: _Operands) -> Node:
    nodes = operands.nodes
    pairs = tuple(zip(nodes[0::2], nodes[1::2], strict=False))
    otherwise = nodes[-1] if len(nodes) % 2 else _null

    def choose(scope: object, env: Environment) -> object:
        for condition, result in pairs:
            if is_truthy(condition(scope, env)):
                return result(scope, env)
        return otherwise(scope, env)

    return choose


def _and(operands: _Operands) -> Node:
    return _first_where(operands.nodes, wanted=False)


def _or(operands: _Operands) -> Node:
    return _first_where(operands.nodes, wanted=True)


def _first_where(nodes: Sequence[Node], *, wanted: bool) -> Node:
    def choose(scope: object, env: Environment) -> object:
        value: object = None
        for node in nodes:
            value = node(scope, env)
            if is_truthy(value) is wanted:
                return value
        return value

    return choose


def _compare(holds: Callable[[object, object], bool]) -> Build:
    def compare(values: Sequence[object]) -> bool:
        return len(values) > 1 and all(holds(low, high) for low, high in pairwise(values[:3]))

    return _plain(compare)


def _ordered(of_numbers: Callable[[float, float], bool], of_texts: Callable[[str, str], bool]) -> Build:
    def holds(low: object, high: object) -> bool:
        if isinstance(low, str) and isinstance(high, str):
            return of_texts(low, high)
        first, second = number_of(low), number_of(high)
        return first is not None and second is not None and of_numbers(first, second)

    return _compare(holds)


def _equality(equal: Callable[[object, object], bool], *, wanted: bool) -> Build:
    return _plain(lambda values: equal(_item(values, 0), _item(values, 1)) is wanted)


def _item(values: Sequence[object], index: int) -> object:
    return values[index] if index < len(values) else None


def _in(values: Sequence[object]) -> bool:
    needle, haystack = _item(values, 0), _item(values, 1)
    if isinstance(haystack, str):
        return isinstance(needle, str | int | float) and text_of(needle) in haystack
    return is_array(haystack) and any(strictly_equal(needle, item) for item in haystack)


def _cat(values: Sequence[object]) -> str | None:
    text = "".join(text_of(value) for value in values)
    return text if len(text) <= _LONGEST_TEXT else None


def _substr(values: Sequence[object]) -> str | None:
    text, start, length = text_of(_item(values, 0)), number_of(_item(values, 1)), _item(values, 2)
    if start is None:
        return None
    tail = text[int(start) :]
    if length is None:
        return tail
    count = number_of(length)
    return None if count is None else tail[: int(count)]


def _multiply(values: Sequence[object]) -> float | None:
    return _folded(values, lambda total, number: total * number)


def _add(values: Sequence[object]) -> float | None:
    return _folded(values, lambda total, number: total + number) if values else 0


def _folded(values: Sequence[object], function: Callable[[float, float], float]) -> float | None:
    total = number_of(_item(values, 0), prefix=True)
    for value in values[1:]:
        number = number_of(value, prefix=True)
        if total is None or number is None:
            return None
        total = settled(function(total, number))
    return total


def _minus(values: Sequence[object]) -> float | None:
    first = number_of(_item(values, 0))
    if first is None or len(values) < 2:  # noqa: PLR2004 — with one operand, its negative
        return None if first is None else settled(-first)
    second = number_of(values[1])
    return None if second is None else settled(first - second)


def _divide(values: Sequence[object]) -> float | None:
    first, second = number_of(_item(values, 0)), number_of(_item(values, 1))
    return None if first is None or not second else settled(first / second)


def _remainder(values: Sequence[object]) -> float | None:
    first, second = number_of(_item(values, 0)), number_of(_item(values, 1))
    if first is None or not second:
        return None
    # JavaScript's remainder takes the sign of the dividend.
    size = abs(first) % abs(second)
    return settled(-size if first < 0 else size)


def _extreme(pick: Callable[[list[float]], float]) -> Build:
    def extreme(values: Sequence[object]) -> float | None:
        numbers = [number for value in values if (number := number_of(value)) is not None]
        return pick(numbers) if numbers and len(numbers) == len(values) else None

    return _plain(extreme)


def _merge(values: Sequence[object]) -> list[object] | None:
    merged = [item for value in values for item in (value if is_array(value) else [value])]
    return merged if len(merged) <= _LONGEST_LIST else None


def _missing(operands: _Operands) -> Node:
    nodes = operands.nodes

    def missing(scope: object, env: Environment) -> object:
        keys = [node(scope, env) for node in nodes]
        return _absent(scope, keys[0] if keys and is_array(keys[0]) else keys)

    return missing


def _absent(scope: object, keys: object) -> list[object]:
    return [key for key in keys if _look_up(scope, key) in (None, "")] if is_array(keys) else []


def _missing_some(operands: _Operands) -> Node:
    needed, keys_of = operands.at(0), operands.at(1)

    def missing(scope: object, env: Environment) -> object:
        count, keys = number_of(needed(scope, env)), keys_of(scope, env)
        absent = _absent(scope, keys)
        enough = is_array(keys) and count is not None and len(keys) - len(absent) >= count
        return [] if enough else absent

    return missing


def _loop(finish: Callable[[Iterator[object], Iterator[object]], object]) -> Build:
    """An operation on the items of a list and the body's result for each."""

    def build(operands: _Operands) -> Node:
        items_of, body = operands.at(0), operands.at(1)
        steps = sum(_size(written) for written in operands.written[1:])

        def results(items: Sequence[object], env: Environment) -> Iterator[object]:
            for item in items:
                env.spend(steps)
                yield body(item, env)

        def run(scope: object, env: Environment) -> object:
            items = _items(items_of(scope, env))
            return finish(iter(items), results(items, env))

        return run

    return build


def _items(value: object) -> Sequence[object]:
    return value[:_LONGEST_LIST] if is_array(value) else ()


def _filtered(items: Iterator[object], results: Iterator[object]) -> object:
    return [item for item, result in zip(items, results, strict=True) if is_truthy(result)]


def _every(items: Iterator[object], results: Iterator[object]) -> object:
    seen = [is_truthy(result) for _, result in zip(items, results, strict=True)]
    return bool(seen) and all(seen)


def _some(_: Iterator[object], results: Iterator[object]) -> object:
    return any(is_truthy(result) for result in results)


def _none(_: Iterator[object], results: Iterator[object]) -> object:
    return not any(is_truthy(result) for result in results)


def _reduce(operands: _Operands) -> Node:
    items_of, body, initial = operands.at(0), operands.at(1), operands.at(2)
    steps = sum(_size(written) for written in operands.written[1:])

    def run(scope: object, env: Environment) -> object:
        total = initial(scope, env)
        for item in _items(items_of(scope, env)):
            env.spend(steps)
            total = body({"current": item, "accumulator": total}, env)
        return total

    return run


def _affix(matches: Callable[[str, str], bool]) -> Build:
    def test(values: Sequence[object]) -> bool | None:
        match values:
            case [str() as text, str() as affix]:
                return matches(text, affix)
            case _:
                return None

    return _plain(test)


def _sem_ver(values: Sequence[object]) -> bool | None:
    match values:
        case [left, str() as sign, right] if sign in _VERSION_SIGNS:
            first, second = version(text_of(left)), version(text_of(right))
            return None if first is None or second is None else _VERSION_SIGNS[sign](first, second)
        case _:
            return None


_VERSION_SIGNS: Mapping[str, Callable[[Precedence, Precedence], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "~": lambda a, b: a[:2] == b[:2],
    "^": lambda a, b: a[0] == b[0],
}


def _fractional(operands: _Operands) -> Node:
    keyed = bool(operands.written) and not is_array(operands.written[0])
    key_of = operands.at(0)
    entries = operands.nodes[keyed:]

    def pick(scope: object, env: Environment) -> object:
        shorthand = Shorthand(env.flag_key, env.targeting_key)
        key = key_of(scope, env) if keyed else shorthand
        if operands.fractional is not BucketerName.FLAGD_3 and not isinstance(key, str):
            key = shorthand
        return fractional_pick(operands.fractional, [entry(scope, env) for entry in entries], key)

    return pick


OPERATIONS: Mapping[str, Build] = MappingProxyType(
    {
        "var": _var,
        "missing": _missing,
        "missing_some": _missing_some,
        "if": _if,
        "?:": _if,
        "==": _equality(loosely_equal, wanted=True),
        "!=": _equality(loosely_equal, wanted=False),
        "===": _equality(strictly_equal, wanted=True),
        "!==": _equality(strictly_equal, wanted=False),
        "!": _plain(lambda values: not is_truthy(_item(values, 0))),
        "!!": _plain(lambda values: is_truthy(_item(values, 0))),
        "and": _and,
        "or": _or,
        "<": _ordered(lambda a, b: a < b, lambda a, b: a < b),
        "<=": _ordered(lambda a, b: a <= b, lambda a, b: a <= b),
        ">": _ordered(lambda a, b: a > b, lambda a, b: a > b),
        ">=": _ordered(lambda a, b: a >= b, lambda a, b: a >= b),
        "max": _extreme(max),
        "min": _extreme(min),
        "+": _plain(_add),
        "-": _plain(_minus),
        "*": _plain(_multiply),
        "/": _plain(_divide),
        "%": _plain(_remainder),
        "map": _loop(lambda _, results: list(results)),
        "filter": _loop(_filtered),
        "reduce": _reduce,
        "all": _loop(_every),
        "some": _loop(_some),
        "none": _loop(_none),
        "merge": _plain(_merge),
        "in": _plain(_in),
        "cat": _plain(_cat),
        "substr": _plain(_substr),
        "log": _plain(lambda values: _item(values, 0)),
        "starts_with": _affix(str.startswith),
        "ends_with": _affix(str.endswith),
        "sem_ver": _plain(_sem_ver),
        "fractional": _fractional,
    }
)
