"""Clauses as parts of conditions: templates for the shapes most rules have, else the operator's own test."""

from collections.abc import Callable
from typing import Any, TypeAlias

from assay_engine.model import AttributePath, Clause, Missing, Operator
from assay_engine.rules.generate import Part, Predicate, Template, Values, call
from assay_engine.rules.operators import prepare, read
from assay_engine.rules.scalars import version

Reader: TypeAlias = Callable[[Values], Any]

_OPPOSITE = {
    Operator.LESS: Operator.GREATER_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.GREATER,
    Operator.GREATER: Operator.LESS_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.LESS,
    Operator.SEMVER_LESS: Operator.SEMVER_GREATER_OR_EQUAL,
    Operator.SEMVER_LESS_OR_EQUAL: Operator.SEMVER_GREATER,
    Operator.SEMVER_GREATER: Operator.SEMVER_LESS_OR_EQUAL,
    Operator.SEMVER_GREATER_OR_EQUAL: Operator.SEMVER_LESS,
    Operator.PRESENT: Operator.ABSENT,
    Operator.ABSENT: Operator.PRESENT,
}
_NUMBERS = {
    Operator.LESS: Template.LESS,
    Operator.LESS_OR_EQUAL: Template.LESS_OR_EQUAL,
    Operator.GREATER: Template.GREATER,
    Operator.GREATER_OR_EQUAL: Template.GREATER_OR_EQUAL,
}
_VERSIONS = {
    Operator.SEMVER_LESS: Template.VERSION_LESS,
    Operator.SEMVER_LESS_OR_EQUAL: Template.VERSION_LESS_OR_EQUAL,
    Operator.SEMVER_GREATER: Template.VERSION_GREATER,
    Operator.SEMVER_GREATER_OR_EQUAL: Template.VERSION_GREATER_OR_EQUAL,
}
_TEXTS = {
    Operator.STARTS_WITH: Template.STARTS_WITH,
    Operator.ENDS_WITH: Template.ENDS_WITH,
}


def clause_part(clause: Clause, *, positive: bool = True) -> Part:
    """The clause as a part of a condition; with `positive` off, as a NOT around it leaves it."""
    wanted = clause.negate is not positive
    missing_holds = {Missing.UNKNOWN: False, Missing.FAILS: not positive, Missing.HOLDS: positive}[
        clause.missing
    ]
    if len(clause.attribute) == 1 and not missing_holds and not clause.ignore_case:
        quick = _quick(clause, clause.attribute[0], wanted=wanted)
        if quick is not None:
            return quick
    return call(_judged(_verdict(clause), wanted=wanted, missing_holds=missing_holds))


def reader(path: AttributePath) -> Reader:
    """What reads the attribute at a path, None where it is missing."""
    if len(path) > 1:
        return lambda values: read(path, values)
    name = path[0] if path else ""
    return lambda values: values.get(name)


def _verdict(clause: Clause) -> Predicate:
    test, path = prepare(clause), clause.attribute
    return lambda values, _: test(read(path, values))


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


def _quick(clause: Clause, name: str, *, wanted: bool) -> Part | None:
    operator = clause.operator if wanted else _OPPOSITE.get(clause.operator, clause.operator)
    match operator:
        case Operator.PRESENT:
            return Part(Template.PRESENT, name)
        case Operator.ABSENT:
            return Part(Template.ABSENT, name)
        case _ if operator in _NUMBERS:
            return Part(_NUMBERS[operator], name, clause.values[0])
        case _ if operator in _VERSIONS:
            return Part(_VERSIONS[operator], name, version(str(clause.values[0])))
        case _:
            return _quick_text(clause, name, wanted=wanted)


def _quick_text(clause: Clause, name: str, *, wanted: bool) -> Part | None:
    texts = tuple(value for value in clause.values if isinstance(value, str))
    match clause.operator:
        case Operator.EQUALS if isinstance(clause.values[0], bool):
            return Part(Template.IS, name, clause.values[0] is wanted)
        case Operator.EQUALS | Operator.IN if len(texts) == len(clause.values):
            return _one_of(name, frozenset(texts), wanted=wanted)
        case Operator.CONTAINS if wanted and len(texts) == 1:
            return Part(Template.CONTAINS, name, texts[0])
        case operator if wanted and operator in _TEXTS:
            return Part(_TEXTS[operator], name, texts)
        case Operator.SEMVER_EQUALS if wanted:
            return Part(Template.VERSION_IS, name, version(texts[0]))
        case _:
            return None


def _one_of(name: str, texts: frozenset[str], *, wanted: bool) -> Part:
    if len(texts) == 1:
        (text,) = texts
        return Part(Template.TEXT_IS if wanted else Template.TEXT_IS_NOT, name, text)
    return Part(Template.TEXT_IN if wanted else Template.TEXT_NOT_IN, name, texts)
