import json
from pathlib import Path
from typing import Any

import pytest

from assay_engine import Context, compile_ruleset, evaluate
from assay_engine.model import Clause, Operator
from assay_engine.parsing import condition_from_json
from assay_engine.rules.operators import OPERATORS, Takes, fault, prepare
from assay_engine.testing import START

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "conformance" / "operators.json").read_text("utf-8")
)["cases"]


def holds(clause: dict[str, Any], x: Any, *, inside_not: bool = False) -> bool:
    condition: dict[str, Any] = {"not": clause} if inside_not else clause
    flag = {
        "key": "f",
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "rules": [{"id": "r", "condition": condition, "serve": {"variant": "on"}}],
        "fallthrough": {"variant": "off"},
    }
    ruleset = compile_ruleset(json.dumps({"format": "assay.datafile/1", "flags": [flag]}))
    return evaluate(ruleset, "f", Context.of("u", {"x": x}), now=START).value is True


def test_every_operator_has_its_cases() -> None:
    assert {case["clause"]["operator"] for case in CASES} == set(Operator) == set(OPERATORS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['clause']['operator']}-{case['x']!r:.20}")
def test_an_operator_says_what_the_vectors_say(case: dict[str, Any]) -> None:
    clause = condition_from_json(case["clause"])
    assert isinstance(clause, Clause)

    assert prepare(clause)(case["x"]) is case["holds"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['clause']['operator']}-{case['x']!r:.20}")
def test_a_missing_attribute_makes_a_clause_false_plain_negated_and_inside_not(case: dict[str, Any]) -> None:
    clause, x = case["clause"], case["x"]

    assert holds(clause, x) is (case["holds"] is True)
    assert holds({**clause, "negate": True}, x) is (case["holds"] is False)
    assert holds(clause, x, inside_not=True) is (case["holds"] is False)


@pytest.mark.parametrize(
    ("missing", "plain", "inside_not"),
    [("unknown", False, False), ("fails", False, True), ("holds", True, False)],
)
def test_a_clause_may_say_what_missing_means(missing: str, plain: bool, inside_not: bool) -> None:
    clause = {"attribute": "gone", "operator": "equals", "values": ["a"], "missing": missing}

    assert holds(clause, None) is plain
    assert holds({**clause, "negate": True}, None) is plain
    assert holds(clause, None, inside_not=True) is inside_not


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        ("equals", ()), ("equals", ("a", "b")), ("in", ()), ("less", ("1",)), ("less", (1, 2)),
        ("less", (float("nan"),)), ("semver_less", ("one",)), ("before", ("tomorrow",)), ("before", (5,)),
        ("contains", ()), ("contains", ("",)), ("contains", (1,)), ("matches", ("(",)), ("matches", (1,)),
        ("in_network", ("10.0.0.0/33",)), ("has_any", ()), ("present", ("a",)),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused_with_the_values(operator: str, values: tuple[Any, ...]) -> None:
    message = fault(Clause(("x",), Operator(operator), values))

    assert message is not None
    assert operator in message or "pattern" in message


def test_ignoring_case_is_for_text_only() -> None:
    assert (
        fault(Clause(("x",), Operator.LESS, (1,), ignore_case=True))
        == "the operator 'less' cannot ignore case"
    )


def test_every_kind_of_values_is_taken_by_some_operator() -> None:
    assert {definition.takes for definition in OPERATORS.values()} == set(Takes)
