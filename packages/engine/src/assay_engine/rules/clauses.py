"""Clauses as closures: the operators' own tests, and quicker equivalents for the shapes most rules have."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from assay_engine.model import AttributePath, Clause, Missing, Operator
from assay_engine.rules.operators import prepare, read

Values: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[Values], Any]
# May answer None for False, which spares the common test a call.
Predicate: TypeAlias = Callable[[Values, datetime], bool | None]

_OPPOSITE = {
    Operator.LESS: Operator.GREATER_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.GREATER,
    Operator.GREATER: Operator.LESS_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.LESS,
    Operator.PRESENT: Operator.ABSENT,
    Operator.ABSENT: Operator.PRESENT,
}


def compile_clause(clause: Clause, *, positive: bool = True) -> Predicate:
    """The clause as a predicate; with `positive` off, as a NOT around it leaves it."""
    wanted = clause.negate is not positive
    missing_holds = {Missing.UNKNOWN: False, Missing.FAILS: not positive, Missing.HOLDS: positive}[
        clause.missing
    ]
    if len(clause.attribute) == 1 and not missing_holds and not clause.ignore_case:
        quick = _quick(clause, wanted=wanted)
        if quick is not None:
            return quick
    return _judged(_verdict(clause), wanted=wanted, missing_holds=missing_holds)


def reader(path: AttributePath) -> Reader:
    """What reads the attribute at a path, None where it is missing."""
    if len(path) > 1:
        return lambda values: read(path, values)
    name = path[0]
    return lambda values: values.get(name)


def _verdict(clause: Clause) -> Predicate:
    test = prepare(clause)
    path = clause.attribute
    if len(path) > 1:
        return lambda values, _: test(read(path, values))
    name = path[0]
    return lambda values, _: test(values.get(name))


def _judged(verdict: Predicate, *, wanted: bool, missing_holds: bool) -> Predicate:
    match wanted, missing_holds:
        case True, False:
            return verdict
        case True, True:
            return lambda values, now: verdict(values, now) is not False
        case False, False:
            return lambda values, now: verdict(values, now) is False
        case _:
            return lambda values, now: not verdict(values, now)


def _quick(clause: Clause, *, wanted: bool) -> Predicate | None:
    name = clause.attribute[0]
    operator = clause.operator if wanted else _OPPOSITE.get(clause.operator, clause.operator)
    match operator:
        case Operator.PRESENT:
            return lambda values, _: values.get(name) is not None
        case Operator.ABSENT:
            return lambda values, _: values.get(name) is None
        case Operator.LESS | Operator.LESS_OR_EQUAL | Operator.GREATER | Operator.GREATER_OR_EQUAL:
            return _number(operator, name, clause.values[0])
        case Operator.EQUALS | Operator.IN if all(isinstance(value, str) for value in clause.values):
            return _is_text(name, frozenset(map(str, clause.values)), wanted=wanted)
        case Operator.EQUALS if isinstance(clause.values[0], bool):
            expected = clause.values[0] is wanted
            return lambda values, _: values.get(name) is expected
        case Operator.STARTS_WITH | Operator.ENDS_WITH | Operator.CONTAINS if wanted:
            return _part_of_text(operator, name, tuple(map(str, clause.values)))
        case _:
            return None


def _number(operator: Operator, name: str, bound: Any) -> Predicate:  # noqa: ANN401 — checked to be a number
    # A NaN compares false to everything, as a missing number does.
    match operator:
        case Operator.LESS:
            return lambda values, _: (
                ((x := values.get(name)).__class__ is int or x.__class__ is float) and x < bound
            )
        case Operator.LESS_OR_EQUAL:
            return lambda values, _: (
                ((x := values.get(name)).__class__ is int or x.__class__ is float) and x <= bound
            )
        case Operator.GREATER:
            return lambda values, _: (
                ((x := values.get(name)).__class__ is int or x.__class__ is float) and x > bound
            )
        case _:
            return lambda values, _: (
                ((x := values.get(name)).__class__ is int or x.__class__ is float) and x >= bound
            )


def _is_text(name: str, texts: frozenset[str], *, wanted: bool) -> Predicate:
    if not wanted:
        return lambda values, _: (x := values.get(name)).__class__ is str and x not in texts
    if len(texts) == 1:
        (text,) = texts
        return lambda values, _: values.get(name) == text
    return lambda values, _: (x := values.get(name)).__class__ is str and x in texts


def _part_of_text(operator: Operator, name: str, texts: tuple[str, ...]) -> Predicate | None:
    if operator is Operator.STARTS_WITH:
        return lambda values, _: (x := values.get(name)).__class__ is str and x.startswith(texts)
    if operator is Operator.ENDS_WITH:
        return lambda values, _: (x := values.get(name)).__class__ is str and x.endswith(texts)
    if len(texts) > 1:
        return None
    text = texts[0]
    return lambda values, _: (x := values.get(name)).__class__ is str and text in x
