"""One table of operators: what values each takes and what it says of an attribute.

A test answers None when the attribute is missing or has a type the operator does not speak of. The clause
then holds neither plainly nor negated (unless its `missing` says otherwise).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from operator import eq, ge, gt, le, lt
from types import MappingProxyType
from typing import Any, TypeAlias

from assay_engine.model import Clause, Operator
from assay_engine.rules.patterns import LONGEST_SUBJECT, UnsafePattern, compile_pattern
from assay_engine.rules.scalars import address, contains, moment, network, version
from assay_engine.values import AttributeValue, Scalar, is_array, is_finite_number, is_number

_SCALARS = (str, bool)

Test: TypeAlias = Callable[[AttributeValue], bool | None]
Compare: TypeAlias = Callable[[Any, Any], bool]


class Takes(StrEnum):
    """What the values of a clause must be, as its check and its error messages say it."""

    NOTHING = "no value"
    SCALAR = "one string, number or boolean"
    SCALARS = "at least one string, number or boolean"
    NUMBER = "one number"
    VERSION = "one version such as '1.4.0'"
    MOMENT = "one RFC 3339 time such as '2026-01-31T08:00:00Z', or a date"
    TEXTS = "at least one string"
    PATTERNS = "at least one regular expression"
    NETWORKS = "at least one network such as '10.0.0.0/8'"


@dataclass(frozen=True, slots=True)
class Definition:
    """An operator: the values it takes, the test it prepares, whether it has a case-blind form."""

    takes: Takes
    prepare: Callable[[Clause], Test]
    may_ignore_case: bool = False


_PATTERNS = Takes.PATTERNS


def prepare(clause: Clause) -> Test:
    """The clause's operator applied to its values, before negation and before `missing`."""
    return OPERATORS[clause.operator].prepare(clause)


def fault(clause: Clause) -> str | None:
    """What is wrong with the clause's values, as a sentence, or None."""
    definition = OPERATORS[clause.operator]
    if clause.ignore_case and not definition.may_ignore_case:
        return f"the operator '{clause.operator}' cannot ignore case"
    if definition.takes is _PATTERNS:
        return _pattern_fault(clause)
    if _CHECKS[definition.takes](clause.values):
        return None
    return f"the operator '{clause.operator}' takes {definition.takes}, not {list(clause.values)!r}"


def read(attribute: Sequence[str], values: Mapping[str, AttributeValue]) -> AttributeValue:
    """The attribute at a path, None where any step of it is missing."""
    found: AttributeValue = values.get(attribute[0])
    for name in attribute[1:]:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def _equals(clause: Clause) -> Test:
    texts, numbers, booleans = _by_type(clause)
    folds = clause.ignore_case

    def test(value: AttributeValue) -> bool | None:
        if isinstance(value, str):
            return (value.lower() if folds else value) in texts if texts else None
        if isinstance(value, bool):
            return value in booleans if booleans else None
        if is_number(value):
            return value in numbers if numbers else None
        return None

    return test


def _by_type(clause: Clause) -> tuple[frozenset[str], frozenset[float], frozenset[bool]]:
    fold = str.lower if clause.ignore_case else str
    return (
        frozenset(fold(value) for value in clause.values if isinstance(value, str)),
        frozenset(value for value in clause.values if is_number(value)),
        frozenset(value for value in clause.values if isinstance(value, bool)),
    )


def _number(compare: Compare, clause: Clause) -> Test:
    bound = clause.values[0]
    return lambda value: compare(value, bound) if is_number(value) else None


def _version(compare: Compare, clause: Clause) -> Test:
    bound = version(str(clause.values[0]))

    def test(value: AttributeValue) -> bool | None:
        found = version(value) if isinstance(value, str) else None
        return None if found is None else compare(found, bound)

    return test


def _moment(compare: Compare, clause: Clause) -> Test:
    bound = moment(clause.values[0])

    def test(value: AttributeValue) -> bool | None:
        found = moment(value)
        return None if found is None else compare(found, bound)

    return test


def _text(includes: Callable[[str, str], bool], clause: Clause) -> Test:
    folds = clause.ignore_case
    texts = tuple(str(value).lower() if folds else str(value) for value in clause.values)

    def test(value: AttributeValue) -> bool | None:
        if not isinstance(value, str):
            return None
        subject = value.lower() if folds else value
        return any(includes(subject, text) for text in texts)

    return test


def _matches(clause: Clause) -> Test:
    patterns = [compile_pattern(str(value), ignore_case=clause.ignore_case) for value in clause.values]

    def test(value: AttributeValue) -> bool | None:
        if not isinstance(value, str) or len(value) > LONGEST_SUBJECT:
            return None
        return any(pattern.search(value) for pattern in patterns)

    return test


