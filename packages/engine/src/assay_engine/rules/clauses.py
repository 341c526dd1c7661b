"""Clauses as parts of conditions: templates for the shapes most rules have, else the operator's own test."""

from collections.abc import Callable
from typing import Any, TypeAlias

from assay_engine.model import AttributePath, Clause, Missing, Operator
from assay_engine.rules.generate import Part, Predicate, Template, Values, call
from assay_engine.rules.operators import prepare, read
from assay_engine.rules.scalars import version
from assay_engine.values import Scalar

Reader: TypeAlias = Callable[[Values], Any]

# The templates for an operator and for its negation. A comparison's negation is another comparison, so that a
# missing attribute fails both.
_COMPARISONS = {
    Operator.LESS: (Template.LESS, Template.GREATER_OR_EQUAL),
    Operator.LESS_OR_EQUAL: (Template.LESS_OR_EQUAL, Template.GREATER),
    Operator.GREATER: (Template.GREATER, Template.LESS_OR_EQUAL),
    Operator.GREATER_OR_EQUAL: (Template.GREATER_OR_EQUAL, Template.LESS),
    Operator.PRESENT: (Template.PRESENT, Template.ABSENT),
    Operator.ABSENT: (Template.ABSENT, Template.PRESENT),
}
_VERSIONS = {
    Operator.SEMVER_EQUALS: (Template.VERSION_IS, Template.VERSION_IS_NOT),
    Operator.SEMVER_LESS: (Template.VERSION_LESS, Template.VERSION_GREATER_OR_EQUAL),
    Operator.SEMVER_LESS_OR_EQUAL: (Template.VERSION_LESS_OR_EQUAL, Template.VERSION_GREATER),
    Operator.SEMVER_GREATER: (Template.VERSION_GREATER, Template.VERSION_LESS_OR_EQUAL),
    Operator.SEMVER_GREATER_OR_EQUAL: (Template.VERSION_GREATER_OR_EQUAL, Template.VERSION_LESS),
}
_AFFIXES = {
    Operator.STARTS_WITH: Template.STARTS_WITH,
    Operator.ENDS_WITH: Template.ENDS_WITH,
}
_EQUALITIES = frozenset({Operator.EQUALS, Operator.IN})
# Read once: an enumeration looks its members up anew each time.
_UNKNOWN, _FAILS = Missing.UNKNOWN, Missing.FAILS
_CONTAINS, _IS = Operator.CONTAINS, Template.IS
_TEXT_IS, _TEXT_IS_NOT = Template.TEXT_IS, Template.TEXT_IS_NOT
_TEXT_IN, _TEXT_NOT_IN = Template.TEXT_IN, Template.TEXT_NOT_IN


def clause_part(clause: Clause, *, positive: bool = True) -> Part:
    """The clause as a part of a condition; with `positive` off, as a NOT around it leaves it."""
    wanted = clause.negate is not positive
    missing_holds = clause.missing is not _UNKNOWN and (clause.missing is _FAILS) is not positive
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
    operator, values = clause.operator, clause.values
    if operator in _EQUALITIES:
        return _equality(name, values, wanted=wanted)
    if operator in _COMPARISONS:
        return Part(_COMPARISONS[operator][not wanted], name, values[0] if values else None)
    if operator in _VERSIONS:
        return Part(_VERSIONS[operator][not wanted], name, version(str(values[0])))
    if wanted and operator in _AFFIXES:
        return Part(_AFFIXES[operator], name, tuple(map(str, values)))
    if wanted and operator is _CONTAINS and len(values) == 1:
        return Part(Template.CONTAINS, name, values[0])
    return None


def _equality(name: str, values: tuple[Scalar, ...], *, wanted: bool) -> Part | None:
    if len(values) == 1 and values[0].__class__ is bool:
        return Part(_IS, name, values[0] is wanted)
    if not all(isinstance(value, str) for value in values):
        return None
    if len(values) == 1:
        return Part(_TEXT_IS if wanted else _TEXT_IS_NOT, name, values[0])
    return Part(_TEXT_IN if wanted else _TEXT_NOT_IN, name, frozenset(values))