def _in_network(clause: Clause) -> Test:
    networks = tuple(found for value in clause.values if (found := network(str(value))))

    def test(value: AttributeValue) -> bool | None:
        found = address(value) if isinstance(value, str) else None
        return None if found is None else any(contains(inside, found) for inside in networks)

    return test


def _has(quantifier: Callable[[list[bool]], bool], clause: Clause) -> Test:
    tests = tuple(_equals(_with_value(clause, value)) for value in clause.values)

    def test(value: AttributeValue) -> bool | None:
        if not is_array(value):
            return None
        items: Sequence[AttributeValue] = value  # pyright: ignore[reportAssignmentType]  # items of a context
        return quantifier([any(each(item) for item in items) for each in tests])

    return test


def _with_value(clause: Clause, value: Scalar) -> Clause:
    return Clause(clause.attribute, Operator.EQUALS, (value,), ignore_case=clause.ignore_case)


def _present(_: Clause) -> Test:
    return lambda value: value is not None


def _absent(_: Clause) -> Test:
    return lambda value: value is None


def _pattern_fault(clause: Clause) -> str | None:
    if not _all_text(clause.values):
        return f"the operator 'matches' takes {Takes.PATTERNS}, not {list(clause.values)!r}"
    for value in clause.values:
        try:
            compile_pattern(str(value), ignore_case=clause.ignore_case)
        except (UnsafePattern, re.error) as error:
            return f"the pattern {value!r} is refused: {error}"
    return None


def _all_text(values: Sequence[Scalar]) -> bool:
    return bool(values) and all(isinstance(value, str) and value for value in values)


def _all_scalar(values: Sequence[Scalar]) -> bool:
    return bool(values) and all(isinstance(value, _SCALARS) or is_finite_number(value) for value in values)


_CHECKS: Mapping[Takes, Callable[[Sequence[Scalar]], bool]] = {
    Takes.NOTHING: lambda values: not values,
    Takes.SCALAR: lambda values: len(values) == 1 and _all_scalar(values),
    Takes.SCALARS: _all_scalar,
    Takes.NUMBER: lambda values: len(values) == 1 and is_finite_number(values[0]),
    Takes.VERSION: lambda values: (
        len(values) == 1 and _all_text(values) and version(str(values[0])) is not None
    ),
    Takes.MOMENT: lambda values: len(values) == 1 and moment(values[0]) is not None,
    Takes.TEXTS: _all_text,
    Takes.NETWORKS: lambda values: _all_text(values) and all(network(str(value)) for value in values),
}


def _contains(subject: str, text: str) -> bool:
    return text in subject


OPERATORS: Mapping[Operator, Definition] = MappingProxyType(
    {
        Operator.EQUALS: Definition(Takes.SCALAR, _equals, may_ignore_case=True),
        Operator.IN: Definition(Takes.SCALARS, _equals, may_ignore_case=True),
        Operator.LESS: Definition(Takes.NUMBER, partial(_number, lt)),
        Operator.LESS_OR_EQUAL: Definition(Takes.NUMBER, partial(_number, le)),
        Operator.GREATER: Definition(Takes.NUMBER, partial(_number, gt)),
        Operator.GREATER_OR_EQUAL: Definition(Takes.NUMBER, partial(_number, ge)),
        Operator.SEMVER_EQUALS: Definition(Takes.VERSION, partial(_version, eq)),
        Operator.SEMVER_LESS: Definition(Takes.VERSION, partial(_version, lt)),
        Operator.SEMVER_LESS_OR_EQUAL: Definition(Takes.VERSION, partial(_version, le)),
        Operator.SEMVER_GREATER: Definition(Takes.VERSION, partial(_version, gt)),
        Operator.SEMVER_GREATER_OR_EQUAL: Definition(Takes.VERSION, partial(_version, ge)),
        Operator.BEFORE: Definition(Takes.MOMENT, partial(_moment, lt)),
        Operator.AFTER: Definition(Takes.MOMENT, partial(_moment, gt)),
        Operator.CONTAINS: Definition(Takes.TEXTS, partial(_text, _contains), may_ignore_case=True),
        Operator.STARTS_WITH: Definition(Takes.TEXTS, partial(_text, str.startswith), may_ignore_case=True),
        Operator.ENDS_WITH: Definition(Takes.TEXTS, partial(_text, str.endswith), may_ignore_case=True),
        Operator.MATCHES: Definition(Takes.PATTERNS, _matches, may_ignore_case=True),
        Operator.IN_NETWORK: Definition(Takes.NETWORKS, _in_network),
        Operator.HAS_ANY: Definition(Takes.SCALARS, partial(_has, any), may_ignore_case=True),
        Operator.HAS_ALL: Definition(Takes.SCALARS, partial(_has, all), may_ignore_case=True),
        Operator.PRESENT: Definition(Takes.NOTHING, _present),
        Operator.ABSENT: Definition(Takes.NOTHING, _absent),
    }
)
